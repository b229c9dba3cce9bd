"""Scores of classes, or differences of scores, with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from seglab.metrics.intervals import Interval
from seglab.plots.style import SERIES, new_figure, style

_MARKERS = "osD^vP"


def class_intervals(series: Mapping[str, Interval], names: Sequence[str], ylabel: str) -> Figure:
    """What to see: which values are sure. For differences: whose bar leaves out the line at 0.

    Args:
        series: Values and ends, each (K,) in [0, 1] or their differences, by their name in the legend.
        names: K names, of classes or of means.
        ylabel: What is drawn, with its unit; values are drawn times 100.
    """
    with style():
        figure = new_figure(170, 80)
        axes = figure.subplots()
        step = 0.7 / len(series)
        for nth, (label, interval) in enumerate(series.items()):
            parts = interval.value, interval.low, interval.high
            value, low, high = (100 * np.asarray(part) for part in parts)
            places = np.arange(len(names)) + (nth - (len(series) - 1) / 2) * step
            # an end can lie on the wrong side of the value by a rounding
            ends = np.maximum([value - low, high - value], 0)
            axes.errorbar(
                places, value, yerr=ends, fmt=_MARKERS[nth % len(_MARKERS)], ms=4, lw=1.2, capsize=2,
                color=SERIES[nth % len(SERIES)], label=label,
            )
            if len(series) == 1:
                axes.bar(places, np.nan_to_num(value), color="#dddddd")
        axes.axhline(0, color="#333333", lw=0.8)
        axes.set_xticks(range(len(names)), names, rotation=40, ha="right")
        axes.set(ylabel=ylabel, xlim=(-0.6, len(names) - 0.4))
        axes.grid(axis="x", visible=False)
        if len(series) > 1:
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(series))
    return figure
