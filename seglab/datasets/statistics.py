"""How often each class occurs, and the weights that a loss can draw from it."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from seglab.config import LossConfig, unknown
from seglab.datasets.base import SegmentationDataset
from seglab.datasets.locations import cache_root
from seglab.errors import ConfigError, DataError
from seglab.labels import CITYSCAPES, IGNORE_INDEX
from seglab.metrics.weights import METHODS
from seglab.metrics.weights import frequency_weights as weights_of_counts
from seglab.runs import write_bytes

# HRNet's weights of the 19 Cityscapes classes, in train-id order; their mean is 1.
# Reference: HRNet/HRNet-Semantic-Segmentation, lib/datasets/cityscapes.py.
_HRNET_WEIGHTS = (
    *(0.8373, 0.9180, 0.8660, 1.0345, 1.0166, 0.9969, 0.9754, 1.0489, 0.8786, 1.0023),
    *(0.9539, 0.9843, 1.1116, 0.9037, 1.0865, 1.0955, 1.0865, 1.1529, 1.0507),
)


@dataclass(frozen=True)
class ClassFrequencies:
    """Counts over the masks of a split.

    Args:
        pixels: int64 (K,), pixels of each class.
        images: int64 (K,), pictures in which each class occurs.
        ignored: Pixels that are neither trained nor scored.
        num_images: Pictures.
    """

    pixels: np.ndarray
    images: np.ndarray
    ignored: int
    num_images: int

    @property
    def share(self) -> np.ndarray:
        """Pixels of each class as a share of all pixels, ignored ones included; float64 (K,)."""
        return self.pixels / max(1, self.pixels.sum() + self.ignored)


def class_frequencies(dataset: SegmentationDataset) -> ClassFrequencies:
    """Counts the classes of a split.

    Raises:
        DataError: As `picture_counts`.
    """
    return sum_up(picture_counts(dataset), dataset.labels.num_classes)


def picture_counts(dataset: SegmentationDataset) -> np.ndarray:
    """Pixels of every train id in each mask of a split.

    All masks are read the first time; the counts are then kept in the cache folder under the split's digest.

    Returns:
        int64 (pictures, 256).

    Raises:
        DataError: If a mask cannot be read, or no pixel belongs to a class.
    """
    path = cache_root() / "counts" / f"{dataset.digest()}.npy"
    counts = None
    with contextlib.suppress(OSError, EOFError, ValueError):
        counts = np.load(path)
    # What is missing or damaged is counted anew, as it was the first time.
    if counts is None or counts.shape != (len(dataset), 256):
        with ThreadPoolExecutor() as pool:
            counted = pool.map(lambda index: count_ids(dataset.read_mask(index)), range(len(dataset)))
            counts = np.stack(list(counted))
        with contextlib.suppress(OSError):  # without a writable cache folder it is counted each time
            path.parent.mkdir(parents=True, exist_ok=True)
            content = io.BytesIO()
            np.save(content, counts)
            write_bytes(path, content.getbuffer())
    check_labelled(dataset, counts)
    return counts


def check_labelled(dataset: SegmentationDataset, counts: np.ndarray) -> None:
    """Refuses a split in which nothing can be learnt or scored.

    Args:
        dataset: The split.
        counts: (pictures, 256), pixels of every train id in each mask.

    Raises:
        DataError: If no pixel belongs to a class.
    """
    if not counts[:, : dataset.labels.num_classes].any():
        raise DataError(f"no labelled pixel in {dataset.split} of {dataset.name}; check its ids and `ignore`")


def class_weights(config: LossConfig, dataset: SegmentationDataset) -> torch.Tensor | None:
    """Weights of the classes in the loss.

    Args:
        config: Its `class_weights` is `none` for all alike, `hrnet` for HRNet's fixed table of the 19
            Cityscapes classes, or else a method of `metrics.weights`, with `log_offset`.
        dataset: The training split.

    Returns:
        float32 (K,), in train-id order, or None for `none`.

    Raises:
        ConfigError: If the method is unknown, or `hrnet` is asked for other classes than its own.
        DataError: As `picture_counts`.
    """
    method = config.class_weights
    if method == "none":
        return None
    if method == "hrnet":
        if dataset.labels.classes != CITYSCAPES.classes:
            raise ConfigError(
                f"loss.class_weights: got hrnet for {dataset.labels.name}; allowed is it for the classes of "
                f"{CITYSCAPES.name} only, else one of none, {', '.join(METHODS)}"
            )
        return torch.tensor(_HRNET_WEIGHTS)
    if method not in METHODS:
        raise ConfigError(unknown(f"loss.class_weights {method!r}", method, ["none", "hrnet", *METHODS]))
    return torch.from_numpy(frequency_weights(method, class_frequencies(dataset), config.log_offset))


def frequency_weights(method: str, frequencies: ClassFrequencies, log_offset: float = 1.10) -> np.ndarray:
    """`metrics.weights.frequency_weights` of the counts over a training split: float32 (K,), mean 1."""
    counts = (frequencies.pixels, frequencies.images, frequencies.ignored)
    return weights_of_counts(method, *counts, log_offset)


def count_ids(mask: np.ndarray) -> np.ndarray:
    """Pixels of every train id in a mask: int64 (256,)."""
    return np.bincount(mask.reshape(-1), minlength=256)


def sum_up(counts: Iterable[np.ndarray], num_classes: int) -> ClassFrequencies:
    """Adds the `count_ids` of several masks."""
    pixels, images, num_images = np.zeros(256, np.int64), np.zeros(256, np.int64), 0
    for count in counts:
        pixels += count
        images += count > 0
        num_images += 1
    return ClassFrequencies(pixels[:num_classes], images[:num_classes], int(pixels[IGNORE_INDEX]), num_images)
