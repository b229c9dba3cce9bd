"""IoU of each class as bars."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seglab import metrics, runs
from seglab.labels import LABEL_SPACES
from seglab.plots.style import SUBJECTS, new_figure, seeds, style
from seglab.results import Results, summed_confusion


def class_iou(results: Results) -> Figure:
    """What to see: which classes carry the mean and which ones pull it down, in the three projects' networks.

    CamVid, test; the bars are the matrices of all seeds added, the dashes the single seeds where there are
    several.
    """
    table = results.comparison
    shown = [name for name in SUBJECTS if name in set(table["name"])] or [table["name"].iloc[0]]
    with style():
        figure = new_figure(170, 62 * len(shown))
        for axes, name in zip(figure.subplots(len(shown), 1, squeeze=False)[:, 0], shown, strict=True):
            of_name = table[table["name"] == name]
            draw_class_iou(axes, *summed_confusion(of_name, "test"))
            axes.set_title(f"{name} on CamVid test, {seeds(of_name)}", loc="left")
            if len(of_name) == 1:
                continue
            matrices = np.stack([runs.read_confusion(folder, "test")[0] for folder in of_name["folder"]])
            for scores in 100 * metrics.iou(matrices):
                places = range(len(scores))
                axes.plot(places, scores, "_", color="black", ms=7, zorder=3)
                for x, text in enumerate(axes.texts[: len(scores)]):
                    text.set_y(np.nanmax([text.get_position()[1], scores[x] + 1.5]))
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
    colors = class_colors(classes)
    axes.bar(range(len(classes)), np.nan_to_num(scores), color=colors, edgecolor="#333333", lw=0.5)
    for x, value in enumerate(scores):
        text = "absent" if np.isnan(value) else f"{value:.0f}"
        axes.text(x, (0 if np.isnan(value) else value) + 1.5, text, ha="center", fontsize=6.5)
    mean = 100 * metrics.mean_iou(confusion)
    axes.axhline(mean, color="#333333", lw=1, ls="--")
    axes.text(len(classes) - 0.3, mean, f"mean\n{mean:.1f}", va="center", fontsize=7)
    axes.set_xticks(range(len(classes)), classes, rotation=40, ha="right")
    axes.set(ylabel="IoU (%)", ylim=(0, 108), xlim=(-0.6, len(classes) - 0.4))
    axes.grid(axis="x", visible=False)


def class_colors(classes: tuple[str, ...]) -> list[tuple[float, ...]]:
    """The classes' own colours, RGB in [0, 1]; grey for classes of no known label space."""
    for space in LABEL_SPACES.values():
        if space.classes == classes:
            return [tuple(channel / 255 for channel in color) for color in space.colors]
    return [(0.5, 0.5, 0.5)] * len(classes)
