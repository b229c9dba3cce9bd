"""Confusion matrices as pictures."""

from __future__ import annotations

import numpy as np
import seaborn as sns
from matplotlib.figure import Figure

from seglab.plots.style import new_figure, style


def figure_of_mistakes(confusion: np.ndarray, classes: tuple[str, ...]) -> Figure:
    """What to see: for each true class (row), which classes its pixels are given to, in per cent.

    Args:
        confusion: int (K,K), rows true.
        classes: K names.
    """
    total = confusion.sum(1, keepdims=True)
    percent = 100 * np.divide(confusion, total, out=np.full(confusion.shape, np.nan), where=total > 0)
    text = np.where(percent >= 0.5, np.char.mod("%.0f", np.nan_to_num(percent)), "")
    with style():
        figure = new_figure(150, 125)
        axes = figure.subplots()
        sns.heatmap(
            percent, ax=axes, cmap="Blues", vmin=0, vmax=100, square=True, annot=text, fmt="",
            annot_kws={"size": 5.5}, xticklabels=classes, yticklabels=classes,
            cbar_kws={"label": "share of the true class's pixels (%)", "shrink": 0.7},
        )
        axes.set(xlabel="predicted", ylabel="true")
        axes.tick_params(axis="x", rotation=60)
    return figure
