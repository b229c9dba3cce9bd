"""The confusion matrix of a network over a split."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn

from seglab.config import DataConfig
from seglab.errors import DataError
from seglab.evaluation.execution import Execution
from seglab.evaluation.inference import predict_masks
from seglab.labels import IGNORE_INDEX


class ConfusionCounter:
    """Adds up a confusion matrix on the device, without waiting for it.

    Ignored pixels are counted in a row of their own, and so are ids that are neither class nor ignored:
    nothing is lost in silence.

    Args:
        num_classes: K.
        device: Where predictions and masks are.
    """

    def __init__(self, num_classes: int, device: torch.device) -> None:
        self.num_classes = num_classes
        self.counts = torch.zeros((num_classes + 2) * num_classes, dtype=torch.int64, device=device)
        rows = torch.full((256,), num_classes + 1)
        rows[:num_classes] = torch.arange(num_classes)
        rows[IGNORE_INDEX] = num_classes
        self._offsets = (rows * num_classes).to(device)

    def add(self, prediction: Tensor, mask: Tensor) -> None:
        """Counts predictions int64 (N,H,W) against uint8 masks of the same size."""
        keys = self._offsets[mask.to(self.counts.device).long()].add_(prediction)
        self.counts += torch.bincount(keys.flatten(), minlength=self.counts.numel())

    def confusion(self) -> Tensor:
        """int64 (K,K), rows true, columns predicted.

        Raises:
            DataError: If a mask held an id that is neither a class nor ignored.
        """
        counts = self.counts.view(-1, self.num_classes)
        if strange := int(counts[-1].sum()):
            raise DataError(f"{strange} mask pixels hold ids outside 0..{self.num_classes - 1} and 255")
        return counts[: self.num_classes]


def count_confusion(
    model: nn.Module,
    samples: Iterable[tuple[int, str, Tensor, Tensor]],
    num_classes: int,
    execution: Execution,
    data: DataConfig,
    batch_size: int = 4,
    on_batch: Callable[[int], None] = lambda pictures: None,
) -> Tensor:
    """Runs a network over a split and counts what it says; scores are taken at the masks' own size.

    Args:
        model: Placed by `execution`; left in evaluation mode.
        samples: From `datasets.evaluation_samples`.
        num_classes: K.
        execution: Device and number format.
        data: Normalisation and input size.
        batch_size: Most pictures of equal size that are predicted together.
        on_batch: Told the number of pictures done, after each batch.

    Returns:
        int64 (K,K) on the device, rows true, columns predicted.
    """
    model.eval()
    counter = ConfusionCounter(num_classes, execution.device)
    for images, masks in _batches(samples, batch_size):
        counter.add(predict_masks(model, images, execution, data), masks)
        on_batch(len(images))
    return counter.confusion()


def _batches(samples: Iterable, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Groups consecutive samples of the same size into batches of images and masks."""
    for _, group in itertools.groupby(samples, key=lambda sample: sample[2].shape):
        while batch := list(itertools.islice(group, size)):
            _, _, images, masks = zip(*batch, strict=True)
            yield torch.stack(images), torch.stack(masks)
