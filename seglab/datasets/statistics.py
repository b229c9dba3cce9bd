"""How often each class occurs, and the weights that a loss can draw from it."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch

from seglab.config import LossConfig, unknown
from seglab.datasets.base import SegmentationDataset
from seglab.datasets.locations import cache_root
from seglab.errors import ConfigError
from seglab.labels import CITYSCAPES, IGNORE_INDEX
from seglab.runs import write_bytes

# HRNet's weights of the 19 Cityscapes classes, in train-id order; their mean is 1.
# Reference: HRNet/HRNet-Semantic-Segmentation, lib/datasets/cityscapes.py.
_HRNET_WEIGHTS = (
    *(0.8373, 0.9180, 0.8660, 1.0345, 1.0166, 0.9969, 0.9754, 1.0489, 0.8786, 1.0023),
    *(0.9539, 0.9843, 1.1116, 0.9037, 1.0865, 1.0955, 1.0865, 1.1529, 1.0507),
)

# beta of `effective_number`: 1 - 1/N if a class has N samples that differ. Of the four values that Cui et al.
# 2019, section 5, try it is the one that fits a few hundred or thousand pictures.
_BETA = 0.999


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
        DataError: If a mask cannot be read.
    """
    return sum_up(picture_counts(dataset), dataset.labels.num_classes)


def picture_counts(dataset: SegmentationDataset) -> np.ndarray:
    """Pixels of every train id in each mask of a split.

    All masks are read the first time; the counts are then kept in the cache folder under the split's digest.

    Returns:
        int64 (pictures, 256).

    Raises:
        DataError: If a mask cannot be read.
    """
    path = cache_root() / "counts" / f"{dataset.digest()}.npy"
    # What is missing or damaged is counted anew, as it was the first time.
    with contextlib.suppress(OSError, EOFError, ValueError):
        if (known := np.load(path)).shape == (len(dataset), 256):
            return known
    with ThreadPoolExecutor() as pool:
        counted = pool.map(lambda index: count_ids(dataset.read_mask(index)), range(len(dataset)))
        counts = np.stack(list(counted))
    with contextlib.suppress(OSError):  # without a writable cache folder it is counted each time
        path.parent.mkdir(parents=True, exist_ok=True)
        content = io.BytesIO()
        np.save(content, counts)
        write_bytes(path, content.getbuffer())
    return counts


# Weight of each class from counts in which every class occurs, and log_offset, before normalisation.
_FORMULAS: dict[str, Callable[[ClassFrequencies, float], np.ndarray]] = {
    "inverse": lambda counts, _: 1 / counts.share,
    "sqrt_inverse": lambda counts, _: 1 / np.sqrt(counts.share),
    "log_inverse": lambda counts, offset: 1 / np.log(offset + counts.share),
    "median_frequency": lambda counts, _: _over_median(counts.share / counts.images),
    "effective_number": lambda counts, _: (1 - _BETA) / (1 - _BETA**counts.images),
}


def class_weights(config: LossConfig, dataset: SegmentationDataset) -> torch.Tensor | None:
    """Weights of the classes in the loss.

    Args:
        config: Its `class_weights` is `none` for all alike, `hrnet` for HRNet's fixed table of the 19
            Cityscapes classes, or else a method of `frequency_weights`, with `log_offset`.
        dataset: The training split.

    Returns:
        float32 (K,), in train-id order, or None for `none`.

    Raises:
        ConfigError: If the method is unknown, or `hrnet` is asked for other classes than its own.
        DataError: If a mask cannot be read.
    """
    method = config.class_weights
    if method == "none":
        return None
    if method == "hrnet":
        if dataset.labels.classes != CITYSCAPES.classes:
            raise ConfigError(
                f"loss.class_weights: got hrnet for {dataset.labels.name}; allowed is it for the classes of "
                f"{CITYSCAPES.name} only, else one of none, {', '.join(_FORMULAS)}"
            )
        return torch.tensor(_HRNET_WEIGHTS)
    if method not in _FORMULAS:
        raise ConfigError(unknown(f"loss.class_weights {method!r}", method, ["none", "hrnet", *_FORMULAS]))
    return torch.from_numpy(frequency_weights(method, class_frequencies(dataset), config.log_offset))


def frequency_weights(method: str, frequencies: ClassFrequencies, log_offset: float = 1.10) -> np.ndarray:
    """Weights from counts, with a mean of 1 over the classes that occur.

    A class without a pixel gets weight 0: nothing can be learnt about it, and 1/f is not defined.

    Args:
        method: With f a class's share of all pixels, `inverse` is 1/f, `sqrt_inverse` 1/sqrt(f) and
            `log_inverse` 1/ln(log_offset + f), which is bounded. `median_frequency` is median(g)/g, g its
            share of the pixels of those pictures that hold it, which are taken to be of one size.
            `effective_number` is (1 - beta)/(1 - beta^n) with beta = 0.999 and n the pictures that hold it:
            neighbouring pixels are nearly copies of each other, and what counts are samples that differ.
        frequencies: Counts over the training split.
        log_offset: c of `log_inverse`, above 1.

    Returns:
        float32 (K,).

    Reference: ENet (Paszke et al. 2016, arXiv 1606.02147, section 5.2) and ERFNet (Romera et al. 2018) for
        `log_inverse`; Eigen and Fergus 2015, arXiv 1411.4734, for `median_frequency`; Cui et
        al. 2019, arXiv 1901.05555, section 4, for `effective_number`.
    """
    present = frequencies.pixels > 0
    counts = replace(frequencies, pixels=frequencies.pixels[present], images=frequencies.images[present])
    weights = np.zeros(len(present))
    weights[present] = _FORMULAS[method](counts, log_offset)
    return (weights / weights[present].mean()).astype(np.float32)


def _over_median(frequency: np.ndarray) -> np.ndarray:
    return np.median(frequency) / frequency


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
