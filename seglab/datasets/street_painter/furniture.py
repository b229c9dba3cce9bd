"""Street furniture: poles, lamps, traffic lights and signs, and the clutter that no class counts."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from seglab.datasets.street_painter.canvas import Canvas, Frame, Pen
from seglab.datasets.street_painter.cities import City, faded, paint

_FACING = np.pi / 2  # the heading of a frame whose plane faces the camera
_WHITE = np.array([232.0, 232, 228])
_DARK = np.array([38.0, 40, 44])
_RED = np.array([196.0, 40, 38])
_BLUE = np.array([36.0, 84, 168])
_YELLOW = np.array([228.0, 188, 48])
_GREEN = np.array([30.0, 118, 78])
_LAMPS = np.array([[225.0, 50, 40], [250, 180, 40], [60, 215, 120]])
_POLES = np.array([(96, 100, 104), (150, 154, 156), (62, 74, 66), (120, 112, 100)], float)

# Signs: number of corners, direction of the first one, colours of border, field and glyph.
_SIGNS = {
    "limit": (18, 0.0, _RED, _WHITE, _DARK),
    "order": (18, 0.0, _WHITE, _BLUE, _WHITE),
    "danger": (3, np.pi / 2, _RED, _WHITE, _DARK),
    "priority": (4, 0.0, _WHITE, _YELLOW, _YELLOW),
    "stop": (8, np.pi / 8, _WHITE, _RED, _WHITE),
    "parking": (4, np.pi / 4, _WHITE, _BLUE, _WHITE),
    "no entry": (18, 0.0, _WHITE, _RED, _WHITE),
    "yield": (3, -np.pi / 2, _RED, _WHITE, _WHITE),
}


def pole_colour(city: City, rng: Generator) -> np.ndarray:
    """The colour that a street's poles are painted in."""
    return _POLES[rng.integers(len(_POLES))] * np.array(city.gains)


def pole(
    canvas: Canvas, x: float, z: float, height: float, radius: float, colour, label: str = "pole"
) -> Pen:
    """A thin upright pole with a gleam along it; returns the pen at its foot, facing the camera."""
    pen = Pen(canvas, Frame(x, z, _FACING), label)
    gleam = -radius * 0.4
    pen.limb((0, 0), (0, height), radius, radius * 0.85, colour)
    pen.limb((gleam, 0), (gleam, height), radius * 0.35, radius * 0.3, np.clip(colour * 1.35 + 12, 0, 245))
    return pen


def street_lamp(canvas: Canvas, rng: Generator, x: float, z: float, colour: np.ndarray) -> None:
    """A tall pole with an arm over the road and a lamp at its end."""
    height, arm = rng.uniform(6.5, 9), 1.8 * (-1 if x > 0 else 1)
    pen = pole(canvas, x, z, height, 0.1, colour)
    pen.limb((0, height), (arm, height + 0.5), 0.06, 0.05, colour)
    pen.limb((arm, height + 0.5), (arm * 1.35, height + 0.45), 0.14, 0.1, colour * 0.8)


def traffic_light(canvas: Canvas, rng: Generator, x: float, z: float, colour: np.ndarray) -> None:
    """A pole with one dark box of three lamps, one lit; some have a second box on an arm over the road."""
    lit = rng.integers(3)
    if rng.random() < 0.35:
        reach = -np.sign(x) * min(abs(x) - 1.0, 4.5)
        pen = pole(canvas, x, z, 5.6, 0.11, colour)
        pen.limb((0, 5.5), (reach, 5.7), 0.08, 0.06, colour)
        _lamps(canvas, pen.frame.moved(u=reach, v=4.95, w=0.1), lit)
    else:
        pen = pole(canvas, x, z, 3.5, 0.09, colour)
    _lamps(canvas, pen.frame.moved(v=2.55, w=0.1), lit)


def _lamps(canvas: Canvas, place: Frame, lit: int) -> None:
    """A box of three round lamps with a pale backing board."""
    box = Pen(canvas, place, "traffic light")
    box.rectangles(-0.36, -0.1, 0.36, 1.35, _WHITE)
    box.rectangles(-0.31, -0.05, 0.31, 1.3, _DARK)
    for number, colour in enumerate(_LAMPS):
        height = 1.08 - 0.45 * number
        box.disc(0, height, 0.19, colour * 0.28)
        if number == lit:
            box.disc(0, height, 0.17, np.minimum(colour * 1.5, 255))


def traffic_sign(canvas: Canvas, rng: Generator, x: float, z: float, colour: np.ndarray) -> None:
    """One or two signs on a pole."""
    count = 1 + (rng.random() < 0.35)
    size = rng.uniform(0.36, 0.46)
    pen = pole(canvas, x, z, 2.35 + count * 0.95, 0.06, colour)
    for number in range(count):
        _sign_face(Pen(canvas, pen.frame.moved(v=2.75 + number * 0.95, w=0.08), "traffic sign"), rng, size)


def _sign_face(face: Pen, rng: Generator, size: float) -> None:
    """A disc, triangle, diamond, octagon or square with border and glyph, more or less weathered."""
    kind = rng.choice(list(_SIGNS))
    corners, start, *inks = _SIGNS[kind]
    age, tone = rng.uniform(0, 0.6), rng.uniform(0.65, 1.05)
    border, field, glyph = (tone * faded(ink, age) for ink in inks)
    turn = start + np.arange(corners) * (2 * np.pi / corners)
    u, v = np.cos(turn), np.sin(turn)
    for scale, ink in ((1.0, border), (0.76, field)):
        radius = size * scale * (1.15 if corners < 5 else 1.0)
        face.polygon(u * radius, v * radius, ink)
    if kind in ("order", "parking"):
        face.rectangles(-0.15 * size, -0.5 * size, 0.15 * size, 0.45 * size, glyph)
        face.polygon(size * np.array([-0.1, 0.5, 0.5]), size * np.array([0.5, 0.5, 0.05]), glyph)
    elif kind == "limit":
        digits = np.array([[-0.42, 0.08], [-0.1, 0.42]]) * size
        face.rectangles(digits[0], -0.35 * size, digits[1], 0.35 * size, glyph)
    elif kind == "danger":
        face.rectangles(-0.09 * size, -0.3 * size, 0.09 * size, 0.4 * size, glyph)
    elif kind in ("stop", "no entry"):
        face.rectangles(-0.6 * size, -0.16 * size, 0.6 * size, 0.16 * size, glyph)


def direction_board(canvas: Canvas, rng: Generator, x: float, z: float, colour: np.ndarray) -> None:
    """A wide board with lines of writing and an arrow, on two poles."""
    field, ink = ((_BLUE, _WHITE), (_YELLOW, _DARK), (_GREEN, _WHITE), (_WHITE, _DARK))[rng.integers(4)]
    field = rng.uniform(0.7, 1.05) * faded(field, rng.uniform(0, 0.5))
    half, low, high = rng.uniform(1.0, 1.5), 2.3, rng.uniform(3.7, 4.4)
    for side in (-0.7, 0.7):
        pole(canvas, x + side * half, z, high, 0.07, colour)
    board = Pen(canvas, Frame(x, z - 0.1, _FACING), "traffic sign")
    board.rectangles(-half, low, half, high, ink)
    board.rectangles(0.08 - half, low + 0.08, half - 0.08, high - 0.08, field)
    lines = np.arange(low + 0.28, high - 0.3, 0.42)
    board.rectangles(0.9 - half, lines, half * rng.uniform(0.0, 0.6, len(lines)), lines + 0.2, ink)
    middle = (low + high) / 2
    board.polygon([0.38 - half, 0.5 - half, 0.62 - half], [middle, middle + 0.35, middle], ink)


def pole_group(canvas: Canvas, rng: Generator, x: float, z: float, colour: np.ndarray) -> None:
    """Three poles so close together that they are labelled as one group, with the gaps between them."""
    height = rng.uniform(3, 6)
    Pen(canvas, Frame(x, z, _FACING), "pole group").rectangles(-0.25, 0, 0.25, height, None)
    for offset in (-0.25, 0.0, 0.25):
        pole(canvas, x + offset, z, height, 0.06, colour, "pole group")


def box(canvas: Canvas, rng: Generator, x: float, z: float) -> None:
    """A litter bin, advertising column or switch box: static, and not evaluated."""
    half, height = ((0.28, 1.0), (0.6, 2.8), (0.45, 1.3))[rng.integers(3)]
    pen, colour = Pen(canvas, Frame(x, z, _FACING), "static"), paint(rng) * 0.7
    pen.rectangles(-half, 0, half, height, colour)
    pen.rectangles(-half, height - 0.15, half, height, colour * 0.6)
    pen.rectangles(-half * 0.7, height * 0.35, half * 0.7, height * 0.75, paint(rng))


def suitcase(canvas: Canvas, rng: Generator, x: float, z: float) -> None:
    """Luggage left on the pavement: dynamic, and not evaluated."""
    pen, colour = Pen(canvas, Frame(x, z, _FACING), "dynamic"), paint(rng)
    pen.rectangles(-0.25, 0.05, 0.25, 0.7, colour)
    pen.rectangles(-0.08, 0.7, 0.08, 0.95, colour * 0.5)


def bonnet(canvas: Canvas, share: float) -> None:
    """The camera car's own bonnet along the lower edge: `share` of the picture's height at its middle."""
    height, width = canvas.camera.size
    x = np.linspace(-1, 1, 41)
    edge = height * (1 - share * (1 - 0.55 * x**2))
    for drop, tone in ((0.0, 0.55), (0.012, 1.0), (0.035, 0.8)):
        outline = np.stack([(x + 1) / 2 * width, edge + drop * height], axis=1)
        canvas.overlay(outline, np.array([70.0, 74, 80]) * tone, "ego vehicle")
