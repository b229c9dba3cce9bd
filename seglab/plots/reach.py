"""How strongly an answer depends on the pixels around it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from seglab.plots.style import new_figure, style

LEAST = 1e-3  # of the largest value; what is below is black


def reach(maps: Mapping[str, np.ndarray], columns: int = 4) -> Figure:
    """What to see: how much of the picture counts for the answer at its centre, and in which shape.

    Args:
        maps: By title, float (H, W) from 0 to 1: the influence of each pixel on the answer at the centre.
        columns: Maps side by side.
    """
    rows = -(-len(maps) // columns)
    tallest = max(height / width for height, width in (values.shape for values in maps.values()))
    with style():
        figure = new_figure(170, (148 / columns * tallest + 13) * rows)
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes in grid.flat:
            axes.set_axis_off()
        for axes, (title, values) in zip(grid.flat, maps.items(), strict=False):
            height, width = values.shape
            picture = axes.imshow(
                np.maximum(values, LEAST),
                cmap="inferno",
                norm=LogNorm(LEAST, 1),
                extent=(-width / 2, width / 2, height / 2, -height / 2),
            )
            axes.set_title(title, fontsize=7)
        figure.colorbar(picture, ax=grid, shrink=0.8, pad=0.01, label="of the largest influence")
    return figure
