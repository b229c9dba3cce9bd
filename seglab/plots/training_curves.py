"""Loss and mean IoU over the epochs, one line per run."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from seglab import runs
from seglab.plots.style import SERIES, new_figure, style


def training_curves(table: pd.DataFrame) -> Figure:
    """What to see: whether the loss still falls and the score still rises where the budget ends.

    Args:
        table: From `runs.load`.
    """
    histories = {
        f"{row['name']}, {row['study']}, seed {row['seed']}": runs.read_history(row["folder"])
        for _, row in table.iterrows()
    }
    return draw_histories(histories)


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
