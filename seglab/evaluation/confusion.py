"""The confusion matrices of a network over a split, one for each picture."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from seglab.config import DataConfig
from seglab.errors import DataError, DivergedError
from seglab.evaluation.execution import Execution
from seglab.evaluation.inference import PLAIN, InferenceConfig, predict_masks
from seglab.labels import IGNORE_INDEX
from seglab.metrics import pair_counts

Samples = Iterable[tuple[int, str, Tensor, Tensor]]


class ConfusionCounter:
    """Counts the confusion matrix of each picture, and waits for the device once, at the end.

    Ignored pixels are counted in a row of their own, and so are ids that are neither class nor ignored;
    predictions that are no class have a column: nothing is lost in silence.

    Args:
        num_classes: K.
        device: Where predictions and masks are counted.
    """

    def __init__(self, num_classes: int, device: torch.device) -> None:
        self.num_classes = num_classes
        self.device = device
        self._count = count_on_cpu if device.type == "cpu" else count_on_device
        self._names: list[str] = []
        self._counts: list[Tensor] = []

    def add(self, prediction: Tensor, mask: Tensor, names: Iterable[str]) -> None:
        """Counts predictions int64 (N,H,W) against uint8 masks of the same size.

        Raises:
            DataError: If the sizes differ, or a mask is of another type.
        """
        names = list(names)
        if mask.dtype != torch.uint8:
            raise DataError(f"{', '.join(names)}: the mask is {mask.dtype}; allowed is torch.uint8")
        if prediction.shape != mask.shape:
            raise DataError(
                f"{', '.join(names)}: prediction {tuple(prediction.shape)} and mask {tuple(mask.shape)} "
                "must have the same size"
            )
        mask = mask.to(self.device, non_blocking=True)
        self._counts.append(self._count(prediction, mask, self.num_classes))
        self._names += names

    def images(self) -> np.ndarray:
        """int64 (N,K+1,K), one matrix per picture in the order of their adding; the last row is void.

        Raises:
            DataError: If there is no picture, or a mask held an id that is neither a class nor ignored.
            DivergedError: If a prediction was no class.
        """
        if not self._counts:
            raise DataError("there is no picture to score: the split is empty")
        counts = torch.cat(self._counts).cpu().numpy()
        if (strange := counts[:, -1].sum(1)).any():
            raise DataError(
                f"{self._named(strange)}: {strange.sum()} mask pixels hold ids outside "
                f"0..{self.num_classes - 1} and {IGNORE_INDEX}"
            )
        if (strange := counts[:, :, -1].sum(1)).any():
            raise DivergedError(
                f"{self._named(strange)}: {strange.sum()} predictions are none of the {self.num_classes} "
                "classes: the network answers NaN, or has another number of classes"
            )
        return counts[:, :-1, :-1]

    def _named(self, strange: np.ndarray) -> str:
        first, *more = [name for name, count in zip(self._names, strange, strict=True) if count]
        return f"{first} (and {len(more)} more)" if more else first


def count_on_cpu(prediction: Tensor, mask: Tensor, num_classes: int) -> Tensor:
    """Confusion matrices of int64 predictions (N,H,W) and uint8 masks, int64 (N,K+2,K+1).

    Rows are the K classes, ignored, and other ids; columns the classes, and predictions that are none.
    """
    counts = []
    for one, truth in zip(prediction.byte().numpy(), mask.numpy(), strict=True):
        pairs = pair_counts(one, truth)
        pairs = np.c_[pairs[:, :num_classes], pairs[:, num_classes:].sum(1)]
        others = pairs[num_classes:IGNORE_INDEX].sum(0)
        counts.append(np.r_[pairs[:num_classes], pairs[IGNORE_INDEX:], others[None]])
    return torch.from_numpy(np.stack(counts))


def count_on_device(prediction: Tensor, mask: Tensor, num_classes: int) -> Tensor:
    """As `count_on_cpu` where the tensors are; nothing waits for the device."""
    number, rows, columns = len(mask), num_classes + 2, num_classes + 1
    row = torch.where(mask == IGNORE_INDEX, num_classes, mask.clamp(max=num_classes).long())
    row += (mask >= num_classes) & (mask != IGNORE_INDEX)
    keys = row * columns + prediction.clamp(max=num_classes)
    keys += rows * columns * torch.arange(number, device=mask.device).view(-1, 1, 1)
    # bincount would ask a GPU for the largest key, and wait for the answer.
    ones = torch.ones((), dtype=torch.int64, device=mask.device).expand(keys.numel())
    counts = torch.zeros(number * rows * columns, dtype=torch.int64, device=mask.device)
    return counts.scatter_add_(0, keys.flatten(), ones).view(number, rows, columns)


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
        DataError, DivergedError: As `ConfusionCounter` does.
    """
    model.eval()
    counter = ConfusionCounter(num_classes, execution.device)
    for names, images, masks in _batches(samples, batch_size):
        counter.add(predict_masks(model, images, execution, data, inference), masks, names)
        on_batch(len(images))
    return counter.images()


def _batches(samples: Samples, size: int) -> Iterator[tuple[tuple[str, ...], Tensor, Tensor]]:
    """Groups consecutive samples of the same size into batches of names, images and masks."""
    for _, group in itertools.groupby(samples, key=lambda sample: sample[2].shape):
        while batch := list(itertools.islice(group, size)):
            _, names, images, masks = zip(*batch, strict=True)
            yield names, torch.stack(images), torch.stack(masks)
