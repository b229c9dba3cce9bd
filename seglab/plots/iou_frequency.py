"""IoU of a class against how often it occurs."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from seglab.plots.class_iou import class_colors
from seglab.plots.style import new_figure, seeds_each, style
from seglab.results import MissingResults, Results, class_scores


def iou_frequency(results: Results) -> Figure:
    """What to see: whether rare classes score low, and which classes lie off the trend.

    CamVid, test; a point is the median of the networks (each the mean over its seeds), a bar from the worst
    network to the best one; the share is that of the training pixels.
    """
    scores, classes = class_scores(results.comparison, "test")
    if "camvid" not in results.datasets:
        raise MissingResults("no datasets/camvid.json", "seglab data statistics camvid")
    pixels = np.array(results.datasets["camvid"]["splits"]["train"]["pixels"])
    percent, share = 100 * scores.to_numpy(), 100 * pixels / pixels.sum()
    middle = np.median(percent, 0)
    with style():
        figure = new_figure(170, 85)
        axes = figure.subplots()
        error = [middle - percent.min(0), percent.max(0) - middle]
        axes.errorbar(share, middle, yerr=error, fmt="none", ecolor="#777777", lw=0.8, zorder=1)
        axes.scatter(share, middle, c=class_colors(classes), edgecolors="#333333", s=42, zorder=2)
        for k, (offset, side) in enumerate(_sides(share, middle)):
            place = {"xytext": offset, "textcoords": "offset points", "ha": side}
            axes.annotate(classes[k], (share[k], middle[k]), fontsize=7, **place)
        axes.set_xscale("log")
        axes.margins(x=0.1)
        axes.set(xlabel="share of the labelled training pixels (%)", ylabel="IoU on CamVid test (%)")
        axes.set_ylim(0, 100)
        rank = spearmanr(share, middle).statistic
        networks = f"{len(scores)} network{'s' * (len(scores) > 1)}"
        behind = f"{networks}, {seeds_each(results.comparison)}"
        axes.set_title(f"{behind}: median, worst to best; rank correlation {rank:.2f}", loc="left")
    return figure


def _sides(share: np.ndarray, iou: np.ndarray) -> list[tuple[tuple[int, int], str]]:
    """Where a name stands beside its point, so that close neighbours keep out of each other's way."""
    order = np.argsort(share)
    clusters = [[order[0]]]
    for k in order[1:]:
        last = clusters[-1][-1]
        near = share[k] < 1.7 * share[last] and abs(iou[k] - iou[last]) < 8
        clusters[-1].append(k) if near else clusters.append([k])
    sides = [((6, 3), "left")] * len(share)
    for cluster in clusters:
        for k in cluster[:-1]:
            sides[k] = ((6, -9), "left")
        if len(cluster) > 1:
            sides[cluster[0]] = ((-6, 3), "right")
    return sides
