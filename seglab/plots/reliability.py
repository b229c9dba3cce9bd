"""Confidence against accuracy."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from seglab.metrics.calibration import Reliability, calibration_error
from seglab.metrics.confusion import ratio
from seglab.plots.style import SERIES, new_figure, style


def reliability_diagram(measured: Mapping[str, Reliability]) -> Figure:
    """What to see: below the diagonal a network is surer than it should be, above it less sure.

    Args:
        measured: What was counted, by the name it is to have in the legend. All classes are drawn together,
            at the mean confidence of each bin; below is the share of the pixels in it.
    """
    with style():
        figure = new_figure(95, 110)
        curve, histogram = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
        curve.plot([0, 1], [0, 1], color="#333333", lw=0.8, ls="--")
        for color, (name, reliability) in zip(SERIES, measured.items(), strict=False):
            whole = reliability.all_classes()
            confidence = ratio(whole.confidence, whole.pixels)[0]
            label = f"{name} (ECE {100 * calibration_error(reliability):.1f} %)"
            curve.plot(confidence, whole.accuracy[0], "o-", color=color, ms=3, label=label)
            edges = np.linspace(0, 1, whole.pixels.shape[1] + 1)
            histogram.stairs(100 * whole.pixels[0] / whole.pixels.sum(), edges, color=color)
        curve.set(ylabel="share that is right", xlim=(0, 1), ylim=(0, 1))
        curve.legend(loc="upper left")
        histogram.set(xlabel="confidence", ylabel="pixels (%)", yscale="log")
    return figure
