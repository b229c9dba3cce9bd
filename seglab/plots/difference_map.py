"""Differences between all pairs of networks, as a map."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from seglab.plots.style import new_figure, style


def difference_map(pairs: pd.DataFrame, title: str) -> Figure:
    """What to see: pale cells are differences that chance explains; a dark block separates the rows above it.

    Args:
        pairs: From `seglab.differences`, the best network in the first rows.
        title: What the differences are of, and what the intervals cover.
    """
    order = list(dict.fromkeys([*pairs["better"], *pairs["worse"]]))
    sure = pairs["low"] > 0
    values, shade = np.full((2, len(order), len(order)), np.nan)
    for row, is_sure in zip(pairs.itertuples(), sure, strict=True):
        place = order.index(row.better), order.index(row.worse)
        values[place], shade[place] = 100 * row.value, is_sure
    with style():
        figure = new_figure(170, 30 + 6 * len(order))
        axes = figure.subplots()
        axes.imshow(shade[:-1, 1:], cmap="Blues", vmin=-0.15, vmax=1.2, aspect="auto")
        for (y, x), value in np.ndenumerate(values[:-1, 1:]):
            if not np.isnan(value):
                is_sure = shade[y, x + 1] == 1
                text, color = f"{value:.1f}" + ("*" if is_sure else ""), "white" if is_sure else "#444444"
                axes.text(x, y, text, ha="center", va="center", fontsize=6.5, color=color)
        axes.set_xticks(range(len(order) - 1), order[1:], rotation=40, ha="right")
        axes.set_yticks(range(len(order) - 1), order[:-1])
        axes.set_title(title, loc="left")
        axes.grid(visible=False)
    return figure
