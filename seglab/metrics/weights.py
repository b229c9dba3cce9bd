"""Weights of the classes in a loss, from how often they occur."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

# beta of `effective_number`: 1 - 1/N if a class has N samples that differ. Of the four values that Cui et al.
# 2019, section 5, try it is the one that fits a few hundred or thousand pictures.
_BETA = 0.999

# Weight of each class from its share of all pixels, its pictures and log_offset, before normalisation.
METHODS: dict[str, Callable[[np.ndarray, np.ndarray, float], np.ndarray]] = {
    "inverse": lambda share, images, offset: 1 / share,
    "sqrt_inverse": lambda share, images, offset: 1 / np.sqrt(share),
    "log_inverse": lambda share, images, offset: 1 / np.log(offset + share),
    "median_frequency": lambda share, images, offset: _over_median(share / images),
    "effective_number": lambda share, images, offset: (1 - _BETA) / (1 - _BETA**images),
}


def frequency_weights(
    method: str, pixels: np.ndarray, images: np.ndarray, ignored: int, log_offset: float = 1.10
) -> np.ndarray:
    """Weights from counts, with a mean of 1 over the classes that occur.

    A class without a pixel gets weight 0: nothing can be learnt about it, and 1/f is not defined.

    Args:
        method: With f a class's share of all pixels, `inverse` is 1/f, `sqrt_inverse` 1/sqrt(f) and
            `log_inverse` 1/ln(log_offset + f), which is bounded. `median_frequency` is median(g)/g, g its
            share of the pixels of those pictures that hold it, which are taken to be of one size.
            `effective_number` is (1 - beta)/(1 - beta^n) with beta = 0.999 and n the pictures that hold it:
            neighbouring pixels are nearly copies of each other, and what counts are samples that differ.
        pixels: (K,) pixels of each class in the training split.
        images: (K,) pictures in which it occurs.
        ignored: Pixels that are neither trained nor scored.
        log_offset: c of `log_inverse`, above 1.

    Returns:
        float32 (K,).

    Reference: ENet (Paszke et al. 2016, arXiv 1606.02147, section 5.2) and ERFNet (Romera et al. 2018) for
        `log_inverse`; Eigen and Fergus 2015, arXiv 1411.4734, for `median_frequency`; Cui et
        al. 2019, arXiv 1901.05555, section 4, for `effective_number`.
    """
    share = pixels / max(1, pixels.sum() + ignored)
    present = pixels > 0
    weights = np.zeros(len(present))
    weights[present] = METHODS[method](share[present], images[present], log_offset)
    return (weights / weights[present].mean()).astype(np.float32)


def _over_median(frequency: np.ndarray) -> np.ndarray:
    return np.median(frequency) / frequency
