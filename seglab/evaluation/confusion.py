"""The confusion matrices of a network over a split, one for each picture."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from seglab.config import DataConfig
from seglab.errors import DataError
from seglab.evaluation.execution import Execution
from seglab.evaluation.inference import PLAIN, InferenceConfig, predict_masks
from seglab.labels import IGNORE_INDEX

Samples = Iterable[tuple[int, str, Tensor, Tensor]]


class ConfusionCounter:
    """Counts the confusion matrix of each picture on the device, and waits for the device once, at the end.

    Ignored pixels are counted in a row of their own, and so are ids that are neither class nor ignored;
    predictions that are no class have a column: nothing is lost in silence.

    Args:
        num_classes: K.
        device: Where predictions and masks are counted.
    """

    def __init__(self, num_classes: int, device: torch.device) -> None:
        self.num_classes = num_classes
        self.device = device
        self._names: list[str] = []
        self._counts: list[Tensor] = []
        rows = torch.full((256,), num_classes + 1, dtype=torch.int32)
        rows[:num_classes] = torch.arange(num_classes)
        rows[IGNORE_INDEX] = num_classes
        self._offsets = (rows * (num_classes + 1)).to(device)

    def add(self, prediction: Tensor, mask: Tensor, names: Iterable[str]) -> None:
        """Counts predictions int64 (N,H,W) against uint8 masks of the same size.

        Raises:
            DataError: If the sizes differ.
        """
        names = list(names)
        if prediction.shape != mask.shape:
            raise DataError(
                f"{', '.join(names)}: prediction {tuple(prediction.shape)} and mask {tuple(mask.shape)} "
                "must have the same size"
            )
        cells = (self.num_classes + 2) * (self.num_classes + 1)
        keys = self._offsets[mask.to(self.device, non_blocking=True).int()]
        keys += prediction.clamp(max=self.num_classes)
        keys += cells * torch.arange(len(names), dtype=torch.int32, device=self.device).view(-1, 1, 1)
        self._counts.append(_histogram(keys.flatten(), cells * len(names)).view(len(names), -1))
        self._names += names

    def images(self) -> np.ndarray:
        """int64 (N,K+1,K), one matrix per picture in the order of their adding; the last row is void.

        Raises:
            DataError: If there is no picture, a mask held an id that is neither a class nor ignored, or a
                prediction was no class.
        """
        if not self._counts:
            raise DataError("there is no picture to score: the split is empty")
        size = (len(self._names), self.num_classes + 2, self.num_classes + 1)
        counts = torch.cat(self._counts).cpu().numpy().reshape(size)
        if (strange := counts[:, -1].sum(1)).any():
            raise DataError(
                f"{self._named(strange)}: {strange.sum()} mask pixels hold ids outside "
                f"0..{self.num_classes - 1} and {IGNORE_INDEX}"
            )
        if (strange := counts[:, :, -1].sum(1)).any():
            raise DataError(
                f"{self._named(strange)}: {strange.sum()} predictions are none of the {self.num_classes} "
                "classes: the network answers NaN, or has another number of classes"
            )
        return counts[:, :-1, :-1]

    def _named(self, strange: np.ndarray) -> str:
        first, *more = [name for name, count in zip(self._names, strange, strict=True) if count]
        return f"{first} (and {len(more)} more)" if more else first


def _histogram(keys: Tensor, bins: int) -> Tensor:
    """How often each number below `bins` occurs in `keys`, int64 (bins,)."""
    if keys.device.type == "cpu":
        return torch.bincount(keys, minlength=bins)
    # CUDA's bincount asks the device for the largest key, and waits for the answer.
    ones = torch.ones((), dtype=torch.int64, device=keys.device).expand(keys.shape)
    return torch.zeros(bins, dtype=torch.int64, device=keys.device).scatter_add_(0, keys.long(), ones)


def count_images(
    model: nn.Module,
    samples: Samples,
    num_classes: int,
    execution: Execution,
    data: DataConfig,
    inference: InferenceConfig = PLAIN,
    batch_size: int = 4,
    on_batch: Callable[[int], None] = lambda pictures: None,
) -> np.ndarray:
    """Runs a network over a split and counts what it says; scores are taken at the masks' own size.

    Args:
        model: Placed by `execution`; left in evaluation mode.
        samples: From `datasets.evaluation_samples`.
        num_classes: K.
        execution: Device and number format.
        data: Normalisation and input size.
        inference: How the network is asked.
        batch_size: Most pictures of equal size that are predicted together.
        on_batch: Told the number of pictures done, after each batch.

    Returns:
        int64 (N,K+1,K) by picture, in the order of the samples; rows are the true classes and, last, the
        ignored pixels, columns the predicted classes.

    Raises:
        DataError: As `ConfusionCounter` does.
    """
    model.eval()
    counter = ConfusionCounter(num_classes, execution.device)
    for names, images, masks in _batches(samples, batch_size):
        counter.add(predict_masks(model, images, execution, data, inference), masks, names)
        on_batch(len(images))
    return counter.images()


def count_confusion(
    model: nn.Module,
    samples: Samples,
    num_classes: int,
    execution: Execution,
    data: DataConfig,
    batch_size: int = 4,
    on_batch: Callable[[int], None] = lambda pictures: None,
) -> Tensor:
    """The confusion matrix of the whole split, asked plainly; arguments as of `count_images`.

    Returns:
        int64 (K,K) on the device, rows true, columns predicted.
    """
    images = count_images(model, samples, num_classes, execution, data, PLAIN, batch_size, on_batch)
    return torch.from_numpy(images[:, :-1].sum(0)).to(execution.device)


def _batches(samples: Samples, size: int) -> Iterator[tuple[tuple[str, ...], Tensor, Tensor]]:
    """Groups consecutive samples of the same size into batches of names, images and masks."""
    for _, group in itertools.groupby(samples, key=lambda sample: sample[2].shape):
        while batch := list(itertools.islice(group, size)):
            _, names, images, masks = zip(*batch, strict=True)
            yield names, torch.stack(images), torch.stack(masks)
