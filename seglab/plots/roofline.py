"""How fast convolutions compute, by how much there is to compute for each number that they move."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from seglab.plots.style import LAYER_KINDS, look, new_figure, style


def roofline(networks: Mapping[str, pd.DataFrame]) -> Figure:
    """What to see: with little to compute for each number the roof is low, and not all layers reach it.

    The roof is what the best of these layers reach: their highest speed, and on its slope their highest rate
    of numbers read and written. Areas are shares of the time that all layers shown take.

    Args:
        networks: By name, one row per layer: `kind`, `macs`, `values`, `median_ms`. Convolutions are shown.
    """
    layers = pd.concat(dict(networks), names=["network"]).reset_index("network")
    layers = layers[layers["kind"].str.contains("convolution") & (layers["median_ms"] > 0)]
    intensity = layers["macs"] / layers["values"]
    speed = layers["macs"] / 1e6 / layers["median_ms"]
    area = 900 * layers["median_ms"] / layers["median_ms"].sum()
    kinds = [kind for kind in LAYER_KINDS if kind in set(layers["kind"])]
    with style():
        figure = new_figure(170, 84)
        axes = figure.subplots()
        for network, kind in layers[["network", "kind"]].drop_duplicates().itertuples(index=False):
            shown = (layers["network"] == network) & (layers["kind"] == kind)
            points = dict(marker=look(network)[1], color=LAYER_KINDS[kind], alpha=0.6, linewidths=0)
            axes.scatter(intensity[shown], speed[shown], s=10 + area[shown], **points)
        axes.set(xscale="log", yscale="log")
        axes.set(xlabel="multiply-adds per number read or written", ylabel="10⁹ multiply-adds per second")
        ridge = speed.max() / (speed / intensity).max()
        ends = [axes.get_xlim()[0], ridge, axes.get_xlim()[1]]
        roof = [min(1, x / ridge) * speed.max() for x in ends]
        axes.plot(ends, roof, "--", color="#333333", lw=1, scalex=False)
        handles = [Line2D([], [], ls="", marker="s", color=LAYER_KINDS[kind], label=kind) for kind in kinds]
        handles += [
            Line2D([], [], ls="", marker=look(name)[1], color="#333333", label=name) for name in networks
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure
