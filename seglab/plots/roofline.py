"""How fast convolutions compute, by how much there is to compute for each number that they move."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from seglab.plots.style import LAYER_KINDS, look, new_figure, style


def roofline(networks: Mapping[str, pd.DataFrame]) -> Figure:
    """What to see: under the slope memory is the limit, under the flat part arithmetic; few layers get there.

    The roof is what the best of these layers reach: their highest speed, and on its slope their highest rate
    of numbers read and written. Areas grow with the time.

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
            axes.scatter(
                intensity[shown], speed[shown], s=12 + area[shown], marker=look(network)[1],
                color=LAYER_KINDS[kind], edgecolors="white", linewidths=0.3,
            )
        axes.set(xscale="log", yscale="log")
        axes.set(xlabel="arithmetic intensity (multiply-adds per number read or written)")
        axes.set_ylabel("10⁹ multiply-adds per second")
        ridge = speed.max() / (speed / intensity).max()
        ends = [axes.get_xlim()[0], ridge, axes.get_xlim()[1]]
        roof = [min(1, x / ridge) * speed.max() for x in ends]
        axes.plot(ends, roof, "--", color="#333333", lw=1, scalex=False)
        marks = [("s", LAYER_KINDS[kind], kind.removesuffix(" convolution")) for kind in kinds]
        marks += [(look(name)[1], "#333333", name) for name in networks]
        handles = [Line2D([], [], ls="", marker=m, color=color, label=label) for m, color, label in marks]
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure
