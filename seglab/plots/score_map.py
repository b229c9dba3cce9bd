"""A table of shares as a map."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from seglab.plots.style import new_figure, style


def score_map(table: pd.DataFrame, label: str) -> Figure:
    """What to see: rows or columns that are dark or light as a whole, and cells that stand out of theirs.

    Args:
        table: Shares in [0, 1], NaN where there is none; the names of its index and columns label the axes.
        label: What is shown, with its unit; shares are shown in per cent.
    """
    percent = 100 * table.to_numpy(float)
    with style():
        figure = new_figure(170, 30 + 5 * len(table))
        axes = figure.subplots()
        picture = axes.imshow(percent, cmap="cividis", vmin=0, vmax=100, aspect="auto")
        for (y, x), value in np.ndenumerate(percent):
            if np.isnan(value) or value >= 0.5:
                text, color = "-" if np.isnan(value) else f"{value:.0f}", "black" if value > 55 else "white"
                color = "#777777" if np.isnan(value) else color
                axes.text(x, y, text, ha="center", va="center", fontsize=6, color=color)
        axes.set_xticks(range(table.shape[1]), map(str, table.columns), rotation=40, ha="right")
        axes.set_yticks(range(len(table)), map(str, table.index))
        axes.set(xlabel=table.columns.name or "", ylabel=table.index.name or "")
        axes.set_title(label, loc="left")
        axes.grid(visible=False)
        figure.colorbar(picture, ax=axes, pad=0.01)
    return figure
