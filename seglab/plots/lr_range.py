"""The loss over the learning rate, as a range test found it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from seglab.plots.style import SERIES, new_figure, style


def draw_lr_range(
    lr: Sequence[float], loss: Sequence[float], smoothed: Sequence[float], marks: Mapping[str, float]
) -> Figure:
    """What to see: where the loss begins to fall, falls most steeply, and turns.

    Args:
        lr: The rate of each step.
        loss: The loss of each step.
        smoothed: Its running mean.
        marks: Rates to point out, by what they are.
    """
    with style():
        figure = new_figure(110, 70)
        axes = figure.subplots()
        axes.plot(lr, loss, ".", color="#999999", markersize=3, label="loss of a batch")
        axes.plot(lr, smoothed, color=SERIES[0], label="running mean")
        for color, line, (name, rate) in zip(SERIES[1:], ("-", "--", ":"), marks.items(), strict=False):
            axes.axvline(rate, color=color, linestyle=line, label=f"{name}: {rate:.1e}")
        axes.set(xscale="log", xlabel="learning rate", ylabel="training loss")
        axes.legend()
    return figure
