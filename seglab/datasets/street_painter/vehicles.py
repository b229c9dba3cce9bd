"""Vehicles: cars, vans, trucks, buses and trams.

Every function draws one vehicle whose middle stands at the origin of `frame`, `u` pointing where it drives.
"""

from __future__ import annotations

import numpy as np

from seglab.datasets.street_painter.canvas import Canvas, Frame
from seglab.datasets.street_painter.cities import paint

_TYRE = np.array([30.0, 30, 33])
_GLASS = np.array([52.0, 62, 72])
_HEADLAMP = np.array([250.0, 248, 232])
_TAILLAMP = np.array([196.0, 26, 24])
_PLATE = np.array([236.0, 236, 226])

# Side views, from the front bumper over the roof to the rear: (share of the length, share of the height, part).
# The part names the surface from that point to the next one.
_SALOON = (
    (1.0, 0.16, "paint"), (1.0, 0.44, "paint"), (0.95, 0.56, "paint"), (0.72, 0.64, "glass"), (0.57, 0.97, "paint"),
    (0.50, 1.0, "paint"), (0.34, 0.98, "glass"), (0.17, 0.68, "paint"), (0.02, 0.63, "paint"), (0.0, 0.50, "paint"),
    (0.0, 0.18, "end"),
)
_HATCHBACK = (
    (1.0, 0.16, "paint"), (1.0, 0.42, "paint"), (0.94, 0.55, "paint"), (0.72, 0.64, "glass"), (0.55, 0.96, "paint"),
    (0.44, 1.0, "paint"), (0.12, 0.95, "glass"), (0.02, 0.62, "paint"), (0.0, 0.45, "paint"), (0.0, 0.18, "end"),
)
_VAN = (
    (1.0, 0.13, "paint"), (1.0, 0.36, "paint"), (0.94, 0.48, "paint"), (0.86, 0.54, "glass"), (0.72, 0.95, "paint"),
    (0.66, 1.0, "paint"), (0.03, 0.98, "glass"), (0.0, 0.55, "paint"), (0.0, 0.14, "end"),
)
_CAR_SHAPES = (  # profile, length, width, height in metres, share of the length at which the side windows begin and end
    (_SALOON, 4.6, 1.82, 1.46, (0.22, 0.68)),
    (_HATCHBACK, 4.1, 1.78, 1.52, (0.10, 0.68)),
    (_HATCHBACK, 4.5, 1.9, 1.72, (0.09, 0.68)),
    (_VAN, 4.9, 1.95, 1.95, (0.06, 0.80)),
)


def car(canvas: Canvas, rng, frame: Frame) -> None:
    """A saloon, hatchback, off-roader or small van."""
    profile, length, width, height, windows = _CAR_SHAPES[rng.choice(4, p=[0.35, 0.35, 0.2, 0.1])]
    colour, belt = paint(rng), 0.62 * height
    _shadowed_floor(canvas, frame, length, width, "car")
    wheels = [(0.19 * length - length / 2, 0.33), (0.81 * length - length / 2, 0.33)]
    _body(canvas, frame, profile, length, width, height, belt, colour, "car", wheels)
    side = _near_side(canvas, frame, width)
    if side:
        u0, u1 = (share * length - length / 2 for share in windows)
        w = side * width / 2
        roof, waist, inner = 0.93 * height, 0.66 * height, 0.8
        pillars = u0 + (u1 - u0) * np.array([0.0, 0.5, 1.0])
        for start, end, lean_start, lean_end in (
            (pillars[0], pillars[1] - 0.05, 0.42, 0.0), (pillars[1] + 0.05, pillars[2], 0.0, 0.5),
        ):
            glass = frame.at([start, end, end - lean_end, start + lean_start], [waist, waist, roof, roof],
                             np.array([1, 1, inner, inner]) * w)
            canvas.polygon(glass, _GLASS, "car")
        canvas.polygons(frame.rectangles(pillars - 0.02, 0.2 * height, pillars + 0.02, waist, w), colour * 0.7, "car")
        canvas.polygons(frame.rectangles(-length * 0.33, 0.16 * height, length * 0.33, 0.22 * height, w),
                        colour * 0.45, "car")
        canvas.polygons(frame.rectangles(pillars[1] - np.array([0.35, -0.2]), 0.57 * height,
                                         pillars[1] - np.array([0.2, -0.35]), 0.6 * height, w), colour * 0.4, "car")
        _wheels(canvas, frame, wheels, w, "car")
    _car_end(canvas, frame, length, width, height, colour)


def _car_end(canvas: Canvas, frame: Frame, length: float, width: float, height: float, colour) -> None:
    """Lamps, number plate, bumper and, at the front, a grille."""
    end, front = _near_end(canvas, frame, length)
    half = width / 2
    bumper = end.rectangles(-half, 0.17 * height, half, 0.28 * height)
    canvas.polygons(bumper, np.minimum(colour * 0.55, 90), "car")
    lamp = _HEADLAMP if front else _TAILLAMP
    outer, inner = np.array([-half + 0.04, half - 0.46]), np.array([-half + 0.46, half - 0.04])
    canvas.polygons(end.rectangles(outer, 0.4 * height, inner, 0.52 * height), lamp, "car")
    if front:
        canvas.polygons(end.rectangles(-0.42, 0.29 * height, 0.42, 0.45 * height), np.full(3, 36.0), "car")
    canvas.polygons(end.rectangles(-0.27, 0.26 * height, 0.27, 0.345 * height), _PLATE, "car")


def truck(canvas: Canvas, rng, frame: Frame) -> None:
    """A lorry: a cab with a high windscreen, and behind a gap a box, a tarpaulin or an open tipper on a dark chassis."""
    length, width, height = rng.uniform(6.8, 9.5), 2.5, rng.uniform(3.2, 3.8)
    colour, cargo = paint(rng), paint(rng)
    kind = rng.choice(["box", "box", "tarpaulin", "tipper"])
    top = height if kind != "tipper" else 2.3
    cab = 2.1
    _shadowed_floor(canvas, frame, length, width, "truck")
    wheels = [(length / 2 - 1.2, 0.5), (-length / 2 + 1.0, 0.5), (-length / 2 + 2.2, 0.5)]
    side = _near_side(canvas, frame, width)
    _wheels(canvas, frame, wheels, -width / 2, "truck")
    _wheels(canvas, frame, wheels, width / 2, "truck")
    canvas.polygons(frame.rectangles(-length / 2, 0.55, length / 2, 1.0, side * width / 2), np.full(3, 44.0), "truck")
    eye_u, _ = canvas.camera.eye_in(frame)
    parts = [
        (frame.moved(u=length / 2 - cab / 2), _box_profile(0.35 / height, 0.85), cab, 2.8, colour),
        (frame.moved(u=-cab / 2 - 0.1), _box_profile(0.95 / top, 1.0), length - cab - 0.4, top, cargo),
    ]
    for place, profile, part_length, part_height, tone in sorted(parts, key=lambda p: -abs(p[0].z)):
        _body(canvas, place, profile, part_length, width, part_height, 99, tone, "truck", [])
        if place is parts[0][0]:
            _cab_details(canvas, place, cab, width, side, colour)
        elif side:
            _cargo_side(canvas, rng, place, part_length, top, side * width / 2, cargo, kind)
    if side:
        _wheels(canvas, frame, wheels, side * width / 2, "truck")
    if eye_u < 0:
        _truck_rear(canvas, frame.moved(u=-length / 2, turn=np.pi / 2), width, top, cargo)


def _cab_details(canvas: Canvas, cab: Frame, length: float, width: float, side: int, colour) -> None:
    if side:
        w = side * width / 2
        canvas.polygon(cab.at([-0.6, 0.75, 0.55, -0.6], [1.55, 1.55, 2.45, 2.45], w), _GLASS, "truck")
        canvas.polygons(cab.rectangles(-0.7, 0.6, -0.64, 2.6, w), colour * 0.6, "truck")
    end, front = _near_end(canvas, cab, length)
    if front:
        canvas.polygons(end.rectangles(-1.1, 1.5, 1.1, 2.4), _GLASS, "truck")
        canvas.polygons(end.rectangles(-0.8, 0.75 + 0.16 * np.arange(4), 0.8, 0.83 + 0.16 * np.arange(4)),
                        np.full(3, 40.0), "truck")
        canvas.polygons(end.rectangles(np.array([-1.15, 0.75]), 0.5, np.array([-0.75, 1.15]), 0.75), _HEADLAMP, "truck")
        canvas.polygons(end.rectangles(-1.22, 0.35, 1.22, 0.48), np.full(3, 50.0), "truck")


def _cargo_side(canvas: Canvas, rng, box: Frame, length: float, top: float, w: float, colour, kind: str) -> None:
    """Ribs of the load's side: upright ones on a tarpaulin or tipper, a painted stripe and seams on a box."""
    ribs = np.arange(-length / 2 + 0.3, length / 2, 0.9 if kind != "box" else 1.8)
    canvas.polygons(box.rectangles(ribs, 1.05, ribs + 0.08, top - 0.08, w), colour * 0.68, "truck")
    if kind == "box":
        stripe = paint(rng)
        canvas.polygons(box.rectangles(-length * 0.36, 1.7, length * 0.36, top - 0.8, w), stripe, "truck")
    canvas.polygons(box.rectangles(-length / 2, top - 0.14, length / 2, top, w), colour * 0.6, "truck")
    canvas.polygons(box.rectangles(-length / 2, 0.95, length / 2, 1.1, w), colour * 0.5, "truck")


def _truck_rear(canvas: Canvas, end: Frame, width: float, top: float, colour) -> None:
    """Double doors with bars, lamps and an under-run bar."""
    half = width / 2
    canvas.polygons(end.rectangles(-half, 0.95, half, top), colour * 0.9, "truck")
    canvas.polygons(end.rectangles(np.array([-half, -0.04, half - 0.08]), 0.95, np.array([-half + 0.08, 0.04, half]),
                                   top), colour * 0.55, "truck")
    canvas.polygons(end.rectangles(np.array([-0.5, 0.42]), 1.05, np.array([-0.42, 0.5]), top - 0.1),
                    np.full(3, 190.0), "truck")
    canvas.polygons(end.rectangles(-half, 0.45, half, 0.95), np.full(3, 42.0), "truck")
    canvas.polygons(end.rectangles(np.array([-half, half - 0.4]), 0.7, np.array([-half + 0.4, half]), 0.92), _TAILLAMP,
                    "truck")
    stripes = np.linspace(-half, half, 9)
    tones = np.where(np.arange(8)[:, None] % 2, _TAILLAMP, _PLATE)
    canvas.polygons(end.rectangles(stripes[:-1], 0.5, stripes[1:], 0.64), tones, "truck")


def bus(canvas: Canvas, rng, frame: Frame) -> None:
    """A city bus: a long box with one band of windows, doors, a destination board and two wheels a side."""
    length, width, height = rng.uniform(10.5, 12.5), 2.55, 3.1
    colour, lower = paint(rng), paint(rng)
    _shadowed_floor(canvas, frame, length, width, "bus")
    wheels = [(length / 2 - 2.6, 0.5), (-length / 2 + 3.2, 0.5)]
    _body(canvas, frame, _box_profile(0.3 / height, 0.98), length, width, height, 99, colour, "bus", wheels)
    side = _near_side(canvas, frame, width)
    if side:
        w = side * width / 2
        canvas.polygons(frame.rectangles(-length / 2, 0.35, length / 2, 1.05, w), lower, "bus")
        canvas.polygons(frame.rectangles(-length / 2 + 0.4, 1.3, length / 2 - 0.1, 2.45, w), _GLASS, "bus")
        posts = np.arange(-length / 2 + 1.8, length / 2 - 0.5, 1.45)
        canvas.polygons(frame.rectangles(posts, 1.3, posts + 0.1, 2.45, w), _GLASS * 0.45, "bus")
        doors = np.array([length / 2 - 1.4, -0.6])
        canvas.polygons(frame.rectangles(doors, 0.4, doors + 1.2, 2.5, w), _GLASS * 0.8, "bus")
        canvas.polygons(frame.rectangles(doors + 0.56, 0.4, doors + 0.64, 2.5, w), colour, "bus")
        canvas.polygons(frame.rectangles(-1.5, 2.6, 1.0, 2.85, w), np.array([240.0, 170, 50]), "bus")
        _wheels(canvas, frame, wheels, w, "bus")
    end, front = _near_end(canvas, frame, length)
    canvas.polygons(end.rectangles(-1.2, 0.35, 1.2, 1.0), lower, "bus")
    canvas.polygons(end.rectangles(-1.15, 1.2 if front else 1.7, 1.15, 2.5), _GLASS, "bus")
    canvas.polygons(end.rectangles(-0.8, 2.6, 0.8, 2.9), np.full(3, 24.0), "bus")
    canvas.polygons(end.rectangles(-0.65, 2.67, 0.45, 2.83), np.array([250.0, 170, 40]), "bus")
    canvas.polygons(end.rectangles(np.array([-1.18, 0.78]), 0.7, np.array([-0.78, 1.18]), 0.95),
                    _HEADLAMP if front else _TAILLAMP, "bus")
    canvas.polygons(end.rectangles(-1.27, 0.3, 1.27, 0.45), np.full(3, 46.0), "bus")


def tram(canvas: Canvas, rng, frame: Frame, cars: int) -> None:
    """A tram of `cars` joined cars on rails: high windows all along, dark bellows, one lamp, a pantograph on top."""
    length, width, height = 9.5, 2.5, 3.4
    colour, band = paint(rng), paint(rng)
    eye_u, _ = canvas.camera.eye_in(frame)
    offsets = (np.arange(cars) - (cars - 1) / 2) * (length + 0.7)
    for offset in sorted(offsets, key=lambda u: -abs(eye_u - u)):
        _tram_car(canvas, frame.moved(u=offset), length, width, height, colour, band)
    roof = frame.moved(v=height)
    knee, foot, head = roof.at(0.9, 0.75), roof.at(0, 0.1), roof.at(0, 1.5)
    for start, end in ((foot, knee), (knee, head), (roof.at(0, 1.5, -0.8), roof.at(0, 1.5, 0.8))):
        canvas.limb(start, end, 0.06, 0.06, np.full(3, 60.0), "train")
    canvas.polygons(roof.rectangles(-length * 0.3, 0, length * 0.3, 0.3), np.full(3, 105.0), "train")


def _tram_car(canvas: Canvas, car: Frame, length: float, width: float, height: float, colour, band) -> None:
    side = _near_side(canvas, car, width)
    bellows = _box_profile(0.4 / height, 1.0)
    _body(canvas, car, bellows, length + 0.7, width * 0.9, height * 0.95, 99, np.full(3, 48.0), "train", [])
    profile = (
        (1.0, 0.1, "paint"), (1.0, 0.35, "glass"), (0.94, 0.85, "paint"), (0.9, 1.0, "paint"), (0.1, 1.0, "paint"),
        (0.06, 0.85, "glass"), (0.0, 0.35, "paint"), (0.0, 0.1, "end"),
    )
    _body(canvas, car, profile, length, width, height, 99, colour, "train", [])
    if side:
        w = side * width / 2
        canvas.polygons(car.rectangles(-length / 2, 0.3, length / 2, 0.62, w), np.full(3, 58.0), "train")
        canvas.polygons(car.rectangles(-length / 2 + 0.1, 2.75, length / 2 - 0.1, 3.0, w), band, "train")
        panes = np.arange(-length / 2 + 0.6, length / 2 - 1.0, 1.05)
        canvas.polygons(car.rectangles(panes, 1.25, panes + 0.85, 2.6, w), _GLASS, "train")
        door = np.array([-2.4, 1.6])
        canvas.polygons(car.rectangles(door, 0.45, door + 1.0, 2.65, w), band, "train")
        canvas.polygons(car.rectangles(door + 0.12, 0.9, door + 0.88, 2.5, w), _GLASS, "train")
    end, front = _near_end(canvas, car, length)
    canvas.polygons(end.rectangles(-1.2, 0.45, 1.2, 0.75), np.full(3, 58.0), "train")
    canvas.polygons(end.rectangles(-1.2, 0.75, 1.2, 1.15), band, "train")
    lamps = _HEADLAMP if front else _TAILLAMP
    for w in (-0.8, 0.8):
        canvas.polygon(end.disc(w, 0.95, 0.16), lamps, "train")


def _box_profile(floor: float, shoulder: float) -> tuple:
    """The side view of a box, with a slightly raked front."""
    return ((1.0, floor, "paint"), (shoulder * 0.5 + 0.5, 1.0, "paint"), (0.0, 1.0, "paint"), (0.0, floor, "end"))


def _body(
    canvas: Canvas, frame: Frame, profile: tuple, length: float, width: float, height: float, belt: float, colour,
    label: str, wheels: list,
) -> None:
    """Spans a side view across the vehicle's width, narrower above `belt`, and fills the side that is seen."""
    u = np.array([p[0] for p in profile]) * length - length / 2
    v = np.array([p[1] for p in profile]) * height
    half = width / 2 * (1 - 0.2 * np.clip((v - belt) / max(height - belt, 0.1), 0, 1))
    eye_u, _ = canvas.camera.eye_in(frame)
    for wheel_u, radius in wheels:
        for w in (-width / 2 + 0.05, width / 2 - 0.05):
            canvas.polygon(frame.disc(wheel_u, radius, radius, w), _TYRE, label)
    strips = range(len(profile) - 1)
    for i in sorted(strips, key=lambda i: -abs(eye_u - (u[i] + u[i + 1]) / 2)):
        strip = frame.at(u[[i, i, i + 1, i + 1]], v[[i, i, i + 1, i + 1]], half[[i, i, i + 1, i + 1]] * [-1, 1, 1, -1])
        canvas.polygon(strip, _GLASS if profile[i][2] == "glass" else colour, label)
        if profile[i][2] == "glass":
            continue
    side = _near_side(canvas, frame, width)
    if side:
        canvas.polygon(frame.at(u, v, side * half), colour, label)


def _shadowed_floor(canvas: Canvas, frame: Frame, length: float, width: float, label: str) -> None:
    """The dark underside, seen between the wheels."""
    corners = frame.at(np.array([-1, 1, 1, -1]) * length * 0.46, 0.26, np.array([-1, -1, 1, 1]) * width * 0.46)
    canvas.polygon(corners, np.full(3, 16.0), label)


def _wheels(canvas: Canvas, frame: Frame, wheels: list, w: float, label: str) -> None:
    """Tyres with a bright spoked hub, in the plane of one side."""
    for u, radius in wheels:
        canvas.polygon(frame.disc(u, radius, radius * 1.18, w), np.full(3, 18.0), label)
        canvas.polygon(frame.disc(u, radius, radius, w), _TYRE, label)
        canvas.polygon(frame.disc(u, radius, radius * 0.62, w, corners=10), np.full(3, 168.0), label)
        canvas.polygon(frame.disc(u, radius, radius * 0.22, w, corners=8), np.full(3, 70.0), label)


def _near_side(canvas: Canvas, frame: Frame, width: float) -> int:
    """Which side the camera sees: +1 the right one, -1 the left one, 0 none."""
    _, eye_w = canvas.camera.eye_in(frame)
    return 0 if abs(eye_w) < width / 2 else int(np.sign(eye_w))


def _near_end(canvas: Canvas, frame: Frame, length: float) -> tuple[Frame, bool]:
    """The frame of the end that faces the camera, `u` across it, and whether it is the front."""
    eye_u, _ = canvas.camera.eye_in(frame)
    front = bool(eye_u > 0)
    return frame.moved(u=(0.5 if front else -0.5) * length, turn=np.pi / 2), front
