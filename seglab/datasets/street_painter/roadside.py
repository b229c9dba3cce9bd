"""What lines the street: buildings, walls, fences, hedges, trees, guard rails and bridges.

Every function draws one thing. `front` is the frame of its street side: `u` runs along the street, away
from the camera, and `w` across; `back` is +1 where the thing lies to the right of its front, else -1.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.random import Generator

from seglab.datasets.street_painter.canvas import Canvas, Frame, Pen
from seglab.datasets.street_painter.cities import City, paint

_GLASS = np.array([(58, 66, 76), (84, 98, 112), (44, 48, 54), (128, 146, 160), (96, 92, 84)], float)
_TILES = np.array([(132, 72, 54), (96, 62, 52), (84, 84, 88), (110, 92, 80)], float)
_LAMPLIGHT = np.array([214.0, 190, 140])
_LINEN = np.array([225.0, 220, 210])
_RISE = 0.35  # height of a saddle roof over the depth of the house
# Width, height and distance of windows in metres.
_WINDOWS = {"windows": (1.25, 1.5, 2.5), "tall": (1.1, 1.9, 2.0), "ribbons": (2.5, 1.5, 2.7)}


def building(
    canvas: Canvas, rng: Generator, city: City, front: Frame, back: int, length: float, height: float
) -> None:
    """A house of several floors: a gable wall towards the camera, then the street side and the roof."""
    stone = city.stone(rng)
    depth = rng.uniform(8, 12)
    glass = _GLASS[rng.integers(len(_GLASS))]
    trim = stone * rng.uniform(0.7, 0.9) if rng.random() < 0.5 else np.clip(stone * 1.25, 0, 245)
    pitched = rng.random() < 0.55
    windows = _WINDOWS[rng.choice(["windows", "windows", "tall", "ribbons"])]
    shop = rng.random() < 0.4
    street = Pen(canvas, front, "building")
    gable = street.moved(turn=back * np.pi / 2)
    if pitched:
        _roof(street, rng, back, length, height, depth)
    _facade(gable, rng, depth, height, stone * 0.97, trim, glass, windows, False)
    if pitched:
        gable.polygon([0, depth, depth / 2], [height, height, height + _RISE * depth], stone * 0.97)
    _facade(street, rng, length, height, stone, trim, glass, windows, shop)
    street.rectangles(0, height - 0.35, length, height + 0.1, trim)


def _roof(street: Pen, rng: Generator, back: int, length: float, height: float, depth: float) -> None:
    """The street half of a saddle roof, with rows of tiles and a chimney."""
    tiles = _TILES[rng.integers(len(_TILES))]
    rise = _RISE * depth
    chimney = street.moved(u=rng.uniform(0.2, 0.7) * length, v=height + rise - 0.4, w=back * depth / 2)
    chimney.rectangles(0, 0, 0.9, 1.7, tiles * 0.9)
    for low, high in pairwise(np.linspace(0, 1, 9)):
        up = np.array([low, low, high, high])
        tone = rng.uniform(0.9, 1.06)
        street.polygon([0, length, length, 0], height + rise * up, tiles * tone, back * depth / 2 * up)


def _facade(
    wall: Pen, rng: Generator, length: float, height: float, stone: np.ndarray, trim: np.ndarray,
    glass: np.ndarray, windows: tuple[float, float, float], shop: bool,
) -> None:
    """One side of a house: floors of windows in frames, over a row of shops or a plinth and doors."""
    wall.rectangles(0, -1.0, length, height, stone)
    floors = np.arange(4.3 if shop else 3.8, height - 1.6, 3.0)
    wall.rectangles(0, floors - 1.05, length, floors - 0.9, trim)
    width, tall, pitch = windows
    bays = max(1, int((length - 0.8) / pitch))
    columns = (length - bays * pitch) / 2 + pitch * np.arange(bays) + (pitch - width) / 2
    u, v = (grid.ravel() for grid in np.meshgrid(columns, floors))
    panes = glass * rng.uniform(0.75, 1.25, (len(u), 1))
    lit = rng.random(len(u)) < 0.12
    panes[lit] = _LAMPLIGHT * rng.uniform(0.8, 1.05, (lit.sum(), 1))
    wall.rectangles(u - 0.16, v - 0.16, u + width + 0.16, v + tall + 0.14, trim)
    wall.rectangles(u, v, u + width, v + tall, panes)
    wall.rectangles(u + width / 2 - 0.05, v, u + width / 2 + 0.05, v + tall, trim)
    if rng.random() < 0.3 and length > 5:
        _poster(wall.moved(u=rng.uniform(0.3, length - 4.5), v=rng.uniform(3.0, max(3.1, height - 4))), rng)
    if shop:
        _shops(wall, rng, length, trim)
    else:
        wall.rectangles(0, -1.0, length, 0.7, stone * 0.72)
        doors = rng.random(bays) < 0.22
        wall.rectangles(columns[doors] - 0.1, 0, columns[doors] + 1.1, 2.5, paint(rng) * 0.7)
        wall.rectangles(columns[~doors], 1.1, columns[~doors] + width, 2.5, glass * 0.8)


def _poster(place: Pen, rng: Generator) -> None:
    """An advertisement on the wall: a picture of plain shapes over lines of writing."""
    width, height = rng.uniform(2.0, 4.0), rng.uniform(1.6, 3.0)
    place.rectangles(0, 0, width, height, paint(rng))
    place.disc(rng.uniform(0.3, 0.7) * width, 0.62 * height, 0.25 * height, paint(rng))
    lines = np.array([0.12, 0.26]) * height
    place.rectangles(0.15 * width, lines, 0.8 * width, lines + 0.07 * height, paint(rng))


def _shops(wall: Pen, rng: Generator, length: float, trim: np.ndarray) -> None:
    """Shop windows under a board, some with an awning."""
    starts = np.arange(0.3, length - 2.5, 4.2)
    ends = np.minimum(starts + 3.8, length - 0.2)
    wall.rectangles(starts, 0.4, ends, 2.7, rng.uniform(40, 100, (len(starts), 1)) * np.ones(3))
    wall.rectangles((starts + ends) / 2 - 0.06, 0.4, (starts + ends) / 2 + 0.06, 2.7, trim)
    for start, end in zip(starts, ends, strict=True):
        colour = paint(rng)
        wall.rectangles(start, 2.75, end, 3.3, colour)
        if rng.random() < 0.4:
            stripes = np.linspace(start, end, 9)
            wall.rectangles(stripes[:-1], 2.2, stripes[1:], 2.75, np.stack([_LINEN, colour] * 4))


def stone_wall(canvas: Canvas, rng: Generator, front: Frame, length: float, height: float, stone) -> None:
    """A low free-standing wall of squared stones in courses, under a coping."""
    wall = Pen(canvas, front, "wall")
    wall.rectangles(0, -0.5, length, height, stone * 0.6)
    course = height / max(3, round(height / 0.34))
    block = 0.85
    for number, low in enumerate(np.arange(0, height - 0.01, course)):
        u = np.arange(-block / 2 * (number % 2), length, block)
        left, right = np.maximum(u + 0.04, 0), np.minimum(u + block - 0.04, length)
        wall.rectangles(
            left, low + 0.03, right, low + course - 0.03, stone * rng.uniform(0.82, 1.16, (len(u), 1))
        )
    wall.rectangles(0, height, length, height + 0.16, np.clip(stone * 1.2, 0, 245))


def fence(canvas: Canvas, rng: Generator, front: Frame, length: float, height: float, colour) -> None:
    """Pickets, iron bars or wire mesh between posts; what shows through belongs to the fence."""
    pen = Pen(canvas, front, "fence")
    kind = rng.choice(["pickets", "bars", "mesh"])
    pen.rectangles(0, 0, length, height, None)
    if kind == "mesh":
        _mesh(pen, length, height, colour)
    else:
        pitch, width = (0.24, 0.15) if kind == "pickets" else (0.2, 0.06)
        u = np.arange(0, length, pitch)
        pen.rectangles(u, 0.05, u + width, height, colour * rng.uniform(0.85, 1.1, (len(u), 1)))
    rails, posts = np.array([0.2, height - 0.2]), np.arange(0, length + 0.1, 2.0)
    pen.rectangles(0, rails, length, rails + 0.09, colour * 0.8)
    pen.rectangles(posts - 0.07, 0, posts + 0.07, height + 0.12, colour * 0.7)


def _mesh(pen: Pen, length: float, height: float, colour: np.ndarray) -> None:
    """Wires crossing at right angles."""
    u = np.arange(-height, length, 0.3)
    for start, end in ((u, u + height), (u + height, u)):
        low, high = np.clip(start, 0, length), np.clip(end, 0, length)
        v_low, v_high = np.abs(low - start), height - np.abs(end - high)
        wires_u = np.stack([low, low + 0.05, high + 0.05, high], -1)
        wires_v = np.stack([v_low, v_low, v_high, v_high], -1)
        pen.canvas.polygons(pen.frame.at(wires_u, wires_v), colour, pen.label)


def guard_rail(canvas: Canvas, rng: Generator, front: Frame, length: float) -> None:
    """A steel band in two waves on short posts."""
    pen, steel = Pen(canvas, front, "guard rail"), np.array([168.0, 172, 176]) * rng.uniform(0.75, 1.1)
    posts = np.arange(0, length, 2.0)
    pen.rectangles(posts, 0, posts + 0.14, 0.6, steel * 0.55)
    for low, tone in ((0.42, 0.8), (0.5, 1.1), (0.58, 0.7), (0.66, 1.1)):
        pen.rectangles(0, low, length, low + 0.08, steel * tone)


def bridge(
    canvas: Canvas, rng: Generator, city: City, z: float, half_width: float, clearance: float
) -> None:
    """A bridge across the street: piers beside the road, deck and railing."""
    stone = city.stone(rng)
    pen = Pen(canvas, Frame(0, z, np.pi / 2), "bridge")
    for pier in (-half_width, half_width):
        pen.rectangles(pier - 0.8, -1, pier + 0.8, clearance, stone * 0.85)
    pen.rectangles(-60, clearance, 60, clearance + 1.3, stone)
    pen.rectangles(-60, clearance, 60, clearance + 0.3, stone * 0.7)
    posts = np.arange(-60, 60, 1.5)
    pen.rectangles(posts, clearance + 1.3, posts + 0.15, clearance + 2.2, stone * 0.6)
    pen.rectangles(-60, clearance + 2.1, 60, clearance + 2.3, stone * 0.6)


def tree(canvas: Canvas, rng: Generator, city: City, x: float, z: float, height: float) -> None:
    """A trunk with branches under a crown of leaves; all of it is vegetation."""
    bark = np.array([86.0, 70, 56]) * rng.uniform(0.75, 1.25)
    pen = Pen(canvas, Frame(x, z, np.pi / 2), "vegetation")
    crown = height * rng.uniform(0.26, 0.34)
    middle = height - crown
    pen.limb((0, 0), (0, middle), 0.022 * height, 0.015 * height, bark)
    for lean in rng.uniform(-0.7, 0.7, 3):
        pen.limb((0, height * 0.35), (lean * crown, middle), 0.012 * height, 0.006 * height, bark)
    radii = (crown * rng.uniform(0.85, 1.15), crown, crown * 0.8)
    foliage(canvas, rng, np.array([x, middle, z]), np.array(radii), city.leaf(rng))


def foliage(canvas: Canvas, rng: Generator, centre: np.ndarray, radii: np.ndarray, colour) -> None:
    """An irregular cloud of leaf clusters around `centre` (3,), light on the sunny side and dark inside."""
    size_px = radii.max() * canvas.camera.focal_px / max(centre[2], 3.0)
    count = int(np.clip(size_px**1.15 * 0.8, 20, 360))
    direction = rng.standard_normal((count, 3))
    direction /= np.sqrt((direction**2).sum(axis=1, keepdims=True))
    direction[:, 2] = -np.abs(direction[:, 2])  # the far side cannot be seen
    reach = np.sort(rng.uniform(0.35, 1.05, (count, 1)) ** 0.6, axis=0)  # from the inside out
    tones = (0.42 + 0.62 * reach) * rng.uniform(0.72, 1.25, (count, 1))
    leaf_m = radii.mean() * np.clip(2.4 / np.sqrt(count), 0.09, 0.4) * (1.9 - 1.1 * reach[:, 0])
    leaf_m *= rng.uniform(0.7, 1.2, count)
    canvas.balls(centre + direction * reach * radii, leaf_m, colour * tones, "vegetation", direction)


def hedge(canvas: Canvas, rng: Generator, city: City, front: Frame, length: float, height: float) -> None:
    """A clipped hedge: a dark body under leaf clusters."""
    colour = city.leaf(rng)
    Pen(canvas, front, "vegetation").rectangles(0, -0.3, length, height * 0.95, colour * 0.5)
    leaf_m = np.clip(front.z / 110, 0.1, 0.3)
    count = int(np.clip(length * height / leaf_m**2 * 0.35, 40, 900))
    u = np.sort(rng.uniform(0, length, count))[::-1]  # from far to near
    v = height * rng.uniform(0, 1, count) ** 0.8
    tones = (0.55 + 0.5 * v / height) * rng.uniform(0.7, 1.25, count)
    normals = np.broadcast_to([0.0, 0.8, -0.6], (count, 3))
    radii = leaf_m * rng.uniform(0.6, 1.2, count)
    canvas.balls(front.at(u, v), radii, colour * tones[:, None], "vegetation", normals)
