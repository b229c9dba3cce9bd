"""Where parameters and multiply-adds sit."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from seglab.plots.style import SERIES, new_figure, style
from seglab.results import Results

_SHOWN = ("hrnetv2_w48", "minihrnet_a1", "minihrnet_a2", "minihrnet_a3")


def costs_by_part(results: Results) -> Figure:
    """What to see: the parts that hold HRNet's parameters, those that do its work, and what is cut."""
    return cost_by_part({name: results.parts(name) for name in _SHOWN})


def cost_by_part(networks: Mapping[str, pd.DataFrame]) -> Figure:
    """What to see: the parts that hold the parameters are not those that do the work.

    Args:
        networks: By title, one row per part: `part`, `params`, `macs`.
    """
    parts = max(len(table) for table in networks.values())
    with style():
        rows = -(-len(networks) // 2)
        figure = new_figure(170, rows * (7 * parts + 16))
        grid = figure.subplots(rows, 2, squeeze=False)
        for axes in grid.flat[len(networks) :]:
            axes.set_visible(False)
        for axes, (title, table) in zip(grid.flat, networks.items(), strict=False):
            for offset, column, label in ((-0.2, "params", "parameters"), (0.2, "macs", "MACs")):
                percent = 100 * table[column] / table[column].sum()
                places = [index + offset for index in range(len(table))]
                color = SERIES[0] if column == "params" else SERIES[1]
                axes.barh(places, percent, height=0.38, color=color, label=label)
                for y, value in zip(places, percent, strict=True):
                    axes.text(value + 1, y, f"{value:.1f}", va="center", fontsize=6.5)
            axes.set_yticks(range(len(table)), _named(table["part"]))
            axes.set(xlim=(0, 105), ylim=(parts - 0.4, -0.6), xlabel="share of the network's own (%)")
            axes.set_title(title, loc="left")
            axes.grid(axis="y", visible=False)
        grid[0, 0].legend(loc="lower right")
    return figure


def _named(parts: pd.Series) -> pd.Series:
    """Stages as the papers count them, whose first one are the bottlenecks; a single one has no number."""
    if parts.str.startswith("stages.").sum() == 1:
        return parts.replace("stages.0", "stage")
    return parts.str.replace(r"^stages\.(\d)$", lambda found: f"stage {int(found[1]) + 2}", regex=True)
