"""Scores of semantic segmentation; one definition per quantity, NumPy and SciPy only.

    confusion.py     confusion matrix -> IoU, Dice, accuracies
    intervals.py     bootstrap over pictures: how sure a score, or a difference of two, is
    conventions.py   the same predictions scored as other systems do
    boundary.py      boundary IoU, accuracy near borders
    sizes.py         IoU of every true segment, by its size
    weights.py       weights of the classes in a loss, from how often they occur
    calibration.py   is a confidence of 80 % right in 80 % of the pixels?
"""

from seglab.metrics.confusion import (
    category_confusion,
    class_accuracy,
    class_mean,
    confusion_matrix,
    dice,
    frequency_weighted_iou,
    iou,
    mean_iou,
    pair_counts,
    pixel_accuracy,
    scored_classes,
)

__all__ = [
    "category_confusion",
    "class_accuracy",
    "class_mean",
    "confusion_matrix",
    "dice",
    "frequency_weighted_iou",
    "iou",
    "mean_iou",
    "pair_counts",
    "pixel_accuracy",
    "scored_classes",
]
