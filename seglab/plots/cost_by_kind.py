"""What the kinds of layers cost: counted, moved and timed."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from seglab.plots.style import LAYER_KINDS, new_figure, style

_MEASURES = (
    ("macs", 1e9, "multiply-adds (10⁹)"),
    ("values", 1e6, "numbers moved (10⁶)"),
    ("median_ms", 1, "time (ms)"),
)


def cost_by_kind(networks: Mapping[str, pd.DataFrame]) -> Figure:
    """What to see: neither multiply-adds nor the numbers that are read and written give the time.

    Args:
        networks: By title, one row per layer: `kind`, `macs`, `values`, `median_ms`.
    """
    sums = pd.concat(
        {
            title: table.groupby("kind")[["macs", "values", "median_ms"]].sum()
            for title, table in networks.items()
        },
        names=["network"],
    )
    kinds = [kind for kind in LAYER_KINDS if kind in sums.index.get_level_values("kind")]
    with style():
        figure = new_figure(170, 11 * len(networks) + 26)
        panels = figure.subplots(1, len(_MEASURES), sharey=True)
        for axes, (column, unit, label) in zip(panels, _MEASURES, strict=True):
            costs = sums[column].unstack("kind").reindex(index=list(networks), columns=kinds).fillna(0) / unit
            start = pd.Series(0.0, costs.index)
            for kind in kinds:
                axes.barh(costs.index, costs[kind], left=start, color=LAYER_KINDS[kind], label=kind)
                start += costs[kind]
            for place, whole in enumerate(start):
                axes.text(whole, place, f" {whole:.3g}", va="center", fontsize=7)
            axes.set(xlabel=label, xlim=(0, 1.2 * start.max()))
            axes.grid(axis="y", visible=False)
        panels[0].invert_yaxis()
        handles, _ = panels[0].get_legend_handles_labels()
        titles = [kind.removesuffix(" convolution") for kind in kinds]
        figure.legend(handles, titles, loc="outside upper center", ncols=len(kinds))
    return figure
