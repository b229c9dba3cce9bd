"""The same predictions scored as other systems do, to see what a published number means.

Everything is computed from the confusion matrices of the single pictures with a last row for ignored pixels,
(N, K+1, K). `CONVENTIONS` names who does what, and where that was read. Scores at a fraction of the
resolution need matrices that were counted there: `shrink` makes such predictions and masks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from seglab.metrics.confusion import class_mean, ratio


@dataclass(frozen=True)
class Convention:
    """A way to make one number of many confusion matrices.

    Args:
        unit: What is scored by itself before the scores are averaged: the whole `split`, each `batch`
            (consecutive pictures) or each `picture`.
        absent: IoU of a class that is neither in the truth nor in the prediction of a unit: `left out` of the
            mean, `0` or `1`; `untrue` leaves out every class without a true pixel, predicted or not.
        void_counts: Whether a prediction on an ignored pixel counts as a wrong one.
        average: `macro` is the mean of the classes' IoU in a unit, and then of the units; `micro` divides the
            intersections of all classes by their unions; `pairs` is the mean over all units and classes.
        batch_size: Pictures per batch.
    """

    unit: Literal["split", "batch", "picture"] = "split"
    absent: Literal["left out", "0", "1", "untrue"] = "left out"
    void_counts: bool = False
    average: Literal["macro", "micro", "pairs"] = "macro"
    batch_size: int = 8

    def score(self, images: np.ndarray) -> float:
        """Mean IoU under this convention.

        Args:
            images: int (N, K+1, K), one matrix per picture in the order of the split, the last row being what
                was predicted on ignored pixels.

        Returns:
            In [0, 1]; NaN if nothing can be scored.
        """
        size = {"split": len(images), "batch": self.batch_size, "picture": 1}[self.unit]
        units = np.add.reduceat(images, np.arange(0, len(images), size), axis=0)
        confusion, void = units[:, :-1], units[:, -1]
        hits = np.diagonal(confusion, axis1=1, axis2=2)
        true = confusion.sum(2)
        union = true + confusion.sum(1) - hits + void * self.void_counts
        if self.average == "micro":
            return class_mean(ratio(hits.sum(1), union.sum(1)))
        scores = ratio(hits, union)
        if self.absent == "untrue":
            scores[true == 0] = np.nan
        elif self.absent != "left out":
            scores[np.isnan(scores)] = float(self.absent)
        return class_mean(scores.ravel() if self.average == "pairs" else class_mean(scores))


@dataclass(frozen=True)
class Use:
    """A convention in use: how a system scores, and the file in which that was read."""

    convention: Convention
    system: str
    source: str
    resolution: int = 1


CONVENTIONS: Mapping[str, Use] = {
    "whole split, absent left out": Use(
        Convention(),
        "seglab; Cityscapes; MMSegmentation",
        "mcordts/cityscapesScripts evaluation/evalPixelLevelSemanticLabeling.py; "
        "open-mmlab/mmsegmentation mmseg/evaluation/metrics/iou_metric.py",
    ),
    "whole split, absent 0": Use(
        Convention(absent="0"),
        "Mini-HRNet; HRNet; ERFNet",
        "alraimi365/Mini-HRNet metrics/iou.py; HRNet/HRNet-Semantic-Segmentation lib/core/function.py; "
        "Eromera/erfnet_pytorch eval/iouEval.py",
    ),
    "whole split, absent 1": Use(
        Convention(absent="1"),
        "segmentation_models.pytorch, reduction macro",
        "qubvel-org/segmentation_models.pytorch segmentation_models_pytorch/metrics/functional.py",
    ),
    "whole split, only true classes": Use(Convention(absent="untrue"), "", ""),
    "whole split, micro": Use(
        Convention(average="micro"),
        "segmentation_models.pytorch, reduction micro",
        "qubvel-org/segmentation_models.pytorch segmentation_models_pytorch/metrics/functional.py",
    ),
    "whole split, void is wrong": Use(Convention(void_counts=True), "", ""),
    "whole split, quarter resolution": Use(
        Convention(),
        "Mini-UNet",
        "iswariyam/Mini-semantic-segmentation-network-pytorch metric.py, evaluate.py",
        resolution=4,
    ),
    "per picture, absent left out": Use(Convention("picture"), "", ""),
    "per picture and class": Use(
        Convention("picture", average="pairs"),
        "TorchMetrics segmentation.MeanIoU",
        "Lightning-AI/torchmetrics src/torchmetrics/segmentation/mean_iou.py",
    ),
    "per picture, absent 1": Use(
        Convention("picture", absent="1"),
        "segmentation_models.pytorch, reduction macro-imagewise",
        "qubvel-org/segmentation_models.pytorch segmentation_models_pytorch/metrics/functional.py",
    ),
    "per picture, micro": Use(
        Convention("picture", average="micro"),
        "segmentation_models.pytorch, reduction micro-imagewise",
        "qubvel-org/segmentation_models.pytorch segmentation_models_pytorch/metrics/functional.py",
    ),
    "per batch, absent 1, void is wrong": Use(
        Convention("batch", absent="1", void_counts=True),
        "SegSmall",
        "Realtic12/SegSmall utils/IoU.py, train_net.py",
    ),
}


def shrink(mask: np.ndarray, factor: int) -> np.ndarray:
    """Every `factor`-th pixel of (H, W) in both directions, from the middle of each block."""
    return mask[factor // 2 :: factor, factor // 2 :: factor]
