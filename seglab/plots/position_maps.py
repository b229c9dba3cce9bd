"""Where in the picture each class is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from seglab.plots.style import new_figure, style


def position_maps(heat_maps: np.ndarray, classes: Sequence[str], columns: int = 5) -> Figure:
    """What to see: classes that keep to a place of their own, and classes that may be anywhere.

    Args:
        heat_maps: float (K,rows,columns), share of a class in each cell of a grid over the picture; NaN where
            nothing is labelled.
        classes: K names.
        columns: Maps side by side.
    """
    rows = -(-len(classes) // columns)
    with style():
        figure = new_figure(170, 21 * rows)
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes in grid:
            axes.set_axis_off()
        for axes, name, shares in zip(grid, classes, heat_maps, strict=False):
            largest = np.nanmax(shares)
            axes.imshow(shares, cmap="cividis", vmin=0, vmax=largest or 1, aspect="auto")
            axes.set_title(f"{name}, up to {largest:.1%}", fontsize=7)
    return figure
