"""IoU of single segments, to see what size does to it."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import label

from seglab.labels import IGNORE_INDEX
from seglab.metrics.confusion import confusion_matrix, ratio

_EIGHT = np.ones((3, 3), int)


def segment_iou(prediction: np.ndarray, mask: np.ndarray, num_classes: int) -> np.ndarray:
    """Scores every connected piece of a class in the truth.

    A true segment is compared with all predicted segments of its class that touch it. Of those, the pixels
    that lie in other true segments of the class are left out: a row of cars predicted as one piece is not
    held against each car (the adjusted IoU of Rottmann et al., IJCNN 2020, section 2). Pieces are connected
    along rows, columns and diagonals; predictions on ignored pixels are left out.

    Args:
        prediction: Integer (H, W) of train ids.
        mask: Integer (H, W) of true train ids and the ignore index.
        num_classes: K.

    Returns:
        A structured array with one record per true segment: `class` int64, `size_px` int64, `iou` float64.
    """
    confusion_matrix(prediction, mask, num_classes)  # refuses what it cannot count
    records = []
    for k in range(num_classes):
        true, number = label(mask == k, _EIGHT)
        if number == 0:
            continue
        predicted, pieces = label((prediction == k) & (mask != IGNORE_INDEX), _EIGHT)
        # pixels[t, p]: in true segment t and predicted segment p; 0 stands for none of them
        pixels = np.bincount(
            (true.astype(np.int64) * (pieces + 1) + predicted).ravel(), minlength=(number + 1) * (pieces + 1)
        ).reshape(number + 1, pieces + 1)
        size = pixels[1:].sum(1)
        hits = pixels[1:, 1:].sum(1)
        # Of the pieces that touch a segment only what lies in no true segment of the class widens the union.
        astray = (pixels[1:, 1:] > 0) @ pixels[0, 1:]
        records += zip([k] * number, size, ratio(hits, size + astray), strict=True)
    return np.array(records, dtype=[("class", np.int64), ("size_px", np.int64), ("iou", np.float64)])
