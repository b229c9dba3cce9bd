"""Pictures side by side with their masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure, FigureBase
from matplotlib.patches import Patch

from seglab.labels import LabelSpace
from seglab.plots.style import new_figure, style


def picture_grid(rows: Sequence[Mapping[str, np.ndarray]], titles: Sequence[str] = ()) -> Figure:
    """Draws pictures in rows; the keys of the first row are the headings of the columns.

    Args:
        rows: Arrays uint8 (H,W,3) by their heading, the same headings in each row.
        titles: A caption for each row, written at its left.
    """
    headings = list(rows[0])
    height, width = rows[0][headings[0]].shape[:2]
    column_mm = 170 / len(headings)
    with style():
        figure = new_figure(170, len(rows) * (column_mm * height / width + 2) + 6)
        draw_pictures(figure, rows, titles)
    return figure


def draw_pictures(
    figure: FigureBase,
    rows: Sequence[Mapping[str, np.ndarray]],
    titles: Sequence[str],
    places: Mapping[str, float] | None = None,
) -> np.ndarray:
    """Draws what `picture_grid` does into a figure or a part of one; returns the axes (rows, columns).

    Args:
        figure: Where to draw.
        rows: As there.
        titles: As there.
        places: Arguments of matplotlib's `GridSpec` where no layout engine finds the places.
    """
    grid = figure.subplots(len(rows), len(rows[0]), squeeze=False, gridspec_kw=places)
    for row, row_axes in zip(rows, grid, strict=True):
        for heading, one in zip(rows[0], row_axes, strict=True):
            one.imshow(row[heading], interpolation="none")
            one.set(xticks=[], yticks=[])
            one.spines[:].set_visible(False)
    for heading, one in zip(rows[0], grid[0], strict=True):
        one.set_title(heading, fontsize=8)
    for title, row_axes in zip(titles, grid, strict=False):
        row_axes[0].set_ylabel(title, fontsize=7)
    return grid


def legend(labels: LabelSpace) -> Figure:
    """The classes and their colours."""
    with style():
        columns = 7
        rows = -(-labels.num_classes // columns)
        figure = new_figure(170, 5 * rows + 2)
        handles = [patch(*one) for one in zip(labels.classes, labels.colors, strict=True)]
        figure.legend(handles=handles, ncols=columns, loc="center", handlelength=1.2, handleheight=1.2)
    return figure


def patch(name: str, color: tuple[int, int, int]) -> Patch:
    """The entry of a legend for a colour of 0..255."""
    return Patch(facecolor=np.array(color) / 255, edgecolor="#333333", lw=0.5, label=name)
