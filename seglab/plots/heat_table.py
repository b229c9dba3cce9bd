"""A table of per cents whose cells are shaded."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from seglab.plots.style import new_figure, style


def heat_table(percent: pd.DataFrame, title: str, difference: bool = False) -> Figure:
    """What to see: dark cells; in a table of differences brown ones are losses and green ones gains.

    Args:
        percent: Per cents, or differences of per cents; NaN where there is no value.
        title: What the cells are.
        difference: Whether the cells are differences.
    """
    values = percent.to_numpy(float)
    # Differences beyond 40 points are as dark as such of 40, so that small ones can be told from none.
    darkest = 40 if difference else np.nanmax(values)
    look = dict(cmap="BrBG", vmin=-darkest) if difference else dict(cmap="Blues", vmin=0)
    with style():
        figure = new_figure(170, 26 + 4.6 * len(percent))
        axes = figure.subplots()
        axes.imshow(values, aspect="auto", vmax=darkest, **look)
        for (y, x), value in np.ndenumerate(values):
            text = "-" if np.isnan(value) else _number(value, difference)
            color = "white" if abs(value) > 0.6 * darkest else "black"
            axes.text(x, y, text, ha="center", va="center", fontsize=6, color=color)
        axes.set_xticks(range(percent.shape[1]), percent.columns, rotation=40, ha="right")
        axes.set_yticks(range(len(percent)), percent.index)
        axes.set_title(title, loc="left")
        axes.grid(visible=False)
    return figure


def _number(value: float, difference: bool) -> str:
    if difference:
        return f"{value:+.0f}"
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"
