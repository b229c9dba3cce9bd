"""The loss over the learning rate, as range tests found it."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seglab.lr_curve import LrCurve
from seglab.plots.style import SERIES, new_figure, style
from seglab.results import Results

# Colour and line of each rate that is pointed out.
_OWN = "the training's own"
_MARKS = {"steepest": (SERIES[1], "-"), "a tenth of the lowest": (SERIES[2], "--"), _OWN: ("black", ":")}


def lr_range(results: Results) -> Figure:
    """What to see: at which learning rate the loss falls most steeply, where it turns, and which was taken.

    A range test for each panel: single steps of a training's first phase, at rates that grow from step to
    step. The running mean trails the batches, which the marks allow for.
    """
    tests = results.lr_ranges
    with style():
        figure = new_figure(170, 66)
        panels = figure.subplots(1, len(tests), squeeze=False)[0]
        entries = {}
        for axes, (experiment, curve) in zip(panels, tests, strict=True):
            _draw(axes, curve, {**curve.marks, _OWN: experiment.plan[0].lr})
            axes.set_title(f"{experiment.name}\n{experiment.data.name}", loc="left")
            entries |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
        panels[0].set_ylabel("training loss")
        figure.legend(entries.values(), entries, loc="outside lower center", ncols=len(entries))
    return figure


def figure_of_curve(curve: LrCurve) -> Figure:
    """One range test as a figure of its own."""
    with style():
        figure = new_figure(110, 70)
        axes = figure.subplots()
        _draw(axes, curve, curve.marks)
        axes.set_ylabel("training loss")
        axes.legend()
    return figure


def _draw(axes: Axes, curve: LrCurve, marks: Mapping[str, float]) -> None:
    """Draws one range test, with rates to point out by what they are."""
    axes.plot(curve.lr, curve.loss, ".", color="#999999", markersize=3, label="loss of a batch")
    axes.plot(curve.lr, curve.smoothed, color=SERIES[0], label="running mean")
    for name, rate in marks.items():
        color, line = _MARKS[name]
        axes.axvline(rate, color=color, linestyle=line, label=name)
    # A single batch of a training that diverges would squeeze all others.
    axes.set(xscale="log", xlabel="learning rate", ylim=(0, 1.15 * curve.smoothed.max()))
