"""Loss and mean IoU over the epochs, one line per run."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from seglab import comparison, runs
from seglab.plots.style import SERIES, new_figure, seeds, style
from seglab.results import MissingResults, Results

_COLUMNS = 4


def training_curves(results: Results) -> Figure:
    """What to see: whether the loss still falls and the score still rises where the budget ends.

    One panel for each experiment, every seed a line: the training loss at the left, and dashed, with points,
    the mean IoU on the validation split at the right.
    """
    table = results.runs
    if not table.empty:
        table = table[~table["study"].isin(comparison.ASIDE)]
    if table.empty:
        raise MissingResults(f"{results.root}: no finished run", "seglab study-full")
    groups = list(table.groupby(["study", "name"], sort=True))
    columns = min(_COLUMNS, len(groups))
    rows = -(-len(groups) // columns)
    with style():
        figure = new_figure(170, 34 * rows + 8)
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes in grid.flat[len(groups) :]:
            axes.set_visible(False)
        for axes, ((study, name), of_name) in zip(grid.flat, groups, strict=False):
            _draw_seeds(axes, of_name)
            axes.set_title(f"{name}\n{study}, {seeds(of_name)}", loc="left", fontsize=6.5)
        figure.supxlabel("epoch", fontsize=8)
        figure.suptitle("solid, left: training loss   dashed, right: mean IoU on validation (%)", fontsize=8)
    return figure


def _draw_seeds(axes: Axes, table: pd.DataFrame) -> None:
    score = axes.twinx()
    for folder in table["folder"]:
        history = runs.read_history(folder)
        axes.plot(history["epoch"], history["loss"], color=SERIES[0], lw=0.8)
        scored = history.dropna(subset="mean_iou")
        score.plot(scored["epoch"], 100 * scored["mean_iou"], "--.", color="#333333", lw=0.8, ms=3)
    axes.set_ylim(bottom=0)
    score.set_ylim(0, 100)
    score.grid(visible=False)
    score.spines["right"].set_visible(True)
    axes.xaxis.set_major_locator(MaxNLocator(3, integer=True))
    axes.tick_params(labelsize=6)
    score.tick_params(labelsize=6)


def draw_histories(histories: Mapping[str, pd.DataFrame]) -> Figure:
    """Draws any histories, for example that of a training in progress.

    Args:
        histories: `history.csv` as a table, by the name of its line.
    """
    with style():
        figure = new_figure(170, 62)
        loss, score = figure.subplots(1, 2)
        for color, (name, history) in zip(cycle(SERIES), histories.items(), strict=False):
            loss.plot(history["epoch"], history["loss"], color=color, label=name)
            scored = history.dropna(subset="mean_iou")
            score.plot(scored["epoch"], 100 * scored["mean_iou"], color=color, marker=".", label=name)
        loss.set(xlabel="epoch", ylabel="training loss (cross-entropy)")
        loss.set_ylim(bottom=0)
        score.set(xlabel="epoch", ylabel="mean IoU on validation (%)")
        score.set_ylim(bottom=0)
        score.legend(loc="lower right")
        for axes in (loss, score):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure
