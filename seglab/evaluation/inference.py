"""From pictures to predicted masks: whole or in tiles, at one scale or several."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seglab import checkpoints, runs
from seglab.config import DataConfig, Experiment
from seglab.datasets import label_space
from seglab.errors import CheckpointError, ConfigError, DataError
from seglab.evaluation.execution import Execution, resolve_device
from seglab.labels import IGNORE_INDEX, LabelSpace
from seglab.models import create_model

MULTI_SCALE = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)  # of Mini-HRNet and HRNet, with flip


@dataclass(frozen=True)
class InferenceConfig:
    """How a trained network is asked; the plain way by default.

    Args:
        scales: The picture is shown at each of these multiples of the size at which the network sees it.
        flip: Whether it is shown mirrored as well.
        tile: Height and width in pixels of the picture of the pieces that are shown one by one, at all
            scales; None shows it whole.
        overlap: Smallest share of a tile that the next one covers again, in [0, 0.5].
        average: What the answers' mean is taken of. `logits` predicts what their sum does, as Mini-HRNet's
            own code has it; there a network that is louder at some scale outvotes the others.
    """

    scales: tuple[float, ...] = (1.0,)
    flip: bool = False
    tile: tuple[int, int] | None = None
    overlap: float = 0.25
    average: Literal["probabilities", "logits"] = "probabilities"

    def __post_init__(self) -> None:
        if not self.scales or not all(0 < scale < math.inf for scale in self.scales):
            raise ConfigError(f"scales: got {self.scales}; allowed is one or more numbers above 0")
        if self.tile is not None and min(self.tile) < 32:
            raise ConfigError(f"tile: got {self.tile}; allowed are a height and a width of at least 32")
        if not 0 <= self.overlap <= 0.5:
            raise ConfigError(f"overlap: got {self.overlap}; allowed is a share in [0, 0.5]")
        if self.average not in ("probabilities", "logits"):
            raise ConfigError(f"average: got {self.average!r}; allowed are 'probabilities' and 'logits'")

    @property
    def tag(self) -> str:
        """A name for files, the same for the same inference alone: `scales0.5-1-flip`; `plain` by default."""
        default = InferenceConfig()
        parts = [
            "scales" + "-".join(f"{scale:g}" for scale in self.scales) if self.scales != (1.0,) else "",
            "flip" if self.flip else "",
            "logits" if self.average != default.average else "",
            f"tile{self.tile[0]}x{self.tile[1]}" if self.tile else "",
            f"overlap{self.overlap:g}" if self.tile and self.overlap != default.overlap else "",
        ]
        return "-".join(filter(None, parts)) or "plain"


PLAIN = InferenceConfig()


def predict_scores(
    model: nn.Module,
    image: Tensor,
    execution: Execution,
    data: DataConfig,
    inference: InferenceConfig = PLAIN,
) -> Tensor:
    """Mean over all views of the pictures of the probabilities, or of the logits (`inference.average`).

    Args:
        model: In evaluation mode, placed by `execution`.
        image: uint8 (N,3,H,W) RGB.
        execution: Device and number format.
        data: Normalisation, and the size at which the network sees the picture.
        inference: Which views.

    Returns:
        float32 (N,K,H,W) in channels_last order: the largest class is then found several times faster.
    """
    return torch.cat(list(_strips(model, image, execution, data, inference)), dim=2)


def predict_masks(
    model: nn.Module,
    image: Tensor,
    execution: Execution,
    data: DataConfig,
    inference: InferenceConfig = PLAIN,
) -> Tensor:
    """Predicted train ids, int64 (N,H,W); `IGNORE_INDEX` where the network answers NaN.

    Arguments as of `predict_scores`. In tiles it needs memory for the scores of one row of tiles alone.
    """
    if len(inference.scales) == 1 and not inference.flip and inference.tile is None:
        # The largest logit is the largest probability, without a detour that can round two to a tie.
        inference = replace(inference, average="logits")
    masks = []
    for scores in _strips(model, image, execution, data, inference):
        largest, ids = scores.max(1)
        masks.append(ids.masked_fill_(largest.isnan(), IGNORE_INDEX))
    return torch.cat(masks, dim=1)


def _strips(
    model: nn.Module, image: Tensor, execution: Execution, data: DataConfig, inference: InferenceConfig
) -> Iterator[Tensor]:
    """The scores of the pictures from top to bottom, in strips (N,K,h,W)."""
    height, width = image.shape[-2:]
    seen = data.input_size or (height, width)
    factors = seen[0] / height, seen[1] / width

    def answer(part: Tensor) -> Tensor:
        return _views(model, execution.image(part, data), execution, inference, factors)

    if inference.tile is None:
        yield answer(image)
        return
    rows, columns = (
        _tiles(length, tile, inference.overlap)
        for length, tile in zip((height, width), inference.tile, strict=True)
    )
    strip = None
    for number, (top, down) in enumerate(rows):
        for left, along in columns:
            part = answer(image[..., top : top + len(down), left : left + len(along)])
            if strip is None:
                strip = _zeros(part, len(down), width)
            weights = (down[:, None] * along).to(part.device)
            strip[..., left : left + len(along)].addcmul_(part, weights)
        done = rows[number + 1][0] - top if number + 1 < len(rows) else len(down)
        yield strip[:, :, :done]
        rest = _zeros(strip, len(down), width)
        rest[:, :, : len(down) - done] = strip[:, :, done:]
        strip = rest


@torch.inference_mode()
def _views(
    model: nn.Module,
    image: Tensor,
    execution: Execution,
    inference: InferenceConfig,
    factors: tuple[float, float],
) -> Tensor:
    """Mean score of normalised pictures (N,3,h,w) over all views, (N,K,h,w).

    `factors` are network pixels per picture pixel, down and along, at scale 1.
    """
    total = None
    for scale in inference.scales:
        size = tuple(
            max(1, round(side * factor * scale))
            for side, factor in zip(image.shape[-2:], factors, strict=True)
        )
        for flip in (False, True) if inference.flip else (False,):
            score = _view(model, image, execution, size, flip)
            if inference.average == "probabilities":
                score = probabilities(score)
            total = score if total is None else total.add_(score)
    number = len(inference.scales) * (1 + inference.flip)
    return total if number == 1 else total.div_(number)


@torch.inference_mode()
def _view(
    model: nn.Module, image: Tensor, execution: Execution, size: tuple[int, int], flip: bool = False
) -> Tensor:
    """The logits of normalised pictures shown at a size, mirrored or not, at the pictures' own size."""
    own = image.shape[-2:]
    if size != tuple(own):
        image = F.interpolate(image, size, mode="bilinear", antialias=True)
    with execution.autocast():
        logits = model(image.flip(-1) if flip else image)
    logits = logits.float().contiguous(memory_format=torch.channels_last)
    if flip:
        logits = logits.flip(-1)  # while they are small
    return logits if logits.shape[-2:] == own else F.interpolate(logits, own, mode="bilinear")


def probabilities(logits: Tensor) -> Tensor:
    """The softmax over the classes of logits (N,K,H,W) in channels_last order, which it keeps.

    `logits.softmax(1)` would change the order, and takes several times as long on a processor.
    """
    return logits.permute(0, 2, 3, 1).softmax(-1).permute(0, 3, 1, 2)


def tile_starts(length: int, tile: int, overlap: float) -> list[int]:
    """Where the tiles along one side of a picture begin; they lie evenly, as few as the overlap allows."""
    tile = min(tile, length)
    shared = round(tile * overlap)
    number = math.ceil((length - shared) / (tile - shared))
    return [round(i * (length - tile) / max(1, number - 1)) for i in range(number)]


def _tiles(length: int, tile: int, overlap: float) -> list[tuple[int, Tensor]]:
    """Where the tiles along one side begin, and the weight of each of their pixels.

    A weight grows smoothly from the tile's edge (sin^2 over the overlap), and the weights of all tiles on one
    pixel add up to 1.
    """
    starts = tile_starts(length, tile, overlap)
    tile = min(tile, length)
    shared = round(tile * overlap)
    distance = torch.arange(tile, dtype=torch.float64) + 0.5
    distance = torch.minimum(distance, distance.flip(0))
    window = torch.sin(math.pi / 2 * (distance / max(1, shared)).clamp(max=1)) ** 2
    total = torch.zeros(length, dtype=torch.float64)
    for start in starts:
        total[start : start + tile] += window
    return [(start, (window / total[start : start + tile]).float()) for start in starts]


def _zeros(like: Tensor, height: int, width: int) -> Tensor:
    """Zeros (N,K,height,width) in channels_last order."""
    number, classes = like.shape[:2]
    return like.new_zeros(number, height, width, classes).permute(0, 3, 1, 2)


@dataclass(frozen=True)
class Predictor:
    """A trained network, ready for pictures.

    Args:
        model: Placed by `execution`; put into evaluation mode at each call.
        execution: Device and number format.
        data: Normalisation and input size of its training.
        labels: What its outputs mean.
        inference: How the network is asked.
    """

    model: nn.Module
    execution: Execution
    data: DataConfig
    labels: LabelSpace
    inference: InferenceConfig = PLAIN

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Predicts one picture.

        Args:
            image: uint8 (H,W,3) RGB.

        Returns:
            uint8 (H,W) of train ids.

        Raises:
            DataError: If the network answers NaN.
        """
        mask = predict_masks(*self._arguments(image))[0].to("cpu", torch.uint8).numpy()
        if (mask == IGNORE_INDEX).any():
            raise DataError("the network answers NaN; its weights are damaged or its training diverged")
        return mask

    def scores(self, image: np.ndarray) -> np.ndarray:
        """As a call, with the scores instead of the largest one's id: float32 (K,H,W), `predict_scores`."""
        return predict_scores(*self._arguments(image))[0].cpu().numpy()

    def _arguments(self, image: np.ndarray) -> tuple:
        self.model.eval()  # a training in progress has it in training mode
        batch = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None]
        return self.model, batch, self.execution, self.data, self.inference


def load_predictor(
    folder: Path | str, device: str = "auto", inference: InferenceConfig = PLAIN
) -> Predictor:
    """Loads the network of a run, with the weights that the run selected.

    Args:
        folder: A run folder with its weights.
        device: `auto`, `cpu` or `cuda`.
        inference: How the network is asked.

    Raises:
        RunError: If the folder is no run.
        DataError: If the YAML file of the run's own data is not there, or names other classes than the run.
        CheckpointError: If it holds no usable weights, or those of another network.
    """
    experiment = runs.read_experiment(folder)
    _check_classes(folder, experiment.data.name)
    weights = checkpoints.load_weights(Path(folder))
    execution = Execution(resolve_device(device))
    if execution.device.type == "cpu" and (Path(folder) / "summary.json").is_file():
        # As it was scored after its training, if that was here: other formats round otherwise.
        trained = runs.read_summary(folder)["provenance"]
        if trained["device"] == "cpu":
            execution = Execution(execution.device, trained["precision"], trained["memory_format"])
    return replace(build_predictor(experiment, weights, execution, folder), inference=inference)


def _check_classes(folder: Path | str, data: str) -> None:
    """Refuses a run whose outputs mean other classes than its data set has now, as far as it was scored."""
    now = label_space(data).classes
    for split in runs.splits(folder):
        if (recorded := runs.read_confusion(folder, split)[1]) != now:
            raise DataError(
                f"{data}: its classes are {', '.join(now)}; allowed are those with which {folder} was "
                f"trained, in their order: {', '.join(recorded)}"
            )


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
