"""Confusion matrices as pictures."""

from __future__ import annotations

import numpy as np
import seaborn as sns
from matplotlib.figure import Figure

from seglab.plots.style import SUBJECTS, new_figure, seeds, style
from seglab.results import Results, summed_confusion


def confusions(results: Results) -> Figure:
    """What to see: at the left where each true class goes, at the right what each answer really was.

    CamVid, test; the matrices of all seeds of a network are added. The diagonal is recall at the left and
    precision at the right. A class with less than a ten-thousandth of the pixels, true or answered, has no
    shares there.
    """
    table = results.comparison
    shown = [name for name in SUBJECTS if name in set(table["name"])] or [table["name"].iloc[0]]
    with style():
        figure = new_figure(170, 88 * len(shown))
        for row, name in zip(figure.subplots(len(shown), 2, squeeze=False), shown, strict=True):
            of_name = table[table["name"] == name]
            confusion, classes = summed_confusion(of_name, "test")
            for axes, axis, unit in ((row[0], 1, "% of the true pixels"), (row[1], 0, "% of the answers")):
                percent = _percent(confusion, axis, confusion.sum() / 10_000)
                axes.imshow(percent, cmap="Blues", vmin=0, vmax=100)
                for (y, x), value in np.ndenumerate(percent):
                    if value >= 0.5:
                        color = "white" if value > 55 else "black"
                        axes.text(x, y, f"{value:.0f}", ha="center", va="center", fontsize=5.5, color=color)
                axes.set_xticks(range(len(classes)), classes, rotation=60, ha="right", rotation_mode="anchor")
                axes.set_yticks(range(len(classes)), classes if axis else [])
                axes.set_title(f"{name}, {seeds(of_name)}: {unit}", loc="left", fontsize=8)
                axes.set(xlabel="predicted", ylabel="true" if axis else "")
                axes.grid(visible=False)
    return figure


def _percent(confusion: np.ndarray, axis: int, least: float = 1) -> np.ndarray:
    """A matrix in per cent of its rows (axis 1) or columns (axis 0); NaN where these have too few pixels."""
    total = np.broadcast_to(confusion.sum(axis, keepdims=True), confusion.shape)
    return 100 * np.divide(confusion, total, out=np.full(confusion.shape, np.nan), where=total >= least)


def figure_of_mistakes(confusion: np.ndarray, classes: tuple[str, ...]) -> Figure:
    """What to see: for each true class (row), which classes its pixels are given to, in per cent.

    Args:
        confusion: int (K,K), rows true.
        classes: K names.
    """
    percent = _percent(confusion, 1)
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
