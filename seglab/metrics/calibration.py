"""Whether confidences can be believed: of the pixels predicted with 80 %, are 80 % right?

The confidence of a pixel is the largest softmax probability. It is compared with how often the prediction is
right in bins of equal width (Guo et al., ICML 2017, section 2); a class is judged on the pixels that were
predicted as it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from seglab.errors import DataError
from seglab.metrics.confusion import ratio

BINS = 15  # as Guo et al.


@dataclass(frozen=True)
class Reliability:
    """Predictions of labelled pixels by predicted class and confidence; bin b is [b/M, (b+1)/M).

    Args:
        pixels: int64 (K, M), how many.
        right: int64 (K, M), how many of them were right.
        confidence: float64 (K, M), sum of their confidences.
    """

    pixels: np.ndarray
    right: np.ndarray
    confidence: np.ndarray

    def all_classes(self) -> Reliability:
        """The same over all classes together, arrays (1, M)."""
        return Reliability(*(a.sum(0, keepdims=True) for a in (self.pixels, self.right, self.confidence)))

    @property
    def accuracy(self) -> np.ndarray:
        """Share that was right, float64 (K, M); NaN in empty bins."""
        return ratio(self.right, self.pixels)


def class_calibration_error(reliability: Reliability) -> np.ndarray:
    """Expected calibration error of the pixels predicted as each class, float64 (K,) in [0, 1], NaN if none.

    It is the mean over these pixels of |share that was right - mean confidence| of their bin.
    """
    gap = np.abs(reliability.right - reliability.confidence)
    return ratio(gap.sum(1), reliability.pixels.sum(1))


def calibration_error(reliability: Reliability) -> float:
    """Expected calibration error over all pixels, whatever class was predicted (Guo et al. 2017, eq. 3)."""
    return float(class_calibration_error(reliability.all_classes())[0])


def fit_temperature(logits: np.ndarray, truth: np.ndarray) -> float:
    """The temperature T that makes `softmax(logits / T)` most probable (Guo et al. 2017, section 4.2).

    Predictions stay as they are: only confidences change. T above 1 says that the network is too sure.

    Args:
        logits: float (P, K), one row per labelled pixel.
        truth: int (P,) of train ids.

    Returns:
        T in [0.05, 20].

    Raises:
        DataError: If there is no pixel.
    """
    if len(truth) == 0:
        raise DataError("there is no labelled pixel to fit a temperature to")

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood(logits, truth, np.exp(log_temperature))

    bounds = np.log(0.05), np.log(20.0)
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))


def negative_log_likelihood(logits: np.ndarray, truth: np.ndarray, temperature: float = 1.0) -> float:
    """Mean of -log softmax(logits / temperature) of the true class; arguments as of `fit_temperature`."""
    scaled = logits.astype(np.float64) / temperature
    return float(np.mean(logsumexp(scaled, axis=1) - scaled[np.arange(len(truth)), truth]))
