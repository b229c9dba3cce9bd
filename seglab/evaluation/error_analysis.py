"""What goes wrong on a split, and where: at borders, in small segments, in which pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from seglab import metrics
from seglab.datasets import SegmentationDataset
from seglab.evaluation.inference import Predictor
from seglab.labels import IGNORE_INDEX
from seglab.metrics.boundary import boundary_counts, trimap_confusion
from seglab.metrics.conventions import shrink
from seglab.metrics.sizes import segment_iou
from seglab.runs import ImageCounts


@dataclass(frozen=True)
class ErrorAnalysis:
    """A split, looked at closely.

    Args:
        images: The confusion matrix of each picture.
        quarter: The same at a quarter of the resolution in both directions.
        widths_px: W widths of borders.
        trimap: int64 (W,K,K), confusion within each width of a true border.
        boundary: int64 (W,2,K), intersection and union of inner borders, for `boundary_iou`.
        segments: One row per true segment: picture, class, size_px, iou.
    """

    images: ImageCounts
    quarter: ImageCounts
    widths_px: tuple[int, ...]
    trimap: np.ndarray
    boundary: np.ndarray
    segments: pd.DataFrame


def analyse_errors(
    predictor: Predictor, dataset: SegmentationDataset, widths_px: Sequence[int] = (1, 2, 4, 8, 16)
) -> ErrorAnalysis:
    """Predicts every picture of a split once and counts what goes wrong where.

    Args:
        predictor: The network.
        dataset: A split.
        widths_px: Widths of borders, in pixels of the mask.
    """
    classes = predictor.labels.num_classes
    trimap = np.zeros((len(widths_px), classes, classes), np.int64)
    boundary = np.zeros((len(widths_px), 2, classes), np.int64)
    full, quarter, segments = [], [], []
    for index, name in enumerate(dataset.names):
        image, mask = dataset.read(index)
        prediction = predictor(image)
        full.append(_counts(prediction, mask, classes))
        quarter.append(_counts(shrink(prediction, 4), shrink(mask, 4), classes))
        for i, width in enumerate(widths_px):
            trimap[i] += trimap_confusion(prediction, mask, classes, width)
            boundary[i] += boundary_counts(prediction, mask, classes, width)
        found = segment_iou(prediction, mask, classes)
        segments.append(pd.DataFrame(found).assign(picture=name))
    table = pd.concat(segments, ignore_index=True)
    table["class"] = pd.Categorical.from_codes(table["class"], predictor.labels.classes)
    names = tuple(dataset.names)
    images = (ImageCounts(names, np.stack(counts)) for counts in (full, quarter))
    return ErrorAnalysis(*images, tuple(widths_px), trimap, boundary, table)


def size_table(segments: pd.DataFrame, bins: int = 5) -> pd.DataFrame:
    """Mean IoU of segments by class and size.

    Args:
        segments: `ErrorAnalysis.segments`.
        bins: Number of size classes, of equally many segments each over all classes.

    Returns:
        One row per class and size class that occurs: `class`, `size_px` (an interval), `iou`, `segments`.
    """
    size = pd.qcut(segments["size_px"], bins, duplicates="drop")
    groups = segments.groupby(["class", size], observed=True)["iou"]
    return groups.agg(iou="mean", segments="size").reset_index()


def largest_mistake(confusion: np.ndarray, classes: Sequence[str]) -> str:
    """The commonest mistake in words, `wall as building, 12 % of the pixels`; `none` without a mistake.

    Args:
        confusion: int (K,K), rows true.
        classes: K names.
    """
    wrong = confusion * (1 - np.eye(len(classes), dtype=np.int64))
    if not wrong.any():
        return "none"
    true, predicted = np.unravel_index(wrong.argmax(), wrong.shape)
    percent = 100 * wrong.max() / confusion.sum()
    return f"{classes[true]} as {classes[predicted]}, {percent:.0f} % of the pixels"


def _counts(prediction: np.ndarray, mask: np.ndarray, classes: int) -> np.ndarray:
    """int64 (K+1,K), the last row being the ignored pixels."""
    confusion = metrics.confusion_matrix(prediction, mask, classes)
    void = np.bincount(prediction[mask == IGNORE_INDEX], minlength=classes)
    return np.concatenate([confusion, void[None]])
