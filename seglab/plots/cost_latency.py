"""Counted cost beside measured time."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from seglab.plots.style import SERIES, new_figure, style


def cost_latency(table: pd.DataFrame) -> Figure:
    """What to see: the order by time is not the order by count, since not all multiply-adds are equally fast.

    Args:
        table: One row per network: `model`, `macs`, `median_ms`, `p95_ms`.
    """
    table = table.sort_values("macs", ascending=False)
    places = range(len(table))
    with style():
        figure = new_figure(170, 7 * len(table) + 14)
        counted, measured, speed = figure.subplots(1, 3, sharey=True)
        counted.barh(places, table["macs"] / 1e9, color=SERIES[1])
        measured.barh(places, table["median_ms"], color=SERIES[0])
        measured.plot(table["p95_ms"], places, "|", color="#333333", ms=9)
        speed.barh(places, table["macs"] / 1e6 / table["median_ms"], color=SERIES[2])
        counted.set_yticks(places, table["model"])
        for axes, label in (
            (counted, "GMACs"),
            (measured, "median time (ms); | 95th percentile"),
            (speed, "GMACs per second"),
        ):
            axes.set_xlabel(label)
            axes.grid(axis="y", visible=False)
    return figure
