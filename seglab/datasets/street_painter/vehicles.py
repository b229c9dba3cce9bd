"""Vehicles: cars, vans, trucks, buses and trams.

Every function draws one vehicle whose middle stands at the origin of `frame`, with `u` where it drives.
Its body is a side view spanned across its width; on it come the details of the side and of the end that
the camera sees.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from seglab.datasets.street_painter.canvas import Canvas, Frame, Pen
from seglab.datasets.street_painter.cities import grey, paint

_TYRE = np.array([30.0, 30, 33])
_GLASS = np.array([52.0, 62, 72])
_CHASSIS = grey(46)
_HEADLAMP = np.array([250.0, 248, 232])
_TAILLAMP = np.array([196.0, 26, 24])
_PLATE = np.array([236.0, 236, 226])
_DISPLAY = np.array([246.0, 170, 45])
_PAIR = np.array([-1.0, 1.0])  # left and right


@dataclass(frozen=True)
class _Body:
    """The shape of a vehicle.

    Args:
        profile: Its side view, shares of length and height, from the front bumper over the roof to the rear.
        glass: Numbers of the profile's points that begin a window across the whole width.
        length: In metres, as are the following.
        width: Across the wheels.
        height: Of the roof.
        belt: The body narrows above this share of the height.
        wheels: Position along the vehicle and radius of each axle's wheels.
    """

    profile: tuple[tuple[float, float], ...]
    glass: tuple[int, ...]
    length: float
    width: float
    height: float
    belt: float = 1.0
    wheels: tuple[tuple[float, float], ...] = ()

    def outline(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of the profile's points: position along the vehicle, height, and half the width there."""
        along, up = np.array(self.profile).T
        narrowing = 0.2 * np.clip((up - self.belt) / (1 - self.belt + 1e-9), 0, 1)
        return (along - 0.5) * self.length, up * self.height, (1 - narrowing) * self.width / 2


def _car_body(profile, glass, length: float, width: float, height: float) -> _Body:
    wheels = ((-0.31 * length, 0.33), (0.31 * length, 0.33))
    return _Body(profile, glass, length, width, height, 0.62, wheels)


_SALOON = (
    (1.0, 0.16), (1.0, 0.44), (0.95, 0.56), (0.72, 0.64), (0.57, 0.97), (0.5, 1.0),
    (0.34, 0.98), (0.17, 0.68), (0.02, 0.63), (0.0, 0.5), (0.0, 0.18),
)
_HATCHBACK = (
    (1.0, 0.16), (1.0, 0.42), (0.94, 0.55), (0.72, 0.64), (0.55, 0.96), (0.44, 1.0),
    (0.12, 0.95), (0.02, 0.62), (0.0, 0.45), (0.0, 0.18),
)
_VAN = (
    (1.0, 0.13), (1.0, 0.36), (0.94, 0.48), (0.86, 0.54), (0.72, 0.95), (0.66, 1.0),
    (0.03, 0.98), (0.0, 0.55), (0.0, 0.14),
)
# With each body the shares of its length between which the side windows lie, and its share of all cars.
_CARS = (
    (_car_body(_SALOON, (3, 6), 4.6, 1.82, 1.46), (0.22, 0.68), 0.35),
    (_car_body(_HATCHBACK, (3, 6), 4.1, 1.78, 1.52), (0.10, 0.68), 0.35),
    (_car_body(_HATCHBACK, (3, 6), 4.5, 1.90, 1.72), (0.09, 0.68), 0.2),
    (_car_body(_VAN, (3, 6), 4.9, 1.95, 1.95), (0.06, 0.80), 0.1),
)


def car(canvas: Canvas, rng: Generator, frame: Frame) -> None:
    """A saloon, hatchback, off-roader or small van."""
    body, windows, _ = _CARS[rng.choice(len(_CARS), p=[share for *_, share in _CARS])]
    pen, colour = Pen(canvas, frame, "car"), paint(rng)
    _paint_body(pen, body, colour)
    side = _near_side(pen, body.width)
    if side:
        _car_side(pen, body, windows, side * body.width / 2, colour)
    end, front = _near_end(pen, body.length)
    half, height = body.width / 2, body.height
    end.rectangles(-half, 0.17 * height, half, 0.28 * height, np.minimum(colour * 0.55, 90))
    lamps = half * 0.72 * _PAIR
    end.rectangles(lamps - 0.21, 0.4 * height, lamps + 0.21, 0.52 * height, _HEADLAMP if front else _TAILLAMP)
    if front:
        end.rectangles(-0.42, 0.29 * height, 0.42, 0.45 * height, grey(36))
    end.rectangles(-0.27, 0.26 * height, 0.27, 0.345 * height, _PLATE)


def _car_side(pen: Pen, body: _Body, windows: tuple[float, float], w: float, colour: np.ndarray) -> None:
    """Two windows, doors with handles, sill and wheels."""
    length, height = body.length, body.height
    rear, front = (share * length - length / 2 for share in windows)
    middle = (rear + front) / 2
    roof, waist, lean = 0.93 * height, 0.66 * height, np.array([1, 1, 0.8, 0.8]) * w
    behind, ahead = middle - 0.05, middle + 0.05
    for corners in ([rear, behind, behind, rear + 0.42], [ahead, front, front - 0.5, ahead]):
        pen.polygon(corners, [waist, waist, roof, roof], _GLASS, lean)
    gaps = np.array([rear, middle, front])
    pen.rectangles(gaps - 0.02, 0.2 * height, gaps + 0.02, waist, colour * 0.7, w)
    pen.rectangles(-length * 0.49, 0.2 * height, length * 0.49, 0.4 * height, colour * 0.86, w)
    pen.rectangles(-length * 0.33, 0.16 * height, length * 0.33, 0.22 * height, colour * 0.45, w)
    handles = middle + np.array([-0.28, 0.28])
    pen.rectangles(handles - 0.08, 0.57 * height, handles + 0.08, 0.6 * height, colour * 0.4, w)
    _paint_wheels(pen, body, w)


def truck(canvas: Canvas, rng: Generator, frame: Frame) -> None:
    """A lorry: a cab, and behind a gap a box, a tarpaulin or an open tipper on a dark chassis."""
    pen = Pen(canvas, frame, "truck")
    length, width = rng.uniform(6.8, 9.5), 2.5
    kind = rng.choice(["box", "box", "tarpaulin", "tipper"])
    top = 2.3 if kind == "tipper" else rng.uniform(3.2, 3.8)
    colour, load_colour = paint(rng), paint(rng)
    back, front = -length / 2, length / 2
    chassis = _box(length, width, 1.0, 0.5, wheels=((front - 1.2, 0.5), (back + 1.0, 0.5), (back + 2.2, 0.5)))
    cab, load = _box(2.1, width, 2.8, 0.35, rake=0.07), _box(length - 2.5, width, top, 0.95)
    cab_pen, load_pen = pen.moved(u=front - 1.05), pen.moved(u=-1.25)
    side, eye_u = _near_side(pen, width), pen.eye()[0]
    _paint_body(pen, chassis, _CHASSIS)

    def paint_cab():
        _paint_body(cab_pen, cab, colour)
        _cab_details(cab_pen, side * width / 2, colour)

    def paint_load():
        _paint_body(load_pen, load, load_colour)
        if side:
            _load_side(load_pen, rng, load, kind, side * width / 2, load_colour)
        if eye_u < 0:
            _truck_rear(pen.moved(u=back, turn=np.pi / 2), width / 2, top, load_colour)

    far_first = (paint_cab, paint_load) if eye_u < 0 else (paint_load, paint_cab)
    for paint_part in far_first:
        paint_part()
    if side:
        _paint_wheels(pen, chassis, side * width / 2)


def _cab_details(cab: Pen, w: float, colour: np.ndarray) -> None:
    """Side window and door where the side is seen (`w` is not 0); windscreen, grille and lamps in front."""
    if w:
        cab.polygon([-0.6, 0.75, 0.6, -0.6], [1.55, 1.55, 2.45, 2.45], _GLASS, w)
        cab.rectangles(-0.7, 0.6, -0.64, 2.6, colour * 0.6, w)
    end, front = _near_end(cab, 2.1)
    if front:
        grille = 0.75 + 0.16 * np.arange(4)
        end.rectangles(-1.1, 1.5, 1.1, 2.4, _GLASS)
        end.rectangles(-0.8, grille, 0.8, grille + 0.08, grey(40))
        end.rectangles(0.95 * _PAIR - 0.2, 0.5, 0.95 * _PAIR + 0.2, 0.75, _HEADLAMP)
        end.rectangles(-1.22, 0.35, 1.22, 0.48, grey(50))


def _load_side(load: Pen, rng: Generator, body: _Body, kind: str, w: float, colour: np.ndarray) -> None:
    """Ribs, close together on a tarpaulin or tipper; a painted stripe on a box."""
    half, top = body.length / 2, body.height
    ribs = np.arange(0.3 - half, half, 1.8 if kind == "box" else 0.9)
    load.rectangles(ribs, 1.05, ribs + 0.08, top - 0.08, colour * 0.68, w)
    if kind == "box":
        load.rectangles(-half * 0.72, 1.7, half * 0.72, top - 0.8, paint(rng), w)
    load.rectangles(-half, top - 0.14, half, top, colour * 0.6, w)
    load.rectangles(-half, 0.95, half, 1.1, colour * 0.5, w)


def _truck_rear(end: Pen, half: float, top: float, colour: np.ndarray) -> None:
    """Double doors with locking bars, lamps, and a striped under-run bar."""
    edges = np.array([0.04 - half, 0.0, half - 0.04])
    end.rectangles(-half, 0.95, half, top, colour * 0.9)
    end.rectangles(edges - 0.04, 0.95, edges + 0.04, top, colour * 0.55)
    end.rectangles(0.46 * _PAIR - 0.04, 1.05, 0.46 * _PAIR + 0.04, top - 0.1, grey(190))
    end.rectangles(-half, 0.45, half, 0.95, _CHASSIS)
    lamps = (half - 0.2) * _PAIR
    end.rectangles(lamps - 0.2, 0.7, lamps + 0.2, 0.92, _TAILLAMP)
    stripes = np.linspace(-half, half, 9)
    end.rectangles(stripes[:-1], 0.5, stripes[1:], 0.64, np.stack([_PLATE, _TAILLAMP] * 4))


def bus(canvas: Canvas, rng: Generator, frame: Frame) -> None:
    """A city bus: a long box with one band of windows, doors, a destination display, two wheels a side."""
    pen = Pen(canvas, frame, "bus")
    half_length, width = rng.uniform(5.2, 6.3), 2.55
    colour, lower = paint(rng), paint(rng)
    wheels = ((half_length - 2.6, 0.5), (3.2 - half_length, 0.5))
    body = _box(2 * half_length, width, 3.1, 0.3, rake=0.02, wheels=wheels)
    _paint_body(pen, body, colour)
    side = _near_side(pen, width)
    if side:
        w = side * width / 2
        posts = np.arange(1.8 - half_length, half_length - 0.5, 1.45)
        doors = np.array([half_length - 1.4, -0.6])
        pen.rectangles(-half_length, 0.35, half_length, 1.05, lower, w)
        pen.rectangles(0.4 - half_length, 1.3, half_length - 0.1, 2.45, _GLASS, w)
        pen.rectangles(posts, 1.3, posts + 0.1, 2.45, _GLASS * 0.45, w)
        pen.rectangles(doors, 0.4, doors + 1.2, 2.5, _GLASS * 0.8, w)
        pen.rectangles(doors + 0.56, 0.4, doors + 0.64, 2.5, colour, w)
        pen.rectangles(-1.5, 2.6, 1.0, 2.85, _DISPLAY, w)
        _paint_wheels(pen, body, w)
    end, front = _near_end(pen, body.length)
    end.rectangles(-1.2, 0.35, 1.2, 1.0, lower)
    end.rectangles(-1.15, 1.2 if front else 1.7, 1.15, 2.5, _GLASS)
    end.rectangles(-0.8, 2.6, 0.8, 2.9, grey(24))
    end.rectangles(-0.65, 2.67, 0.45, 2.83, _DISPLAY)
    end.rectangles(0.98 * _PAIR - 0.2, 0.7, 0.98 * _PAIR + 0.2, 0.95, _HEADLAMP if front else _TAILLAMP)
    end.rectangles(-1.27, 0.3, 1.27, 0.45, _CHASSIS)


_TRAM = _Body(
    ((1.0, 0.1), (1.0, 0.35), (0.94, 0.85), (0.9, 1.0), (0.1, 1.0), (0.06, 0.85), (0.0, 0.35), (0.0, 0.1)),
    glass=(1, 5), length=9.5, width=2.5, height=3.4,
)


def tram(canvas: Canvas, rng: Generator, frame: Frame) -> None:
    """A tram of two joined cars: high windows all along, dark bellows, a pantograph on the roof."""
    pen = Pen(canvas, frame, "train")
    colour, band = paint(rng), paint(rng)
    eye_u, _ = pen.eye()
    middles = (_TRAM.length + 0.7) / 2 * _PAIR
    for u in sorted(middles, key=lambda u: -abs(eye_u - u)):
        _tram_car(pen.moved(u=u), colour, band)
    roof = pen.moved(v=_TRAM.height)
    foot, knee, head = (0.0, 0.1), (0.9, 0.75), (0.0, 1.5)
    for start, end in ((foot, knee), (knee, head), ((*head, -0.8), (*head, 0.8))):
        roof.limb(start, end, 0.06, 0.06, grey(60))
    roof.rectangles(-0.3 * _TRAM.length, 0, 0.3 * _TRAM.length, 0.3, grey(105))


def _tram_car(car: Pen, colour: np.ndarray, band: np.ndarray) -> None:
    half = _TRAM.length / 2
    bellows = _box(_TRAM.length + 0.7, 0.9 * _TRAM.width, 0.95 * _TRAM.height, 0.4)
    _paint_body(car, bellows, grey(48))
    _paint_body(car, _TRAM, colour)
    side = _near_side(car, _TRAM.width)
    if side:
        w = side * _TRAM.width / 2
        panes, doors = np.arange(0.6 - half, half - 1.0, 1.05), np.array([-2.4, 1.6])
        car.rectangles(-half, 0.3, half, 0.62, grey(58), w)
        car.rectangles(0.1 - half, 2.75, half - 0.1, 3.0, band, w)
        car.rectangles(panes, 1.25, panes + 0.85, 2.6, _GLASS, w)
        car.rectangles(doors, 0.45, doors + 1.0, 2.65, band, w)
        car.rectangles(doors + 0.12, 0.9, doors + 0.88, 2.5, _GLASS, w)
    end, front = _near_end(car, _TRAM.length)
    end.rectangles(-1.2, 0.45, 1.2, 0.75, grey(58))
    end.rectangles(-1.2, 0.75, 1.2, 1.15, band)
    for u in (-0.8, 0.8):
        end.disc(u, 0.95, 0.16, _HEADLAMP if front else _TAILLAMP)


def _box(
    length: float, width: float, height: float, floor: float, rake: float = 0.0, wheels: tuple = ()
) -> _Body:
    """A box that begins `floor` metres above the ground, its front raked by a share of the length."""
    low = floor / height
    profile = ((1.0, low), (1.0 - rake, 1.0), (0.0, 1.0), (0.0, low))
    return _Body(profile, (), length, width, height, wheels=wheels)


def _paint_body(pen: Pen, body: _Body, colour: np.ndarray) -> None:
    """Paints underside and wheels, the body from its far to its near end, and the side that is seen."""
    u, v, half = body.outline()
    if body.wheels:
        corners = np.array([[-1, 1, 1, -1], [-1, -1, 1, 1]]) * [[0.46 * body.length], [0.46 * body.width]]
        pen.polygon(corners[0], 0.26, grey(16), corners[1])
    for wheel, radius in body.wheels:
        for w in (body.width / 2 - 0.15) * _PAIR:
            pen.disc(wheel, radius, radius, _TYRE, w)
            pen.polygon(wheel, radius * np.array([0, 0, 2, 2]), _TYRE, w + np.array([-0.1, 0.1, 0.1, -0.1]))
    eye_u, _ = pen.eye()
    for i in sorted(range(len(u) - 1), key=lambda i: -abs(eye_u - (u[i] + u[i + 1]) / 2)):
        corners = [i, i, i + 1, i + 1]
        across = half[corners] * [-1, 1, 1, -1]
        pen.polygon(u[corners], v[corners], _GLASS if i in body.glass else colour, across)
    side = _near_side(pen, body.width)
    if side:
        pen.polygon(u, v, colour, side * half)


def _paint_wheels(pen: Pen, body: _Body, w: float) -> None:
    """Tyres with a bright hub in a dark arch, in the plane of one side."""
    for u, radius in body.wheels:
        pen.disc(u, radius, radius * 1.18, grey(18), w)
        pen.disc(u, radius, radius, _TYRE, w)
        pen.disc(u, radius, radius * 0.62, grey(168), w, corners=10)
        pen.disc(u, radius, radius * 0.22, grey(70), w, corners=8)


def _near_side(pen: Pen, width: float) -> int:
    """Which side the camera sees: +1 the right one, -1 the left one, 0 none."""
    _, eye_w = pen.eye()
    return 0 if abs(eye_w) < width / 2 else int(np.sign(eye_w))


def _near_end(pen: Pen, length: float) -> tuple[Pen, bool]:
    """A pen for the end that faces the camera, `u` across it, and whether it is the front."""
    eye_u, _ = pen.eye()
    front = bool(eye_u > 0)
    return pen.moved(u=(0.5 if front else -0.5) * length, turn=np.pi / 2), front
