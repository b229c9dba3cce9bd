"""How good the borders are: boundary IoU, and confusion near the true borders.

Distances are counted in pixels as a king moves in chess, along rows, columns and diagonals alike.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter

from seglab.labels import IGNORE_INDEX
from seglab.metrics.confusion import confusion_matrix, ratio


def boundary_counts(prediction: np.ndarray, mask: np.ndarray, num_classes: int, width_px: int) -> np.ndarray:
    """Intersection and union of each class's inner border, predicted and true (Cheng et al., CVPR 2021).

    The inner border of a class are its pixels within `width_px` of a pixel that is not of it; the world
    outside the picture is not of it, as in the paper's own code. Ignored pixels are taken out of the
    prediction, too, so both have the same border along them.

    Args:
        prediction: Integer (H, W) of train ids.
        mask: Integer (H, W) of true train ids and the ignore index.
        num_classes: K.
        width_px: Width of the border, 1 or more. The paper takes 2 % of the picture's diagonal for COCO.

    Returns:
        int64 (2, K): pixels in the intersection, and in the union. They add up over pictures.

    Raises:
        DataError: As `confusion_matrix` does.
    """
    confusion_matrix(prediction, mask, num_classes)  # refuses what it cannot count
    predicted = np.where(mask == IGNORE_INDEX, IGNORE_INDEX, prediction)
    true_border, predicted_border = (inner_border(ids, width_px) for ids in (mask, predicted))
    both = (true_border & predicted_border)[mask == predicted]

    def count(ids: np.ndarray) -> np.ndarray:
        return np.bincount(ids, minlength=256)[:num_classes]

    shared = count(mask[mask == predicted][both])
    return np.stack([shared, count(mask[true_border]) + count(predicted[predicted_border]) - shared])


def boundary_iou(counts: np.ndarray) -> np.ndarray:
    """Boundary IoU of each class, float64 (K,), NaN if it has no border, from summed `boundary_counts`."""
    return ratio(counts[0], counts[1])


def inner_border(ids: np.ndarray, width_px: int) -> np.ndarray:
    """Pixels within `width_px` of another id or of the outside, bool (H, W)."""
    ids = ids.astype(np.int16)
    window = {"size": 2 * width_px + 1, "mode": "constant", "cval": -1}
    return (minimum_filter(ids, **window) != ids) | (maximum_filter(ids, **window) != ids)


def trimap_confusion(
    prediction: np.ndarray, mask: np.ndarray, num_classes: int, width_px: int
) -> np.ndarray:
    """The confusion matrix near the borders of the truth (Kohli et al., IJCV 2009, section 5).

    Args:
        prediction: Integer (H, W) of train ids.
        mask: Integer (H, W) of true train ids and the ignore index.
        num_classes: K.
        width_px: A pixel counts if two classes occur within so many pixels around it. Ignored pixels are no
            class: what borders on them alone does not count.

    Returns:
        int64 (K, K), rows true. `pixel_accuracy` of it is the trimap accuracy, `class_accuracy` and `iou`
        are those of each class.
    """
    window = {"size": 2 * width_px + 1, "mode": "nearest"}
    ids = mask.astype(np.int16)
    lowest = minimum_filter(ids, **window)  # the ignore index is above all classes
    highest = maximum_filter(np.where(ids == IGNORE_INDEX, np.int16(-1), ids), **window)
    return confusion_matrix(prediction, np.where(lowest < highest, mask, IGNORE_INDEX), num_classes)
