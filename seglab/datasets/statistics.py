"""How often each class occurs, and the weights that a loss can draw from it."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from seglab.config import unknown
from seglab.datasets.base import SegmentationDataset
from seglab.errors import ConfigError
from seglab.labels import CITYSCAPES, IGNORE_INDEX

# HRNet's weights of the 19 Cityscapes classes, in train-id order; their mean is 1.
# Reference: HRNet/HRNet-Semantic-Segmentation, lib/datasets/cityscapes.py.
_HRNET_WEIGHTS = (
    *(0.8373, 0.9180, 0.8660, 1.0345, 1.0166, 0.9969, 0.9754, 1.0489, 0.8786, 1.0023),
    *(0.9539, 0.9843, 1.1116, 0.9037, 1.0865, 1.0955, 1.0865, 1.1529, 1.0507),
)

# Weight of a class whose share of all pixels is f, before normalisation.
_FORMULAS = {
    "inverse": lambda f: 1 / f,
    "sqrt_inverse": lambda f: 1 / np.sqrt(f),
    # Bounded at 1 / ln 1.10 = 10.5. Reference: ENet (Paszke et al. 2016), section 5.2, with the constant of
    # ERFNet's decoder (Romera et al. 2018) in place of 1.02.
    "log_inverse": lambda f: 1 / np.log(1.10 + f),
}


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
    """Counts the classes of a split; only masks are read.

    Raises:
        DataError: If a mask cannot be read.
    """
    with ThreadPoolExecutor() as pool:
        counts = pool.map(lambda index: count_ids(dataset.read_mask(index)), range(len(dataset)))
        return sum_up(counts, dataset.labels.num_classes)


def class_weights(method: str, dataset: SegmentationDataset) -> torch.Tensor | None:
    """Weights of the classes in the loss.

    Args:
        method: `none` weighs all alike. `hrnet` is the fixed table of HRNet for the 19 Cityscapes classes
            alone. The others are functions of a class's share f of all pixels of the split: `inverse` 1/f,
            `sqrt_inverse` 1/sqrt(f), `log_inverse` 1/ln(1.10 + f).
        dataset: The training split.

    Returns:
        float32 (K,), in train-id order, or None for `none`.

    Raises:
        ConfigError: If the method is unknown, or `hrnet` is asked for other classes than its own.
        DataError: If a mask cannot be read.
    """
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
    return torch.from_numpy(frequency_weights(method, class_frequencies(dataset)))


def frequency_weights(method: str, frequencies: ClassFrequencies) -> np.ndarray:
    """Weights from counts, with a mean of 1 over the classes that occur.

    A class without a pixel gets weight 0: nothing can be learnt about it, and 1/f is not defined.

    Args:
        method: `inverse`, `sqrt_inverse` or `log_inverse`.
        frequencies: Counts over the training split.

    Returns:
        float32 (K,).
    """
    present = frequencies.pixels > 0
    weights = np.zeros(len(present))
    weights[present] = _FORMULAS[method](frequencies.share[present])
    return (weights / weights[present].mean()).astype(np.float32)


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
