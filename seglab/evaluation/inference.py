"""From pictures to predicted masks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seglab import checkpoints, runs
from seglab.config import DataConfig, Experiment
from seglab.datasets import label_space
from seglab.errors import CheckpointError
from seglab.evaluation.execution import Execution, resolve_device
from seglab.labels import LabelSpace
from seglab.models import create_model


def predict_logits(model: nn.Module, image: Tensor, execution: Execution, data: DataConfig) -> Tensor:
    """Logits at the pictures' own size.

    Args:
        model: In evaluation mode, placed by `execution`.
        image: uint8 (N,3,H,W) RGB.
        execution: Device and number format.
        data: Normalisation, and the size at which the network sees the picture.

    Returns:
        float32 (N,K,H,W), in channels_last order: the argmax over classes is then several times faster.
    """
    size = image.shape[-2:]
    image = execution.image(image, data)
    if data.input_size is not None and data.input_size != tuple(size):
        image = F.interpolate(image, data.input_size, mode="bilinear", antialias=True)
    with torch.inference_mode(), execution.autocast():
        logits = model(image)
    logits = logits.float().contiguous(memory_format=torch.channels_last)
    if logits.shape[-2:] != size:
        logits = F.interpolate(logits, size, mode="bilinear", align_corners=False)
    return logits


def predict_masks(model: nn.Module, image: Tensor, execution: Execution, data: DataConfig) -> Tensor:
    """Predicted train ids, int64 (N,H,W); arguments as for `predict_logits`."""
    return predict_logits(model, image, execution, data).argmax(1)


@dataclass(frozen=True)
class Predictor:
    """A trained network, ready for pictures.

    Args:
        model: Placed by `execution`; put into evaluation mode at each call.
        execution: Device and number format.
        data: Normalisation and input size of its training.
        labels: What its outputs mean.
    """

    model: nn.Module
    execution: Execution
    data: DataConfig
    labels: LabelSpace

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Predicts one picture.

        Args:
            image: uint8 (H,W,3) RGB.

        Returns:
            uint8 (H,W) of train ids.
        """
        self.model.eval()  # a training in progress has it in training mode
        batch = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None]
        prediction = predict_masks(self.model, batch, self.execution, self.data)
        return prediction[0].to("cpu", torch.uint8).numpy()


def load_predictor(folder: Path | str, device: str = "auto") -> Predictor:
    """Loads the network of a run, with the weights that the run selected.

    Args:
        folder: A run folder with its checkpoints.
        device: `auto`, `cpu` or `cuda`.

    Raises:
        RunError: If the folder is no run.
        CheckpointError: If it holds no usable weights, or those of another network.
    """
    experiment = runs.read_experiment(folder)
    weights = checkpoints.load_weights(Path(folder))
    execution = Execution(resolve_device(device))
    if execution.device.type == "cpu" and (Path(folder) / "summary.json").is_file():
        # As it was scored after its training, if that was here: other formats round otherwise.
        trained = runs.read_summary(folder)["provenance"]
        if trained["device"] == "cpu":
            execution = Execution(execution.device, trained["precision"], trained["memory_format"])
    return build_predictor(experiment, weights, execution, folder)


def build_predictor(
    experiment: Experiment, weights: dict[str, Tensor], execution: Execution, where: object
) -> Predictor:
    """Builds an experiment's network and gives it weights, strictly.

    Raises:
        CheckpointError: If names or shapes are not those of the network; `where` is named.
    """
    labels = label_space(experiment.data.name)
    model = create_model(experiment.model.name, labels.num_classes, **experiment.model.options)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(f"{where}: weights do not fit {experiment.model.name}: {reason}") from None
    return Predictor(execution.place(model.eval()), execution, experiment.data, labels)
