"""How parameters and multiply-adds grow with a choice."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from seglab.plots.style import SERIES, new_figure, style


def cost_growth(table: pd.DataFrame) -> Figure:
    """What to see: which choices make a network larger, which ones only slower.

    Args:
        table: One row per network: `choice` (one panel for each), `value`, `params`, `macs`.
    """
    choices = list(table["choice"].unique())
    with style():
        figure = new_figure(170, 62)
        panels = figure.subplots(1, len(choices), squeeze=False)[0]
        for axes, choice in zip(panels, choices, strict=True):
            rows = table[table["choice"] == choice]
            macs_axes = axes.twinx()
            lines = [
                *axes.plot(rows["value"], rows["params"] / 1e6, "o-", color=SERIES[0], label="parameters"),
                *macs_axes.plot(rows["value"], rows["macs"] / 1e9, "s--", color=SERIES[1], label="MACs"),
            ]
            axes.set(xlabel=choice, xticks=rows["value"], ylim=(0, 1.1 * table["params"].max() / 1e6))
            macs_axes.set_ylim(0, 1.1 * table["macs"].max() / 1e9)
            macs_axes.grid(visible=False)
            axes.tick_params(axis="y", labelleft=axes is panels[0])
            macs_axes.tick_params(axis="y", labelright=axes is panels[-1])
        panels[0].set_ylabel("parameters (millions)")
        macs_axes.set_ylabel("GMACs")
        panels[0].legend(handles=lines, loc="upper left")
    return figure
