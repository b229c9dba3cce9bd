"""IoU of each class as bars."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seglab import metrics, runs
from seglab.labels import LABEL_SPACES
from seglab.plots.style import new_figure, style


def class_iou(table: pd.DataFrame) -> Figure:
    """What to see: which classes carry the mean and which ones pull it down, one run below the other.

    Args:
        table: From `runs.load`. The test split is drawn where a run has it, else the validation split.
    """
    with style():
        figure = new_figure(170, 75 * len(table))
        all_axes = figure.subplots(len(table), 1, squeeze=False)[:, 0]
        for axes, (_, row) in zip(all_axes, table.iterrows(), strict=True):
            split = "test" if "test" in runs.splits(row["folder"]) else "val"
            confusion, classes = runs.read_confusion(row["folder"], split)
            draw_class_iou(axes, confusion, classes)
            axes.set_title(f"{row['name']} on {row['data']} {split}, seed {row['seed']}", loc="left")
    return figure


def figure_of_confusion(confusion: np.ndarray, classes: tuple[str, ...]) -> Figure:
    """The bars of one confusion matrix, int (K,K) with true classes as rows, as a figure of its own."""
    with style():
        figure = new_figure(170, 70)
        draw_class_iou(figure.subplots(), confusion, classes)
    return figure


def draw_class_iou(axes: Axes, confusion: np.ndarray, classes: tuple[str, ...]) -> None:
    """Draws the bars of one confusion matrix, in the classes' own colours, with the mean as a line.

    Args:
        axes: Where to draw.
        confusion: int (K,K), rows true.
        classes: K names.
    """
    scores = 100 * metrics.iou(confusion)
    axes.bar(range(len(classes)), np.nan_to_num(scores), color=_colors(classes), edgecolor="#333333", lw=0.5)
    for x, value in enumerate(scores):
        text = "absent" if np.isnan(value) else f"{value:.0f}"
        axes.text(x, (0 if np.isnan(value) else value) + 1.5, text, ha="center", fontsize=6.5)
    mean = 100 * metrics.mean_iou(confusion)
    axes.axhline(mean, color="#333333", lw=1, ls="--")
    axes.text(len(classes) - 0.3, mean, f"mean\n{mean:.1f}", va="center", fontsize=7)
    axes.set_xticks(range(len(classes)), classes, rotation=40, ha="right")
    axes.set(ylabel="IoU (%)", ylim=(0, 108), xlim=(-0.6, len(classes) - 0.4))
    axes.grid(axis="x", visible=False)


def _colors(classes: tuple[str, ...]) -> list[tuple[float, ...]]:
    for space in LABEL_SPACES.values():
        if space.classes == classes:
            return [tuple(channel / 255 for channel in color) for color in space.colors]
    return [(0.5, 0.5, 0.5)] * len(classes)
