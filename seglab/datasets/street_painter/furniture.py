"""Street furniture: poles, lamps, traffic lights and signs, and the clutter that no class counts."""

from __future__ import annotations

import numpy as np

from seglab.datasets.street_painter.canvas import Canvas, Frame
from seglab.datasets.street_painter.cities import City, faded, paint

_WHITE = np.array([232.0, 232, 228])
_DARK = np.array([38.0, 40, 44])
_RED = np.array([196.0, 40, 38])
_BLUE = np.array([36.0, 84, 168])
_YELLOW = np.array([228.0, 188, 48])
_GREEN = np.array([30.0, 118, 78])


def pole(canvas: Canvas, x: float, z: float, height: float, radius: float, colour, label: str = "pole") -> Frame:
    """A thin upright pole; returns the frame that faces the camera at its foot."""
    foot = Frame(x, z, np.pi / 2)
    canvas.limb(foot.at(0, 0), foot.at(0, height), radius, radius * 0.85, colour, label)
    canvas.limb(foot.at(-radius * 0.4, 0.0), foot.at(-radius * 0.4, height), radius * 0.35, radius * 0.3,
                np.clip(colour * 1.35 + 12, 0, 245), label)
    return foot


def street_lamp(canvas: Canvas, rng, x: float, z: float, colour) -> None:
    """A tall pole with an arm over the road and a lamp at its end."""
    height, arm = rng.uniform(6.5, 9), 1.8 * (-1 if x > 0 else 1)
    foot = pole(canvas, x, z, height, 0.1, colour)
    canvas.limb(foot.at(0, height), foot.at(arm, height + 0.5), 0.06, 0.05, colour, "pole")
    canvas.limb(foot.at(arm, height + 0.5), foot.at(arm * 1.35, height + 0.45), 0.14, 0.1, colour * 0.8, "pole")


def traffic_light(canvas: Canvas, rng, x: float, z: float, colour) -> None:
    """A pole with one dark box of three lamps, one of them lit; some have a second box on an arm over the road."""
    on = rng.integers(3)
    if rng.random() < 0.35:
        reach = -np.sign(x) * min(abs(x) - 1.0, 4.5)
        foot = pole(canvas, x, z, 5.6, 0.11, colour)
        canvas.limb(foot.at(0, 5.5), foot.at(reach, 5.7), 0.08, 0.06, colour, "pole")
        _lamps(canvas, foot.moved(u=reach, v=4.95, w=0.1), on)
    else:
        foot = pole(canvas, x, z, 3.5, 0.09, colour)
    _lamps(canvas, foot.moved(v=2.55, w=0.1), on)


def _lamps(canvas: Canvas, box: Frame, on: int) -> None:
    """A box of three round lamps with a pale backing board."""
    canvas.polygons(box.rectangles(-0.36, -0.1, 0.36, 1.35), _WHITE, "traffic light")
    canvas.polygons(box.rectangles(-0.31, -0.05, 0.31, 1.3), _DARK, "traffic light")
    colours = np.array([[225.0, 50, 40], [250, 180, 40], [60, 215, 120]])
    for lamp in range(3):
        height = 1.08 - 0.45 * lamp
        canvas.polygon(box.disc(0, height, 0.19), colours[lamp] * 0.28, "traffic light")
        if lamp == on:
            canvas.polygon(box.disc(0, height, 0.17), np.minimum(colours[lamp] * 1.5, 255), "traffic light")


def traffic_sign(canvas: Canvas, rng, x: float, z: float, colour) -> None:
    """One or two signs on a pole: a disc, triangle, diamond, octagon or square with border and glyph."""
    count = 1 + (rng.random() < 0.35)
    size = rng.uniform(0.36, 0.46)
    foot = pole(canvas, x, z, 2.35 + count * 0.95, 0.06, colour)
    for number in range(count):
        _sign_face(canvas, rng, foot.moved(v=2.75 + number * 0.95, w=0.08), size)


def _sign_face(canvas: Canvas, rng, face: Frame, size: float) -> None:
    kind = rng.choice(["limit", "order", "danger", "priority", "stop", "parking", "no entry", "yield"])
    corners = {"danger": 3, "yield": 3, "priority": 4, "stop": 8, "parking": 4}.get(kind, 18)
    start = {"danger": np.pi / 2, "yield": -np.pi / 2, "stop": np.pi / 8, "parking": np.pi / 4}.get(kind, 0.0)
    turn = start + np.arange(corners) * (2 * np.pi / corners)
    shape = np.stack([np.cos(turn), np.sin(turn)]) * size * (1.15 if corners < 5 else 1.0)
    border, field, glyph = {
        "limit": (_RED, _WHITE, _DARK), "order": (_WHITE, _BLUE, _WHITE), "danger": (_RED, _WHITE, _DARK),
        "priority": (_WHITE, _YELLOW, None), "stop": (_WHITE, _RED, _WHITE), "parking": (_WHITE, _BLUE, _WHITE),
        "no entry": (_WHITE, _RED, _WHITE), "yield": (_RED, _WHITE, None),
    }[kind]
    age, tone = rng.uniform(0, 0.6), rng.uniform(0.65, 1.05)
    border, field, glyph = (ink if ink is None else tone * faded(ink, age) for ink in (border, field, glyph))
    for scale, tone in ((1.0, border), (0.76, field)):
        canvas.polygon(face.at(*(shape * scale)), tone, "traffic sign")
    if glyph is None:
        return
    if kind in ("order", "parking"):
        canvas.polygons(face.rectangles(-0.15 * size, -0.5 * size, 0.15 * size, 0.45 * size), glyph, "traffic sign")
        canvas.polygon(face.at(size * np.array([-0.1, 0.5, 0.5]), size * np.array([0.5, 0.5, 0.05])), glyph,
                       "traffic sign")
    elif kind == "limit":
        canvas.polygons(face.rectangles(np.array([-0.42, 0.08]) * size, -0.35 * size, np.array([-0.1, 0.42]) * size,
                                        0.35 * size), glyph, "traffic sign")
    elif kind == "danger":
        canvas.polygons(face.rectangles(-0.09 * size, -0.3 * size, 0.09 * size, 0.4 * size), glyph, "traffic sign")
    else:
        canvas.polygons(face.rectangles(-0.6 * size, -0.16 * size, 0.6 * size, 0.16 * size), glyph, "traffic sign")


def direction_board(canvas: Canvas, rng, x: float, z: float, colour) -> None:
    """A wide board with lines of writing and an arrow, on two poles."""
    field, ink = ((_BLUE, _WHITE), (_YELLOW, _DARK), (_GREEN, _WHITE), (_WHITE, _DARK))[rng.integers(4)]
    field = rng.uniform(0.7, 1.05) * faded(field, rng.uniform(0, 0.5))
    width, low, high = rng.uniform(2.0, 3.0), 2.3, rng.uniform(3.7, 4.4)
    for end in (-0.35, 0.35):
        pole(canvas, x + end * width, z, high, 0.07, colour)
    board = Frame(x, z - 0.1, np.pi / 2)
    canvas.polygons(board.rectangles(-width / 2, low, width / 2, high), ink, "traffic sign")
    canvas.polygons(board.rectangles(-width / 2 + 0.08, low + 0.08, width / 2 - 0.08, high - 0.08), field,
                    "traffic sign")
    lines = np.arange(low + 0.28, high - 0.3, 0.42)
    ends = width * rng.uniform(0.0, 0.3, len(lines))
    canvas.polygons(board.rectangles(-width / 2 + 0.9, lines, ends, lines + 0.2), ink, "traffic sign")
    arrow = np.array([[-0.12, 0.0], [0.0, 0.35], [0.12, 0.0]]) + [-width / 2 + 0.5, (low + high) / 2]
    canvas.polygon(board.at(arrow[:, 0], arrow[:, 1]), ink, "traffic sign")


def pole_group(canvas: Canvas, x: float, z: float, colour) -> None:
    """Three poles so close together that they are labelled as one."""
    canvas.polygons(Frame(x, z, np.pi / 2).rectangles(-0.3, 0, 0.3, 4.0), None, "pole group")
    for offset in (-0.25, 0.0, 0.25):
        pole(canvas, x + offset, z, 4.2, 0.06, colour, "pole group")


def bin_(canvas: Canvas, rng, x: float, z: float) -> None:
    """A litter bin, advertising column or switch box: static, and not evaluated."""
    width, height = ((0.55, 1.0), (1.2, 2.8), (0.9, 1.3))[rng.integers(3)]
    box, colour = Frame(x, z, np.pi / 2), paint(rng) * 0.7
    canvas.polygons(box.rectangles(-width / 2, 0, width / 2, height), colour, "static")
    canvas.polygons(box.rectangles(-width / 2, height - 0.15, width / 2, height), colour * 0.6, "static")
    canvas.polygons(box.rectangles(-width * 0.35, height * 0.35, width * 0.35, height * 0.75), paint(rng), "static")


def suitcase(canvas: Canvas, rng, x: float, z: float) -> None:
    """Luggage, a bag or a sack left on the pavement: dynamic, and not evaluated."""
    box, colour = Frame(x, z, np.pi / 2), paint(rng)
    canvas.polygons(box.rectangles(-0.25, 0.05, 0.25, 0.7), colour, "dynamic")
    canvas.polygons(box.rectangles(-0.08, 0.7, 0.08, 0.95), colour * 0.5, "dynamic")


def bonnet(canvas: Canvas, share: float, colour) -> None:
    """The camera car's own bonnet along the lower edge: `share` of the picture's height at its middle."""
    height, width = canvas.camera.size
    x = np.linspace(-1, 1, 41)
    edge = height * (1 - share * (1 - 0.55 * x**2))
    for drop, tone in ((0.0, 0.55), (0.012, 1.0), (0.035, 0.8)):
        canvas.overlay(np.stack([(x + 1) / 2 * width, edge + drop * height], 1), colour * tone, "ego vehicle")


def poles_of(city: City, rng) -> np.ndarray:
    """The colour that a street's poles are painted in."""
    greys = np.array([(96, 100, 104), (150, 154, 156), (62, 74, 66), (120, 112, 100)], float)
    return greys[rng.integers(len(greys))] * np.array(city.gains)
