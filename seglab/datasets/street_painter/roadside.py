"""What lines the street: buildings, walls, fences, hedges, trees, guard rails and bridges.

Every function draws one thing. `front` is the frame of its street side: `u` runs along the street, away
from the camera, and `w` across; `back` is +1 where the thing lies to the right of its front, else -1.
"""

from __future__ import annotations

import numpy as np

from seglab.datasets.street_painter.canvas import Canvas, Frame
from seglab.datasets.street_painter.cities import City, paint

_GLASS = ((58, 66, 76), (84, 98, 112), (44, 48, 54), (128, 146, 160), (96, 92, 84))


def building(canvas: Canvas, rng, city: City, front: Frame, back: int, length: float, height: float) -> None:
    """A house of several floors: a gable wall towards the camera, then the street side and the roof."""
    stone = city.stone(rng)
    depth = rng.uniform(8, 12)
    glass = np.array(_GLASS[rng.integers(len(_GLASS))], float)
    trim = stone * rng.uniform(0.7, 0.9) if rng.random() < 0.5 else np.clip(stone * 1.25, 0, 245)
    pitched = rng.random() < 0.55
    style = rng.choice(["windows", "windows", "tall", "ribbons"])
    shop = rng.random() < 0.4
    gable = front.moved(turn=back * np.pi / 2)
    if pitched:
        _roof(canvas, rng, front, back, length, height, depth)
    _facade(canvas, rng, gable, depth, height, stone * 0.97, trim, glass, style, False)
    if pitched:
        rise = depth * 0.35
        ends = gable.at([0, depth, depth / 2], [height, height, height + rise])
        canvas.polygon(ends, stone * 0.97, "building")
    _facade(canvas, rng, front, length, height, stone, trim, glass, style, shop)
    canvas.polygons(front.rectangles(0, height - 0.35, length, height + 0.1), trim, "building")


def _roof(canvas: Canvas, rng, front: Frame, back: int, length: float, height: float, depth: float) -> None:
    """The street half of a saddle roof, with rows of tiles and a chimney."""
    tiles = np.array([(132, 72, 54), (96, 62, 52), (84, 84, 88), (110, 92, 80)][rng.integers(4)], float)
    rise = depth * 0.35
    chimney = front.moved(u=rng.uniform(0.2, 0.7) * length, v=height + rise - 0.4, w=back * depth / 2)
    canvas.polygons(chimney.rectangles(0, 0, 0.9, 1.7), tiles * 0.9, "building")
    rows = np.linspace(0, 1, 9)
    for low, high in zip(rows[:-1], rows[1:], strict=True):
        v, w = height + rise * np.array([low, low, high, high]), back * depth / 2 * np.array([low, low, high, high])
        canvas.polygon(front.at([0, length, length, 0], v, w), tiles * rng.uniform(0.9, 1.06), "building")


def _facade(
    canvas: Canvas, rng, wall: Frame, length: float, height: float, stone, trim, glass, style: str, shop: bool
) -> None:
    """One side of a house: floors of windows in frames, over a row of shops or a plinth and doors."""
    canvas.polygons(wall.rectangles(0, -1.0, length, height), stone, "building")
    ground_floor = 3.4 if shop else 2.9
    floors = np.arange(ground_floor + 0.9, height - 1.6, 3.0)
    canvas.polygons(wall.rectangles(0, floors - 1.05, length, floors - 0.9), trim, "building")
    width, tall, pitch = {"windows": (1.25, 1.5, 2.5), "tall": (1.1, 1.9, 2.0), "ribbons": (2.5, 1.5, 2.7)}[style]
    bays = max(1, int((length - 0.8) / pitch))
    columns = (length - bays * pitch) / 2 + pitch * np.arange(bays) + (pitch - width) / 2
    u, v = (grid.ravel() for grid in np.meshgrid(columns, floors))
    panes = glass * rng.uniform(0.75, 1.25, (len(u), 1))
    lit = rng.random(len(u)) < 0.12
    panes[lit] = np.array([214, 190, 140]) * rng.uniform(0.8, 1.05, (lit.sum(), 1))
    canvas.polygons(wall.rectangles(u - 0.16, v - 0.16, u + width + 0.16, v + tall + 0.14), trim, "building")
    canvas.polygons(wall.rectangles(u, v, u + width, v + tall), panes, "building")
    canvas.polygons(wall.rectangles(u + width / 2 - 0.05, v, u + width / 2 + 0.05, v + tall), trim, "building")
    if rng.random() < 0.3 and length > 5:
        _poster(canvas, rng, wall.moved(u=rng.uniform(0.3, length - 4.5), v=rng.uniform(3.0, max(3.1, height - 4))))
    if shop:
        _shops(canvas, rng, wall, length, trim)
    else:
        canvas.polygons(wall.rectangles(0, -1.0, length, 0.7), stone * 0.72, "building")
        doors = rng.random(bays) < 0.22
        canvas.polygons(wall.rectangles(columns[doors] - 0.1, 0, columns[doors] + 1.1, 2.5), paint(rng) * 0.7,
                        "building")
        canvas.polygons(wall.rectangles(columns[~doors], 1.1, columns[~doors] + width, 2.5), glass * 0.8,
                        "building")


def _poster(canvas: Canvas, rng, place: Frame) -> None:
    """An advertisement on the wall: a picture of plain shapes over lines of writing."""
    width, height = rng.uniform(2.0, 4.0), rng.uniform(1.6, 3.0)
    canvas.polygons(place.rectangles(0, 0, width, height), paint(rng), "building")
    canvas.polygon(place.disc(rng.uniform(0.3, 0.7) * width, 0.62 * height, 0.25 * height), paint(rng), "building")
    lines = np.array([0.12, 0.26]) * height
    canvas.polygons(place.rectangles(0.15 * width, lines, 0.8 * width, lines + 0.07 * height), paint(rng), "building")


def _shops(canvas: Canvas, rng, wall: Frame, length: float, trim) -> None:
    """Shop windows under a board, some with an awning."""
    starts = np.arange(0.3, length - 2.5, 4.2)
    ends = np.minimum(starts + 3.8, length - 0.2)
    canvas.polygons(wall.rectangles(starts, 0.4, ends, 2.7), rng.uniform(40, 100, (len(starts), 1)) + np.zeros(3),
                    "building")
    canvas.polygons(wall.rectangles((starts + ends) / 2 - 0.06, 0.4, (starts + ends) / 2 + 0.06, 2.7), trim,
                    "building")
    for start, end in zip(starts, ends, strict=True):
        colour = paint(rng)
        canvas.polygons(wall.rectangles(start, 2.75, end, 3.3), colour, "building")
        if rng.random() < 0.4:
            stripes = np.linspace(start, end, 9)
            colours = np.where(np.arange(8)[:, None] % 2, colour, np.array([225, 220, 210]))
            canvas.polygons(wall.rectangles(stripes[:-1], 2.2, stripes[1:], 2.75), colours, "building")


def wall(canvas: Canvas, rng, front: Frame, length: float, height: float, stone) -> None:
    """A low free-standing wall of squared stones in courses, under a coping."""
    canvas.polygons(front.rectangles(0, -0.5, length, height), stone * 0.6, "wall")
    course = height / max(3, round(height / 0.34))
    v = np.arange(0, height - 0.01, course)
    long = 0.85
    for number, low in enumerate(v):
        u = np.arange(-long / 2 * (number % 2), length, long)
        left, right = np.maximum(u + 0.04, 0), np.minimum(u + long - 0.04, length)
        tones = stone * rng.uniform(0.82, 1.16, (len(u), 1))
        canvas.polygons(front.rectangles(left, low + 0.03, right, low + course - 0.03), tones, "wall")
    canvas.polygons(front.rectangles(0, height, length, height + 0.16), np.clip(stone * 1.2, 0, 245), "wall")


def fence(canvas: Canvas, rng, front: Frame, length: float, height: float, colour) -> None:
    """Pickets, iron bars or wire mesh between posts; what shows through belongs to the fence."""
    kind = rng.choice(["pickets", "bars", "mesh"])
    canvas.polygons(front.rectangles(0, 0, length, height), None, "fence")
    posts = np.arange(0, length + 0.1, 2.0)
    if kind == "mesh":
        u = np.arange(-height, length, 0.3)
        for lean in (1, -1):
            start, end = (u, u + height) if lean > 0 else (u + height, u)
            low, high = np.clip(start, 0, length), np.clip(end, 0, length)
            v0, v1 = np.abs(low - start), height - np.abs(end - high)
            strand = np.stack([low, low + 0.05, high + 0.05, high], -1)
            canvas.polygons(front.at(strand, np.stack([v0, v0, v1, v1], -1)), colour, "fence")
    else:
        pitch, width = (0.24, 0.15) if kind == "pickets" else (0.2, 0.06)
        u = np.arange(0, length, pitch)
        canvas.polygons(front.rectangles(u, 0.05, u + width, height), colour * rng.uniform(0.85, 1.1, (len(u), 1)),
                        "fence")
    rails = np.array([0.2, height - 0.2])
    canvas.polygons(front.rectangles(0, rails, length, rails + 0.09), colour * 0.8, "fence")
    canvas.polygons(front.rectangles(posts - 0.07, 0, posts + 0.07, height + 0.12), colour * 0.7, "fence")


def guard_rail(canvas: Canvas, front: Frame, length: float) -> None:
    """A steel band in two waves on short posts."""
    steel = np.array([168.0, 172, 176])
    posts = np.arange(0, length, 2.0)
    canvas.polygons(front.rectangles(posts, 0, posts + 0.14, 0.6), steel * 0.55, "guard rail")
    for low, tone in ((0.42, 0.8), (0.5, 1.1), (0.58, 0.7), (0.66, 1.1)):
        canvas.polygons(front.rectangles(0, low, length, low + 0.08), steel * tone, "guard rail")


def bridge(canvas: Canvas, rng, z: float, half_width: float, clearance: float, colour) -> None:
    """A bridge across the street: deck, parapet with posts, and piers beside the road."""
    front = Frame(-60, z, np.pi / 2)
    for side in (-1, 1):
        pier = front.moved(u=60 + side * half_width)
        canvas.polygons(pier.rectangles(-0.8, -1, 0.8, clearance), colour * 0.85, "bridge")
    canvas.polygons(front.rectangles(0, clearance, 120, clearance + 1.3), colour, "bridge")
    canvas.polygons(front.rectangles(0, clearance, 120, clearance + 0.3), colour * 0.7, "bridge")
    u = np.arange(0, 120, 1.5)
    canvas.polygons(front.rectangles(u, clearance + 1.3, u + 0.15, clearance + 2.2), colour * 0.6, "bridge")
    canvas.polygons(front.rectangles(0, clearance + 2.1, 120, clearance + 2.3), colour * 0.6, "bridge")


def tree(canvas: Canvas, rng, city: City, x: float, z: float, height: float) -> None:
    """A trunk with branches under a crown of leaves; all of it is vegetation."""
    bark = np.array([86.0, 70, 56]) * rng.uniform(0.75, 1.25)
    foot = Frame(x, z)
    crown = height * rng.uniform(0.26, 0.34)
    middle = foot.at(0, height - crown)
    canvas.limb(foot.at(0, 0), foot.at(0, height - crown), 0.022 * height, 0.015 * height, bark, "vegetation")
    for lean in rng.uniform(-0.7, 0.7, 3):
        canvas.limb(foot.at(0, height * 0.35), middle + [lean * crown, 0, 0], 0.012 * height, 0.006 * height, bark,
                    "vegetation")
    foliage(canvas, rng, middle, (crown * rng.uniform(0.85, 1.15), crown, crown * 0.8), city.leaf(rng))


def foliage(canvas: Canvas, rng, centre: np.ndarray, radii, colour) -> None:
    """An irregular cloud of leaf clusters around `centre` (3,), light on the sunny side and dark inside."""
    radii = np.asarray(radii)
    size_px = radii.max() * canvas.camera.focal_px / max(centre[2], 3.0)
    count = int(np.clip(size_px**1.15 * 0.9, 30, 420))
    direction = rng.standard_normal((count, 3))
    direction /= np.sqrt((direction**2).sum(axis=1, keepdims=True))
    direction[:, 2] = -np.abs(direction[:, 2])  # the far side cannot be seen
    reach = rng.uniform(0.35, 1.05, (count, 1)) ** 0.6
    order = np.argsort(reach[:, 0], kind="stable")
    direction, reach = direction[order], reach[order]
    tones = (0.42 + 0.62 * reach) * rng.uniform(0.72, 1.25, (count, 1))
    leaf_m = radii.mean() * np.clip(2.4 / np.sqrt(count), 0.09, 0.4) * (1.9 - 1.1 * reach[:, 0])
    canvas.balls(centre + direction * reach * radii, leaf_m * rng.uniform(0.7, 1.2, count), colour * tones,
                 "vegetation", direction)


def hedge(canvas: Canvas, rng, city: City, front: Frame, length: float, height: float) -> None:
    """A clipped hedge: a dark body under rows of leaf clusters."""
    colour = city.leaf(rng)
    canvas.polygons(front.rectangles(0, -0.3, length, height * 0.95), colour * 0.5, "vegetation")
    near = max(front.z, 3.0)
    leaf_m = np.clip(near / 110, 0.1, 0.3)
    count = int(np.clip(length * height / leaf_m**2 * 0.35, 40, 900))
    u, v = rng.uniform(0, length, count), height * rng.uniform(0, 1, count) ** 0.8
    order = np.argsort(-u, kind="stable")
    tones = (0.55 + 0.5 * v / height) * rng.uniform(0.7, 1.25, count)
    centres = front.at(u, v)[order]
    normals = np.broadcast_to([0.0, 0.8, -0.6], centres.shape)
    canvas.balls(centres, leaf_m * rng.uniform(0.6, 1.2, count), colour * tones[order, None], "vegetation", normals)
