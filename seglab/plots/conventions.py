"""One prediction, many mean IoUs: what the convention makes of it."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from seglab import runs
from seglab.metrics.conventions import CONVENTIONS
from seglab.plots.style import SERIES, new_figure, style


def conventions(table: pd.DataFrame, split: str = "test") -> Figure:
    """What to see: the same predictions are worth many per cent more or less, depending on who counts.

    Args:
        table: From `runs.load`; drawn are the runs with confusion matrices of single pictures of the split.
        split: Which split.
    """
    uses = {name: use for name, use in CONVENTIONS.items() if use.resolution == 1}
    with style():
        figure = new_figure(170, 20 + 6.5 * len(uses))
        axes = figure.subplots()
        for number, (_, row) in enumerate(_scored(table, split).iterrows()):
            counts = runs.read_images(row["folder"], split).counts
            scores = [100 * use.convention.score(counts) for use in uses.values()]
            color = SERIES[number % len(SERIES)]
            label = f"{row['name']} on {row['data']}, seed {row['seed']}"
            axes.plot(scores, range(len(uses)), "o", color=color, ms=5, label=label)
            axes.axvline(scores[0], color=color, lw=0.8, ls=":")
        labels = [f"{name}\n({use.system})" if use.system else name for name, use in uses.items()]
        axes.set_yticks(range(len(uses)), labels, fontsize=6.5)
        axes.invert_yaxis()
        axes.set(xlabel=f"mean IoU of the same predictions of the {split} split (%)")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0))
    return figure


def _scored(table: pd.DataFrame, split: str) -> pd.DataFrame:
    return table[[runs.has_images(folder, split) for folder in table["folder"]]]
