"""Decides what stands where in one street, and paints it from far to near."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from seglab.datasets.street_painter import backdrop, furniture, people, roadside, vehicles
from seglab.datasets.street_painter.canvas import FILE_IDS, SUPERSAMPLING, Camera, Canvas, Frame
from seglab.datasets.street_painter.cities import CITIES, City
from seglab.datasets.street_painter.ground import (
    Marking,
    Noise,
    Surface,
    asphalt,
    ballast,
    cobbles,
    grass,
    paint_ground,
    slabs,
)
from seglab.errors import ConfigError

_ACROSS = np.pi / 2  # the heading of whatever crosses the street to the right


@dataclass
class _Stage:
    """The street while it is being furnished: its plan, and the things that wait to be drawn."""

    canvas: Canvas
    rng: np.random.Generator
    city: City
    surfaces: list[Surface] = field(default_factory=list)
    markings: list[Marking] = field(default_factory=list)
    shadows: list[np.ndarray] = field(default_factory=list)
    things: list[tuple[float, Callable[[], None]]] = field(default_factory=list)

    def put(self, z: float, draw: Callable, *args) -> None:
        """Queues a thing whose nearest part is at the distance `z`."""
        self.things.append((z, lambda: draw(*args)))

    def shade(self, x: float, z: float, width: float, length: float, top: float, bottom: float = 0.0) -> None:
        """Notes the shadow of an upright box around (x, z)."""
        box = (x - width / 2, x + width / 2, z - length / 2, z + length / 2)
        self.shadows.append(self.canvas.light.shadow(*box, top, bottom))


@dataclass(frozen=True)
class _Side:
    """One side of the street, from the carriageway outwards; `sign` is +1 on the right, -1 on the left."""

    sign: int
    kerb: float
    walk: float
    front: float

    def x(self, share: float) -> float:
        """A place on the pavement: 0 at its inner edge, 1 at the fronts of the houses."""
        return self.walk + share * (self.front - self.walk)


def render_scene(
    rng: np.random.Generator, city: City | str, size: tuple[int, int] = (256, 512)
) -> tuple[np.ndarray, np.ndarray]:
    """Paints one street picture.

    Args:
        rng: The only source of chance; the same state gives the same picture.
        city: One of `CITIES`, or its name.
        size: Height and width in pixels.

    Returns:
        The picture, uint8 (H, W, 3) RGB, and its mask, uint8 (H, W) of Cityscapes file ids.

    Raises:
        ConfigError: If there is no such city.
    """
    if isinstance(city, str):
        names = {c.name: c for c in CITIES}
        if city not in names:
            raise ConfigError(f"city: got {city!r}, allowed are {', '.join(names)}")
        city = names[city]
    kind, light = backdrop.weather(rng, city)
    canvas = Canvas(_camera(rng, size), light)
    stage = _Stage(canvas, rng, city)
    noise = Noise(rng)
    _furnish(stage, noise)

    backdrop.paint_sky(canvas, rng, kind)
    backdrop.skyline(canvas, rng, city)
    paint_ground(canvas, noise, stage.surfaces, stage.markings, size[0] / 128, stage.shadows)
    for _, draw in sorted(stage.things, key=lambda thing: -thing[0]):
        draw()
    if city.bonnet:
        furniture.bonnet(canvas, city.bonnet * rng.uniform(0.85, 1.1), np.array([70.0, 74, 80]))
    image, labels = canvas.finished()
    labels[:, :1] = labels[:, -1:] = labels[-1:] = FILE_IDS["out of roi"]
    return _developed(rng, image, city), labels


def _camera(rng, size: tuple[int, int]) -> Camera:
    height, width = (SUPERSAMPLING * length for length in size)
    return Camera(
        size=(height, width),
        focal_px=width * rng.uniform(0.82, 1.02),
        horizon_px=height * rng.uniform(0.36, 0.48),
        centre_px=width * rng.uniform(0.42, 0.58),
        eye_m=rng.uniform(1.3, 2.0),
        curve=rng.normal(0, 0.0012),
        hill=rng.uniform(-0.00006, 0.0003),
    )


def _developed(rng, image: np.ndarray, city: City) -> np.ndarray:
    """What lens and sensor add: white balance, contrast, fall-off to the corners and noise."""
    height, width = image.shape[:2]
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    picture = image.astype(np.float32) * (np.array(city.gains, np.float32) * (1 - 0.12 * (x**2 + y**2))[..., None])
    contrast = rng.uniform(0.9, 1.12)
    picture = 120 + (picture - 120) * contrast
    noise = rng.standard_normal((height, width, 3), dtype=np.float32)
    picture += noise * rng.uniform(1.5, 4.5)
    return np.clip(picture + 0.5, 0, 255).astype(np.uint8)


def _furnish(stage: _Stage, noise: Noise) -> None:
    """Plans the whole street."""
    rng = stage.rng
    lanes_left = rng.choice([1, 2], p=[0.75, 0.25])
    lane = rng.uniform(3.1, 3.7)
    left, right = -lane * (lanes_left + 0.5), lane / 2 + rng.uniform(0.2, 0.6)
    junction = rng.uniform(16, 42) if rng.random() < 0.55 else None
    end = rng.uniform(55, 85) if rng.random() < 0.3 else None

    road = stage.city.pavement(rng) * rng.uniform(0.8, 1.0)
    base = Surface("terrain", stage.city.grass(rng), grass(noise), -1e4, 1e4)
    stage.surfaces += [base]
    sides = [_side(stage, noise, -1, left), _side(stage, noise, 1, right)]
    texture = asphalt(noise) if rng.random() < 0.85 else cobbles(noise)
    stage.surfaces.append(Surface("road", road, texture, left, right))
    tracks = rng.random() < 0.3
    _mark_lanes(stage, left, right, lane, lanes_left, tracks)
    gap = (junction, junction + rng.uniform(9, 12)) if junction else (1e3, 1e3)
    if junction:
        _junction(stage, noise, sides, road, gap)
    for side in sides:
        _fronts(stage, side, gap, end)
        _pavement_things(stage, side, gap)
    if end:
        _end_of_street(stage, noise, end)
    _traffic(stage, sides, lane, lanes_left, gap, tracks)
    if rng.random() < 0.08:
        z = rng.uniform(30, 50)
        stage.put(z, roadside.bridge, stage.canvas, rng, z, right + 3.0, 5.5, stage.city.stone(rng))


def _side(stage: _Stage, noise: Noise, sign: int, edge: float) -> _Side:
    """Chooses parking bay, verge and pavement, and lays their surfaces."""
    rng, city = stage.rng, stage.city
    paving = city.pavement(rng) * rng.uniform(1.0, 1.3)
    bay = 2.2 if rng.random() < 0.5 else 0.0
    verge = rng.uniform(1.5, 2.6) if rng.random() < 0.3 else 0.0
    walk = abs(edge) + bay + verge
    front = walk + rng.uniform(2.6, 6.0)

    def lay(label, colour, texture, inner, outer):
        inner, outer = sorted((sign * inner, sign * outer))
        stage.surfaces.append(Surface(label, colour, texture, inner, outer))

    pattern = slabs(noise, rng.uniform(0.5, 0.9))
    lay("sidewalk", paving, pattern, walk - verge, front + rng.choice([0.5, 14]))
    if verge:
        lay("terrain", city.grass(rng), grass(noise), walk - verge, walk)
    if bay:
        lay("parking" if rng.random() < 0.5 else "road", city.pavement(rng) * 0.95, cobbles(noise), abs(edge),
            abs(edge) + bay)
    kerb = abs(edge) + bay
    lay("sidewalk", np.clip(paving * 1.25, 0, 235), asphalt(noise), kerb, kerb + 0.18)
    side = _Side(sign, sign * abs(edge), sign * walk, sign * front)
    if bay:
        _parked(stage, side, sign * (abs(edge) + bay / 2))
    if verge:
        for z in np.arange(rng.uniform(5, 12), 70, rng.uniform(7, 12)):
            _tree(stage, sign * (walk - verge / 2), z)
    return side


def _parked(stage: _Stage, side: _Side, x: float) -> None:
    """A row of parked cars with gaps; on the left they look towards the camera."""
    rng = stage.rng
    for z in np.arange(rng.uniform(4, 9), 60, 6.0):
        if rng.random() < 0.6:
            frame = Frame(x + rng.normal(0, 0.08), z + rng.normal(0, 0.3), 0.0 if side.sign > 0 else np.pi)
            stage.put(z - 2.2, vehicles.car, stage.canvas, rng, frame)
            stage.shade(x, z, 1.8, 4.2, 1.3)


def _tree(stage: _Stage, x: float, z: float) -> None:
    height = stage.rng.uniform(4.5, 8.5)
    stage.put(z, roadside.tree, stage.canvas, stage.rng, stage.city, x, z, height)
    stage.shade(x, z, height * 0.5, height * 0.5, height, height * 0.45)


def _mark_lanes(stage: _Stage, left: float, right: float, lane: float, lanes_left: int, tracks: bool) -> None:
    rng = stage.rng
    colour = (225.0, 225.0, 220.0) if rng.random() < 0.8 else (222.0, 190.0, 90.0)
    middle = -lane / 2
    if rng.random() < 0.9:
        stage.markings.append(Marking(middle - 0.07, middle + 0.07, on=4.0, period=rng.choice([4.0, 9.0]),
                                      colour=colour))
    for number in range(1, lanes_left):
        x = middle - number * lane
        stage.markings.append(Marking(x - 0.06, x + 0.06, on=3.0, period=9.0))
    if rng.random() < 0.5:
        for x in (left + 0.25, right - 0.3):
            stage.markings.append(Marking(x - 0.06, x + 0.06))
    if tracks:
        for x in (-lane - 0.72, -lane + 0.72):
            for offset, tone in ((0.0, 60.0), (0.07, 165.0)):
                stage.markings.append(Marking(x + offset - 0.05, x + offset + 0.05, colour=(tone,) * 3))


def _junction(stage: _Stage, noise: Noise, sides: list[_Side], road, gap: tuple[float, float]) -> None:
    """A street that crosses ours, with traffic lights, a zebra crossing and a stop line."""
    rng, canvas = stage.rng, stage.canvas
    stage.surfaces.append(Surface("road", road, asphalt(noise), -1e4, 1e4, *gap))
    left, right = (side.kerb for side in sides)
    zebra = gap[0] - 4.0
    if rng.random() < 0.75:
        stage.markings.append(Marking(left, right, zebra, zebra + 3.0, bars=0.5))
    stage.markings.append(Marking(-1.6, right - 0.2, zebra - 1.4, zebra - 1.0))
    colour = furniture.poles_of(stage.city, rng)
    for side in sides:
        x = side.walk + side.sign * 0.5
        for z in (zebra - rng.uniform(0.5, 3.0), gap[1] + 0.5):
            if rng.random() < 0.85:
                stage.put(z, furniture.traffic_light, canvas, rng, x, z, colour)
                stage.shade(x, z, 0.2, 0.2, 3.5)
    for _ in range(rng.integers(0, 4)):
        z = zebra + rng.uniform(0.3, 2.7)
        frame = Frame(rng.uniform(left, right), z, rng.choice([-1, 1]) * _ACROSS)
        stage.put(z, people.person, canvas, rng, frame)
        stage.shade(frame.x, z, 0.5, 0.4, 1.7)


def _fronts(stage: _Stage, side: _Side, gap: tuple[float, float], end: float | None) -> None:
    """Lines one side of the street with houses, gardens and parks, leaving out the side street."""
    rng = stage.rng
    habit = rng.dirichlet([1.1, 0.9, 0.5])  # this side's mixture of houses, gardens and parks
    last = end - 9 if end else 125.0
    z = rng.uniform(1.0, 4.0)
    base_height = rng.uniform(8, 17)
    while z < last:
        length = rng.uniform(9, 17)
        if z < gap[1] and z + length > gap[0]:
            length = gap[0] - z
        if length > 3:
            length = min(length, last - z)
            front = Frame(side.front, z)
            draw = (_house, _garden, _park)[rng.choice(3, p=habit)]
            draw(stage, side, front, length, base_height)
        z += max(length, 0) + (0.0 if rng.random() < 0.75 else rng.uniform(1, 4))
        if gap[0] <= z + 3 < gap[1] + 3:
            z = gap[1]


def _house(stage: _Stage, side: _Side, front: Frame, length: float, base_height: float) -> None:
    height = max(base_height + stage.rng.normal(0, 2.0), 5.5)
    stage.put(front.z + length, roadside.building, stage.canvas, stage.rng, stage.city, front, side.sign, length,
              height)
    stage.shade(front.x + side.sign * 5, front.z + length / 2, 10, length, height)


def _garden(stage: _Stage, side: _Side, front: Frame, length: float, base_height: float) -> None:
    """A house set back behind a fence, wall or hedge, with trees between."""
    rng, canvas, city = stage.rng, stage.canvas, stage.city
    back = rng.uniform(5, 9)
    height = rng.uniform(1.1, 2.0)
    kind = rng.choice(["fence", "fence", "fence", "wall", "wall", "hedge"])
    inset = front.moved(u=1.0, w=side.sign * back)
    far = front.z + length
    if rng.random() < 0.7:
        stage.put(far + 0.3, roadside.building, canvas, rng, city, inset, side.sign, length - 2.0, rng.uniform(5.5, 9))
    for _ in range(rng.integers(1, 4)):
        x, z = front.x + side.sign * rng.uniform(1.5, back), front.z + rng.uniform(0.1, 0.95) * length
        stage.put(far + 0.2 - 1e-3 * (z - front.z), roadside.tree, canvas, rng, city, x, z, rng.uniform(3.5, 8))
        stage.shade(x, z, 3, 3, 6, 2.5)
    if kind == "fence":
        colour = np.array([(92, 70, 52), (214, 212, 204), (58, 64, 62), (70, 96, 80)][rng.integers(4)], float)
        stage.put(far, roadside.fence, canvas, rng, front, length, height, colour)
    elif kind == "wall":
        stage.put(far, roadside.wall, canvas, rng, front, length, height, city.stone(rng))
    else:
        stage.put(far, roadside.hedge, canvas, rng, city, front, length, height)
    stage.shade(front.x, front.z + length / 2, 0.3, length, height)


def _park(stage: _Stage, side: _Side, front: Frame, length: float, base_height: float) -> None:
    """Grass with trees and bushes, perhaps behind a guard rail."""
    rng, canvas, city = stage.rng, stage.canvas, stage.city
    far = front.z + length
    inner, outer = sorted((front.x, front.x + side.sign * 60))
    stage.surfaces.append(Surface("terrain", city.grass(rng), stage.surfaces[0].texture, inner, outer, front.z, far))
    for _ in range(rng.integers(3, 6)):
        away, z = rng.uniform(1.5, 14), front.z + rng.uniform(0, 1) * length
        x, height = front.x + side.sign * away, rng.uniform(5, 10)
        stage.put(far + 0.02 * away, roadside.tree, canvas, rng, city, x, z, height)
        stage.shade(x, z, 4, 4, height, height * 0.4)
    for _ in range(rng.integers(0, 3)):
        centre = np.array([front.x + side.sign * rng.uniform(1, 5), 0.5, front.z + rng.uniform(0, 1) * length])
        stage.put(far, roadside.foliage, canvas, rng, centre, (1.2, 0.8, 1.0), city.leaf(rng))
    if rng.random() < 0.25:
        stage.put(far, roadside.guard_rail, canvas, front, length)


def _end_of_street(stage: _Stage, noise: Noise, z: float) -> None:
    """Our street meets another one; houses beyond it close the view."""
    rng = stage.rng
    stage.surfaces.append(Surface("road", stage.city.pavement(rng), asphalt(noise), -1e4, 1e4, z - 8, z - 1))
    stage.surfaces.append(Surface("sidewalk", stage.city.pavement(rng) * 1.2, slabs(noise, 0.7), -1e4, 1e4, z - 1, 1e3))
    x, height = -60.0, rng.uniform(9, 18)
    while x < 60:
        length = rng.uniform(10, 18)
        front = Frame(x, z, _ACROSS)
        stage.put(z, roadside.building, stage.canvas, rng, stage.city, front, -1, length, height + rng.normal(0, 2))
        x += length


def _pavement_things(stage: _Stage, side: _Side, gap: tuple[float, float]) -> None:
    """Lamps, signs, poles, parked two-wheelers, clutter and passers-by on one pavement."""
    rng, canvas = stage.rng, stage.canvas
    colour = furniture.poles_of(stage.city, rng)
    kerb = side.x(0.12)

    def free(low, high):
        """A distance that does not lie in the side street."""
        z = rng.uniform(low, high)
        return z if not gap[0] - 1 < z < gap[1] + 1 else z + gap[1] - gap[0] + 2

    for z in np.arange(rng.uniform(8, 20), 90, rng.uniform(18, 26)):
        stage.put(z, furniture.street_lamp, canvas, rng, kerb, z, colour)
        stage.shade(kerb, z, 0.2, 0.2, 7.5)
    for _ in range(rng.integers(0, 3)):
        z = free(8, 30)
        stage.put(z, furniture.traffic_sign, canvas, rng, kerb, z, colour)
        stage.shade(kerb, z, 0.2, 0.2, 3.3)
    if rng.random() < 0.2:
        z = free(14, 30)
        stage.put(z, furniture.direction_board, canvas, rng, side.x(0.5), z, colour)
    if rng.random() < 0.08:
        stage.put(12.0, furniture.pole_group, canvas, kerb, 12.0, colour)
    if rng.random() < 0.3:
        z, length, height = rng.uniform(6, 20), rng.uniform(5, 12), rng.uniform(0.9, 1.2)
        if not z < gap[0] < z + length:
            stage.put(z + length, roadside.fence, canvas, rng, Frame(side.x(0.06), z), length, height, colour)
            stage.shade(side.x(0.06), z + length / 2, 0.1, length, height)
    for draw, chance in ((furniture.bin_, 0.45), (furniture.suitcase, 0.2)):
        if rng.random() < chance:
            z = free(7, 25)
            stage.put(z, draw, canvas, rng, side.x(rng.uniform(0.1, 0.9)), z)
    for draw, chance in ((people.bicycle, 0.45), (people.motorcycle, 0.3)):
        if rng.random() < chance:
            start = free(7, 20)
            for number in range(rng.integers(1, 4)):
                z = start + number * 0.9
                frame = Frame(side.x(0.3), z, rng.choice([-1, 1]) * _ACROSS + rng.normal(0, 0.35))
                stage.put(z, draw, canvas, rng, frame, False)
                stage.shade(frame.x, z, 1.6, 0.3, 0.9)
    for _ in range(rng.integers(1, 4)):
        start, x, heading = free(6, 26), side.x(rng.uniform(0.2, 0.85)), rng.choice([0, np.pi])
        for number in range(rng.integers(1, 4)):
            frame = Frame(x + number * 0.55 * -side.sign, start + rng.normal(0, 0.4), heading + rng.normal(0, 0.3))
            stage.put(frame.z, people.person, canvas, rng, frame)
            stage.shade(frame.x, frame.z, 0.5, 0.4, 1.7)


def _traffic(
    stage: _Stage, sides: list[_Side], lane: float, lanes_left: int, gap: tuple[float, float], tracks: bool
) -> None:
    """What moves on the road: cars, at most one large vehicle, and two-wheelers with their riders."""
    rng, canvas = stage.rng, stage.canvas
    centres = [(0.0, 0.0)] + [(-lane * (k + 1), np.pi) for k in range(lanes_left)]
    taken: list[tuple[float, float, float]] = []  # lane centre, nearest, farthest

    def drive(draw, length, width, height, x, z, heading, *args):
        near, far = z - length / 2, z + length / 2
        if any(abs(x - other) < 2 and near < high + 1.5 and far > low - 1.5 for other, low, high in taken):
            return
        taken.append((x, near, far))
        stage.put(near, draw, canvas, rng, Frame(x, z, heading), *args)
        stage.shade(x, z, width, length, height)

    large = rng.choice(["bus", "truck", "train", "none"], p=[0.22, 0.22, 0.22, 0.34])
    if large != "none":
        draw, length = {"bus": (vehicles.bus, 12), "truck": (vehicles.truck, 8.5), "train": (vehicles.tram, 20)}[large]
        args = (2,) if large == "train" else ()
        place = rng.choice(["oncoming", "ahead", "crossing"])
        if place == "crossing" and 24 < gap[0] < 100:
            z = gap[0] + rng.uniform(2.5, 6)
            frame = Frame(rng.uniform(-7, 7), z, rng.choice([-1, 1]) * _ACROSS)
            stage.put(z - 1.5, draw, canvas, rng, frame, *args)
            stage.shade(frame.x, z, length, 2.5, 3)
        elif place == "ahead" and large != "train":
            drive(draw, length, 2.5, 3, 0.0, rng.uniform(16, 34) + length / 2, 0.0, *args)
        else:
            drive(draw, length, 2.5, 3, -lane, rng.uniform(13, 30) + length / 2, np.pi, *args)
    for draw, chance in ((people.bicycle, 0.5), (people.motorcycle, 0.42)):
        if rng.random() < chance:
            if gap[0] < 100 and rng.random() < 0.5:
                z = gap[0] + rng.uniform(-1, 4)
                frame = Frame(rng.uniform(-5, 5), z, rng.choice([-1, 1]) * _ACROSS)
                stage.put(z, draw, canvas, rng, frame, True)
                stage.shade(frame.x, z, 1.6, 0.5, 1.5)
            else:
                x, heading = ((sides[1].kerb - 0.7, 0.0), (-lane, np.pi))[rng.integers(2)]
                drive(draw, 2.0, 0.6, 1.5, x, rng.uniform(7, 18), heading + rng.normal(0, 0.45), True)
    for x, heading in centres:
        z = rng.uniform(9, 24)
        while z < 90:
            if rng.random() < 0.75:
                drive(vehicles.car, 4.4, 1.8, 1.4, x + rng.normal(0, 0.15), z, heading)
            z += rng.uniform(8, 22)
    if gap[0] < 100 and rng.random() < 0.6:
        for x in rng.uniform(-22, 22, rng.integers(1, 4)):
            z = gap[0] + rng.choice([2.5, 6.5])
            stage.put(z - 0.9, vehicles.car, canvas, rng, Frame(x, z, rng.choice([-1, 1]) * _ACROSS))
            stage.shade(x, z, 4.2, 1.8, 1.3)
