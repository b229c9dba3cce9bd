"""IoU of one network's classes against how often they occur."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from seglab.labels import LabelSpace
from seglab.plots.point_names import name_points
from seglab.plots.style import new_figure, style


def share_iou(pixels: np.ndarray, scores: np.ndarray, labels: LabelSpace) -> Figure:
    """What to see: whether rare classes score low, and which ones score less than their rarity explains.

    Args:
        pixels: (K,) labelled training pixels of each class.
        scores: float (K,), IoU in [0, 1]; a class without one is left out.
        labels: Names and colours of the classes.
    """
    share = 100 * pixels / pixels.sum()
    shown = np.flatnonzero(np.isfinite(scores) & (pixels > 0))
    with style():
        figure = new_figure(170, 85)
        axes = figure.subplots()
        colors = np.array(labels.colors)[shown] / 255
        axes.scatter(share[shown], 100 * scores[shown], c=colors, edgecolors="#333333", s=40)
        axes.set_xscale("log")
        axes.margins(x=0.1)
        axes.set(xlabel="share of the labelled training pixels (%)", ylabel="IoU (%)", ylim=(-3, 103))
        rank = spearmanr(share[shown], scores[shown]).statistic
        axes.set_title(f"rank correlation {rank:.2f} over {len(shown)} classes", loc="left")
        points = {labels.classes[k]: (share[k], 100 * scores[k]) for k in shown}
        name_points(axes, points, points, size=7)
    return figure
