"""IoU of a class against how often it occurs."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from seglab.plots.class_iou import class_colors
from seglab.plots.style import new_figure, style
from seglab.results import MissingResults, Results, class_scores


def iou_frequency(results: Results) -> Figure:
    """What to see: whether rare classes score low, and which classes lie off the trend.

    CamVid, test; a point is the median of the networks (each the mean over its seeds), a bar from the worst
    network to the best one; the share is that of the training pixels.
    """
    scores, classes = class_scores(results.comparison, "test")
    if "camvid" not in results.datasets:
        raise MissingResults("datasets/camvid.json is missing; `seglab data statistics camvid` makes it")
    pixels = np.array(results.datasets["camvid"]["splits"]["train"]["pixels"])
    percent, share = 100 * scores.to_numpy(), 100 * pixels / pixels.sum()
    middle = np.median(percent, 0)
    with style():
        figure = new_figure(170, 85)
        axes = figure.subplots()
        error = [middle - percent.min(0), percent.max(0) - middle]
        axes.errorbar(share, middle, yerr=error, fmt="none", ecolor="#777777", lw=0.8, zorder=1)
        axes.scatter(share, middle, c=class_colors(classes), edgecolors="#333333", s=42, zorder=2)
        for k, name in enumerate(classes):
            axes.annotate(name, (share[k], middle[k]), xytext=(6, 3), textcoords="offset points", fontsize=7)
        axes.set_xscale("log")
        axes.margins(x=0.1)
        axes.set(xlabel="share of the labelled training pixels (%)", ylabel="IoU on CamVid test (%)")
        axes.set_ylim(0, 100)
        rank = spearmanr(share, middle).statistic
        networks = f"{len(scores)} network{'s' * (len(scores) > 1)}"
        axes.set_title(f"{networks}; rank correlation {rank:.2f}", loc="left")
    return figure
