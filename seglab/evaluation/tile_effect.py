"""What a network answers differently when it sees a picture in pieces."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from seglab import metrics
from seglab.datasets import SegmentationDataset
from seglab.errors import ConfigError
from seglab.evaluation.inference import PLAIN, InferenceConfig, Predictor, tile_starts
from seglab.labels import IGNORE_INDEX
from seglab.metrics.confusion import ratio


@dataclass(frozen=True)
class TileEffect:
    """The same pictures asked whole and in tiles that do not overlap.

    Args:
        whole: int64 (N,K,K), the confusion matrix of each picture shown whole.
        tiled: The same in tiles.
        pixels: int64 (D,), labelled pixels by their distance to the nearest seam between tiles, from 0.
        changed: int64 (D,), how many of them are answered differently.
    """

    whole: np.ndarray
    tiled: np.ndarray
    pixels: np.ndarray
    changed: np.ndarray

    @property
    def share(self) -> float:
        """Share of all labelled pixels whose answer changes."""
        return float(ratio(self.changed.sum(), self.pixels.sum()))


def measure_tile_effect(
    predictor: Predictor, dataset: SegmentationDataset, tile: tuple[int, int]
) -> TileEffect:
    """Predicts every picture of a split whole and in tiles side by side.

    Args:
        predictor: The network.
        dataset: A split whose pictures have one size.
        tile: Height and width of a tile in pixels, which divide those of the pictures; smaller in one of the
            two.

    Raises:
        ConfigError: If they do not divide them, so that tiles would overlap.
    """
    whole = replace(predictor, inference=PLAIN)
    tiled = replace(predictor, inference=InferenceConfig(tile=tile, overlap=0.0))
    size = dataset.read(0)[1].shape
    if any(length % min(side, length) for length, side in zip(size, tile, strict=True)):
        raise ConfigError(
            f"tile: got {tile[0]} x {tile[1]}; allowed are a height and a width that divide those of the "
            f"pictures, {size[0]} x {size[1]}: other tiles overlap"
        )
    distance = _distance_to_seam(size, tile)
    pixels, changed = np.zeros((2, distance.max() + 1), np.int64)
    confusions: tuple[list, list] = [], []
    for index in range(len(dataset)):
        image, mask = dataset.read(index)
        answers = whole(image), tiled(image)
        for matrices, answer in zip(confusions, answers, strict=True):
            matrices.append(metrics.confusion_matrix(answer, mask, predictor.labels.num_classes))
        labelled = mask != IGNORE_INDEX
        pixels += np.bincount(distance[labelled], minlength=len(pixels))
        differs = labelled & (answers[0] != answers[1])
        changed += np.bincount(distance[differs], minlength=len(pixels))
    return TileEffect(*map(np.stack, confusions), pixels, changed)


def _distance_to_seam(size: tuple[int, int], tile: tuple[int, int]) -> np.ndarray:
    """Pixels between each pixel and the nearest seam, along rows or columns, int64 (H,W); 0 beside it."""
    height, width = size
    nearest = np.full(size, max(size))
    for start in tile_starts(height, tile[0], 0.0)[1:]:
        rows = np.arange(height) - start
        nearest = np.minimum(nearest, np.where(rows < 0, -rows - 1, rows)[:, None])
    for start in tile_starts(width, tile[1], 0.0)[1:]:
        columns = np.arange(width) - start
        nearest = np.minimum(nearest, np.where(columns < 0, -columns - 1, columns)[None, :])
    return nearest
