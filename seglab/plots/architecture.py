"""Streams and resolutions of HRNet and its relatives."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from seglab.plots.style import SERIES, new_figure, style
from seglab.results import Results

# Half the width and height of a box; steps and streams are 1 apart.
HALF_WIDTH, HALF_HEIGHT = 0.34, 0.3


# The network of the thesis and what the thesis cuts it down to.
_CUT_DOWN = ("hrnetv2_w48", "minihrnet_a1", "minihrnet_a2", "minihrnet_a3")


def architectures(results: Results) -> Figure:
    """What to see: approaches 1 and 2 are HRNet with less, approach 3 is another network."""
    table = results.streams
    return architecture({name: table[table["network"] == name] for name in _CUT_DOWN})


def architecture(networks: Mapping[str, pd.DataFrame]) -> Figure:
    """What to see: how many streams there are, how often they exchange what they know, how wide they are.

    A box is a stream's blocks, its upper number the channels, its lower one the residual blocks. Lines that
    cross are a fusion, where each stream gets the sum of all.

    Args:
        networks: By title, one row per stream and step: `step`, `name`, `stream`, `stride`, `width`,
            `blocks`, `fused`.
    """
    streams = [table["stream"].max() + 1 for table in networks.values()]
    steps = max(table["step"].max() + 1 for table in networks.values())
    with style():
        figure = new_figure(170, sum(9 * count + 11 for count in streams))
        grid = figure.subplots(len(networks), 1, squeeze=False, height_ratios=[n + 1 for n in streams])
        for axes, (title, table) in zip(grid[:, 0], networks.items(), strict=True):
            draw_architecture(axes, table)
            axes.set_title(title, loc="left")
            axes.set_xlim(-0.5, steps - 0.5)
    return figure


def draw_architecture(axes: Axes, table: pd.DataFrame) -> None:
    """Draws one network from left to right, the finest stream at the top."""
    latest: dict[int, int] = {}  # stream -> the step where its last box stands
    fused = False
    for step, boxes in table.groupby("step"):
        for row in boxes.itertuples():
            _draw_inputs(axes, step, row.stream, latest, fused or row.name == "head")
        for row in boxes.itertuples():
            latest[row.stream] = step
            _draw_box(axes, row)
        fused = bool(boxes["fused"].iloc[0])
    names = table.drop_duplicates("step")
    axes.set_xticks(names["step"], names["name"], rotation=30, ha="right", rotation_mode="anchor")
    strides = table[table["name"] != "stem"].drop_duplicates("stream")
    axes.set_yticks(-strides["stream"], [f"1/{stride}" for stride in strides["stride"]])
    axes.set_ylim(-strides["stream"].max() - 0.5, 0.5)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def _draw_inputs(axes: Axes, step: int, stream: int, latest: dict[int, int], fused: bool) -> None:
    """Lines to a box: from all streams behind a fusion, else from its own or the one that it starts from."""
    if stream not in latest:
        sources = [max(latest)] if latest else []
    else:
        sources = list(latest) if fused else [stream]
    turn = step - 1 + HALF_WIDTH  # a stream that pauses goes straight on until here
    for source in sources:
        xs = [latest[source] + HALF_WIDTH, turn, step - HALF_WIDTH]
        axes.plot(xs, [-source, -source, -stream], color="#888888", lw=0.6, zorder=1)


def _draw_box(axes: Axes, row) -> None:
    corner = (row.step - HALF_WIDTH, -row.stream - HALF_HEIGHT)
    color = SERIES[row.stream % len(SERIES)]
    size = (2 * HALF_WIDTH, 2 * HALF_HEIGHT)
    axes.add_patch(Rectangle(corner, *size, facecolor="white", edgecolor="none", zorder=2))
    axes.add_patch(Rectangle(corner, *size, facecolor=color, alpha=0.35, edgecolor="none", zorder=2))
    text = f"{row.width}\n{row.blocks} blocks" if row.blocks else f"{row.width}"
    axes.text(row.step, -row.stream, text, ha="center", va="center", fontsize=6, linespacing=0.95, zorder=3)
