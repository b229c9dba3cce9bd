"""How often each class occurs."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from seglab.labels import LabelSpace
from seglab.plots.style import new_figure, style


def class_shares(pixels: np.ndarray, labels: LabelSpace) -> Figure:
    """What to see: the spread between the commonest and the rarest class, on a logarithmic axis.

    Args:
        pixels: (K,) labelled pixels of each class.
        labels: Names and colours of the classes.
    """
    percent = 100 * pixels / pixels.sum()
    order = np.argsort(-percent)
    with style():
        figure = new_figure(170, 60)
        axes = figure.subplots()
        colors = np.array(labels.colors)[order] / 255
        axes.bar(range(len(percent)), percent[order], color=colors, edgecolor="#333333", lw=0.5)
        axes.set_yscale("log")
        axes.set_xticks(range(len(percent)), [labels.classes[i] for i in order], rotation=40, ha="right")
        axes.set(ylabel="share of labelled pixels (%)", xlim=(-0.6, len(percent) - 0.4))
        axes.grid(axis="x", visible=False)
        for x, i in enumerate(order):
            axes.text(x, percent[i] * 1.1, f"{percent[i]:.2g}", ha="center", fontsize=6.5)
    return figure
