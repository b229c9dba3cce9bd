"""Scores against what they cost."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from seglab.plots.point_names import name_points
from seglab.plots.style import look, new_figure, seeds_each, style
from seglab.results import MissingResults, Results

# How the markers of a family are filled; white and not empty, which would show the bar inside.
_FILLS: list[dict[str, str]] = [{}, {"mfc": "white"}, {"fillstyle": "left"}, {"fillstyle": "bottom"}]


def iou_vs_cost(results: Results) -> Figure:
    """What to see: which networks no other one beats at their price, and whether that depends on the price.

    CamVid, test; a point is the mean over the seeds, a bar from the worst to the best one; the line joins the
    Pareto front of the networks that start from chance, since the cost of pretrained weights was not counted.
    The panel of times is drawn where times were measured.
    """
    table = cost_and_score(results)
    fills = _fills(table)
    panels = {"params": (1e6, "million parameters"), "macs": (1e9, "GMACs per picture")}
    if "median_ms" in table:
        panels["median_ms"] = (1, "ms per picture on a processor")
    with style():
        figure = new_figure(170, 95)
        all_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, (column, (unit, label)) in zip(all_axes, panels.items(), strict=True):
            _draw_panel(axes, table.dropna(subset=column), column, unit, fills)
            axes.set_xlabel(label)
        all_axes[0].set_ylabel("mean IoU on CamVid test (%)")
        all_axes[0].set_title(seeds_each(results.comparison), loc="left")
        handles, labels = all_axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4)
        for axes, (column, (unit, _)) in zip(all_axes, panels.items(), strict=True):
            shown = table.dropna(subset=column)
            points = {_short(name): (row[column] / unit, row["mean"]) for name, row in shown.iterrows()}
            front = _front(shown, column)
            line = [points[_short(name)] for name in front]
            name_points(axes, points, map(_short, [*front, *shown.index[shown["pretrained"]]]), line)
    return figure


def cost_and_score(results: Results) -> pd.DataFrame:
    """One row per network: `mean`, `min`, `max` in per cent, `params`, `macs`, `pretrained`.

    And `median_ms`, if times were measured.
    """
    groups = results.comparison.groupby("name", sort=False)
    table = 100 * groups["scores.test.mean_iou"].agg(["mean", "min", "max"])
    table = table.assign(params=groups["cost.params"].first(), macs=groups["cost.macs"].first())
    table = table.assign(pretrained=groups["pretrained"].first())
    try:
        table = table.join(results.latency.set_index("model")["median_ms"])
    except MissingResults:
        return table
    return table


def pareto_front(cost: pd.Series, score: pd.Series) -> list:
    """The index labels of the networks that no other one beats in both, cheapest first."""
    front, best = [], float("-inf")
    for name in pd.DataFrame({"cost": cost, "score": -score}).sort_values(["cost", "score"]).index:
        if score[name] > best:
            front.append(name)
            best = score[name]
    return front


def _front(table: pd.DataFrame, column: str) -> list:
    fair = table[~table["pretrained"]]
    return pareto_front(fair[column], fair["mean"])


def _short(name: str) -> str:
    return name.removeprefix("hrnetv2_")


def _fills(table: pd.DataFrame) -> dict[str, dict[str, str]]:
    """How the markers are filled, by network: this tells the members of a family apart."""
    family: dict[str, int] = {}
    fills = {}
    for name in table.index:
        color, _ = look(name)
        nth = family[color] = family.get(color, -1) + 1
        fills[name] = _FILLS[nth % len(_FILLS)]
    return fills


def _draw_panel(
    axes: Axes, table: pd.DataFrame, column: str, unit: float, fills: Mapping[str, dict[str, str]]
) -> None:
    cost, front = table[column] / unit, _front(table, column)
    axes.plot(cost[front], table.loc[front, "mean"], color="#999999", lw=1, zorder=1)
    for name, row in table.iterrows():
        color, marker = look(name)
        error = [[row["mean"] - row["min"]], [row["max"] - row["mean"]]]
        axes.errorbar(
            cost[name], row["mean"], yerr=error, fmt=marker, color=color, ms=6, lw=0.8, label=name,
            markerfacecoloralt="white", **fills[name],
        )
    axes.set_xscale("log")
    axes.margins(x=0.2, y=0.12)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
