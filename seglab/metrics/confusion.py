"""Scores of semantic segmentation, all from one integer confusion matrix over a whole split.

A confusion matrix is int64 (K, K): rows are the true classes, columns the predicted ones, cells count
pixels; ignored pixels are not in it. Matrices of pictures, batches and processes add up, so the score of
a split is computed once, from the sum, as the official Cityscapes evaluation does (Cordts et al., CVPR
2016, section 4.1). A class that occurs neither in the truth nor in the prediction has no score: NaN, left
out of every mean. Every score takes a stack of matrices (..., K, K) too.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seglab.errors import DataError
from seglab.labels import IGNORE_INDEX


def confusion_matrix(prediction: np.ndarray, mask: np.ndarray, num_classes: int) -> np.ndarray:
    """Counts which class was predicted for which true class.

    Args:
        prediction: Train ids, integers of any shape, in `0 .. num_classes-1` where the mask is not ignored.
        mask: True train ids, the same shape; `IGNORE_INDEX` is not counted.
        num_classes: Number of classes K, at most 255.

    Returns:
        int64 (K, K), rows true, columns predicted.

    Raises:
        DataError: If the shapes differ, the ids are no integers, or one is neither a class nor ignored.
    """
    if prediction.shape != mask.shape:
        raise DataError(f"prediction has shape {prediction.shape} and mask {mask.shape}; they must be equal")
    pairs = pair_counts(_as_bytes("prediction", prediction), _as_bytes("mask", mask))
    labelled = np.delete(pairs, IGNORE_INDEX, axis=0)
    for what, ids in (("mask", labelled.any(1)), ("prediction", labelled.any(0))):
        if ids[num_classes:].any():
            strange = num_classes + np.flatnonzero(ids[num_classes:])
            raise DataError(
                f"{what} holds ids {strange[0]}..{strange[-1]}; allowed are 0..{num_classes - 1}"
                + (f" and {IGNORE_INDEX}" if what == "mask" else "")
            )
    return pairs[:num_classes, :num_classes]


def pair_counts(prediction: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Counts every pair of ids, int64 (256, 256) by true and predicted id, of uint8 arrays of one shape.

    The two bytes of a pixel make one 16-bit key. That is several times faster than to select the labelled
    pixels first, and ids out of range are counted as well, so that nobody has to look for them beforehand.
    """
    keys = mask.astype(np.uint16)
    keys <<= 8
    keys |= prediction
    return np.bincount(keys.ravel(), minlength=2**16).reshape(256, 256)


def _as_bytes(what: str, ids: np.ndarray) -> np.ndarray:
    if ids.dtype.kind not in "iu":
        raise DataError(f"{what} is {ids.dtype}; allowed are integers, the ids of classes")
    if ids.dtype != np.uint8 and ids.size and (ids.min() < 0 or ids.max() > IGNORE_INDEX):
        raise DataError(f"{what} holds ids {ids.min()}..{ids.max()}; allowed are 0..{IGNORE_INDEX}")
    return ids.astype(np.uint8, copy=False)


def iou(confusion: np.ndarray) -> np.ndarray:
    """Intersection over union of each class: TP / (TP + FP + FN).

    Args:
        confusion: int (..., K, K), rows true.

    Returns:
        float64 (..., K) in [0, 1]; NaN where a class is absent from truth and prediction.
    """
    hits = _hits(confusion)
    return ratio(hits, confusion.sum(-1) + confusion.sum(-2) - hits)


def mean_iou(confusion: np.ndarray) -> float | np.ndarray:
    """Mean of `iou` over the classes that have one, as `class_mean` returns it."""
    return class_mean(iou(confusion))


def scored_classes(confusion: np.ndarray) -> int:
    """Number of classes over which `mean_iou` averages."""
    return int(np.isfinite(iou(confusion)).sum())


def dice(confusion: np.ndarray) -> np.ndarray:
    """Dice coefficient or F1 of each class, 2 TP / (2 TP + FP + FN); shape and NaN as of `iou`."""
    return ratio(2 * _hits(confusion), confusion.sum(-1) + confusion.sum(-2))


def class_accuracy(confusion: np.ndarray) -> np.ndarray:
    """Share of each class's true pixels that were found (recall), float64 (..., K), NaN if it has none."""
    return ratio(_hits(confusion), confusion.sum(-1))


def pixel_accuracy(confusion: np.ndarray) -> float | np.ndarray:
    """Share of all labelled pixels that were right; NaN if there are none; a float, or float64 (...)."""
    return _plain(ratio(_hits(confusion).sum(-1), confusion.sum((-2, -1))))


def frequency_weighted_iou(confusion: np.ndarray) -> float | np.ndarray:
    """Mean of `iou` weighted by the true pixels of each class (Long et al., CVPR 2015, section 5)."""
    true = confusion.sum(-1)
    return _plain(ratio((true * np.nan_to_num(iou(confusion))).sum(-1), true.sum(-1)))


def category_confusion(confusion: np.ndarray, categories: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """Joins classes to categories; `iou` of the result is the category IoU of the Cityscapes evaluation.

    Args:
        confusion: int (..., K, K).
        categories: K names, as in `LabelSpace.categories`.

    Returns:
        int (..., C, C), and the C names in the order of their first class.
    """
    names = list(dict.fromkeys(categories))
    member = np.array([[category == name for name in names] for category in categories], np.int64)
    return member.T @ confusion @ member, names


def class_mean(scores: np.ndarray) -> float | np.ndarray:
    """Mean over the classes that have a score.

    Args:
        scores: float (..., K), NaN where a class has none.

    Returns:
        A float for (K,), else float64 (...); NaN where no class has a score.
    """
    scored = np.isfinite(scores)
    return _plain(ratio(np.where(scored, scores, 0.0).sum(-1), scored.sum(-1)))


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Divides, with NaN where there is nothing to divide by."""
    part, whole = np.asarray(part, np.float64), np.asarray(whole)
    return np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole > 0)


def _hits(confusion: np.ndarray) -> np.ndarray:
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def _plain(values: np.ndarray) -> float | np.ndarray:
    return float(values) if values.ndim == 0 else values
