"""Scores of semantic segmentation, all from one integer confusion matrix over a whole split.

A confusion matrix is int64 (K, K): rows are the true classes, columns the predicted ones, cells count
pixels; ignored pixels are not in it. Matrices of pictures, batches and processes add up, so the score of
a split is computed once, from the sum, as the official Cityscapes evaluation does (Cordts et al., CVPR
2016, section 4.1). A class that occurs neither in the truth nor in the prediction has no score: NaN, left
out of every mean.
"""

from __future__ import annotations

import numpy as np

from seglab.errors import DataError
from seglab.labels import IGNORE_INDEX


def confusion_matrix(prediction: np.ndarray, mask: np.ndarray, num_classes: int) -> np.ndarray:
    """Counts which class was predicted for which true class.

    Args:
        prediction: Train ids, integers of any shape, all in `0 .. num_classes-1`.
        mask: True train ids, the same shape; `IGNORE_INDEX` is not counted.
        num_classes: Number of classes K, at most 255.

    Returns:
        int64 (K, K), rows true, columns predicted.

    Raises:
        DataError: If the shapes differ, or an id is neither a class nor ignored.
    """
    if prediction.shape != mask.shape:
        raise DataError(f"prediction has shape {prediction.shape} and mask {mask.shape}; they must be equal")
    keep = mask != IGNORE_INDEX
    truth, predicted = mask[keep].astype(np.int64), prediction[keep].astype(np.int64)
    for what, ids in (("mask", truth), ("prediction", predicted)):
        if ids.size and (ids.min() < 0 or ids.max() >= num_classes):
            raise DataError(f"{what} holds ids {ids.min()}..{ids.max()}; allowed are 0..{num_classes - 1}")
    counts = np.bincount(truth * num_classes + predicted, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def iou(confusion: np.ndarray) -> np.ndarray:
    """Intersection over union of each class: TP / (TP + FP + FN).

    Args:
        confusion: int (..., K, K), rows true.

    Returns:
        float64 (..., K) in [0, 1]; NaN where a class is absent from truth and prediction.
    """
    hits = np.diagonal(confusion, axis1=-2, axis2=-1).astype(np.float64)
    union = confusion.sum(-1) + confusion.sum(-2) - hits
    return _ratio(hits, union)


def mean_iou(confusion: np.ndarray) -> float:
    """Mean of `iou` over the classes that have one; NaN if none has."""
    scores = iou(confusion)
    return float(np.nanmean(scores)) if np.isfinite(scores).any() else float("nan")


def scored_classes(confusion: np.ndarray) -> int:
    """Number of classes over which `mean_iou` averages."""
    return int(np.isfinite(iou(confusion)).sum())


def class_accuracy(confusion: np.ndarray) -> np.ndarray:
    """Share of each class's true pixels that were found (recall), float64 (..., K), NaN if it has none."""
    return _ratio(np.diagonal(confusion, axis1=-2, axis2=-1).astype(np.float64), confusion.sum(-1))


def pixel_accuracy(confusion: np.ndarray) -> float:
    """Share of all labelled pixels that were right; NaN if there are none."""
    return float(_ratio(np.float64(np.trace(confusion)), confusion.sum()))


def _ratio(part, whole) -> np.ndarray:
    return np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=np.asarray(whole) > 0)
