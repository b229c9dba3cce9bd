"""Names beside the points of a plot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox

# Offset in points and alignment of what is tried, best first: right and left, a little above and below; then
# straight above and below.
_SIDES = [
    ((5, 3), "left", "bottom"), ((-5, 3), "right", "bottom"),
    ((5, -3), "left", "top"), ((-5, -3), "right", "top"),
    ((0, 6), "center", "bottom"), ((0, -6), "center", "top"),
]  # fmt: skip
# Where there is no room beside the point: farther away, with a line to it.
_FARTHER = [
    ((x * away, y * away), "left" if x > 0 else "right" if x < 0 else "center", "bottom" if y > 0 else "top")
    for away in (11, 17, 24, 34)
    for x, y in ((1, 1), (-1, 1), (1, -1), (-1, -1), (0, 1.3), (0, -1.3))
]
_LEADER = {"arrowstyle": "-", "lw": 0.5, "color": "#777777", "shrinkA": 0, "shrinkB": 3}
_MARKER_PT = 4  # half of what a point covers


def name_points(
    axes: Axes,
    points: Mapping[str, tuple[float, float]],
    named: Iterable[str],
    line: Sequence[tuple[float, float]] = (),
    size: float = 5.5,
) -> None:
    """Writes names beside points, each where it covers least of what is there.

    That are the points, a line, other names, and the edge. Where all places beside the point are bad, a thin
    line joins the name to it. All else must have been drawn, for this fixes the figure's layout.

    Args:
        axes: Where the points are.
        points: Their places in the units of the data, by name; none may be covered.
        named: Which of them get their name, the most important first.
        line: The corners of a line between points.
        size: Of the letters, in points.
    """
    figure = axes.get_figure()
    figure.draw_without_rendering()
    point = figure.dpi / 72
    centres = dict(zip(points, axes.transData.transform(list(points.values())), strict=True))
    taken = _squares(centres.values(), _MARKER_PT * point)
    if len(line) > 1:
        corners = axes.transData.transform(line)
        steps = np.linspace(0, len(corners) - 1, 30 * len(corners))
        along = [np.interp(steps, range(len(corners)), axis) for axis in corners.T]
        taken += _squares(np.transpose(along), 0.5 * point)
    inside = axes.get_window_extent().padded(-2 * point)  # letters are a little wider when they are printed
    for name in named:
        tried = [_annotate(axes, name, points[name], side, size) for side in (*_SIDES, *_FARTHER)]
        boxes = [_letters(one) for one in tried]
        costs = []
        for nth, box in enumerate(boxes):
            far = nth >= len(_SIDES)
            worse = 0.05 if far else _misleads(box, name, centres)
            costs.append(_covered(box, taken, inside) + worse * _area(box))
        best = costs.index(min(costs))
        taken.append(boxes[best].padded(point))
        for one in (*tried[:best], *tried[best + 1 :]):
            one.remove()


def _annotate(axes: Axes, name: str, point: tuple[float, float], side: tuple, size: float) -> Annotation:
    offset, ha, va = side
    text = axes.annotate(
        name, point, xytext=offset, textcoords="offset points", ha=ha, va=va, fontsize=size,
        path_effects=[withStroke(linewidth=2, foreground="white")], zorder=1.5,  # below the points
        arrowprops=_LEADER if side in _FARTHER else None,
    )  # fmt: skip
    text.set_in_layout(False)
    return text


def _letters(text: Annotation) -> Bbox:
    """Where the letters of a name stand, without its line."""
    text.get_window_extent()  # puts them into their place
    return Text.get_window_extent(text)


def _squares(centres: Iterable[np.ndarray], half: float) -> list[Bbox]:
    return [Bbox.from_extents(x - half, y - half, x + half, y + half) for x, y in centres]


def _covered(box: Bbox, taken: list[Bbox], inside: Bbox) -> float:
    """The area of a box that lies on others, or outside the axes."""
    overlaps = [Bbox.intersection(box, other) for other in taken]
    within = Bbox.intersection(box, inside)
    outside = _area(box) - (_area(within) if within else 0)
    return outside + sum(_area(one) for one in overlaps if one)


def _misleads(box: Bbox, name: str, centres: Mapping[str, np.ndarray]) -> bool:
    """Whether a name stands nearer to another point than to its own."""
    ends = np.array([[box.x0, box.y0], [box.x1, box.y1]])
    away = {one: np.linalg.norm(centre - centre.clip(*ends)) for one, centre in centres.items()}
    return min(away, key=away.__getitem__) != name


def _area(box: Bbox) -> float:
    return abs(box.width * box.height)
