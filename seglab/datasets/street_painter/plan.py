"""Decides what stands where in a street: lanes and pavements, fronts, furniture, people and traffic."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from seglab.datasets.street_painter import furniture, people, roadside, vehicles
from seglab.datasets.street_painter.canvas import Frame
from seglab.datasets.street_painter.ground import asphalt, cobbles, grass, slabs
from seglab.datasets.street_painter.stage import Side, Stage, Street

_ACROSS = np.pi / 2  # the heading of what crosses the street to the right
_YELLOW_PAINT = (222.0, 190.0, 90.0)
_FENCES = np.array([(92, 70, 52), (214, 212, 204), (58, 64, 62), (70, 96, 80)], float)


def furnish(stage: Stage) -> None:
    """Plans a whole street and puts everything in it on the stage."""
    rng, city, noise = stage.rng, stage.city, stage.noise
    lane, oncoming = rng.uniform(3.1, 3.7), int(rng.choice([1, 2], p=[0.75, 0.25]))
    left, right = -lane * (oncoming + 0.5), lane / 2 + rng.uniform(0.2, 0.6)
    start = rng.uniform(16, 42) if rng.random() < 0.55 else np.inf
    stage.lay("terrain", city.grass(rng), grass(noise))
    street = Street(
        lane,
        oncoming,
        sides=(_side(stage, -1, left), _side(stage, 1, right)),
        junction=(start, start + rng.uniform(9, 12)),
        end=rng.uniform(55, 85) if rng.random() < 0.3 else np.inf,
        tracks=rng.random() < 0.3,
    )
    road = city.pavement(rng) * rng.uniform(0.8, 1.0)
    stage.lay("road", road, asphalt(noise) if rng.random() < 0.85 else cobbles(noise), left, right)
    _mark_lanes(stage, street)
    if street.crossed:
        stage.lay("road", road, asphalt(noise), z0=street.junction[0], z1=street.junction[1])
        _junction(stage, street)
    for side in street.sides:
        _fronts(stage, street, side)
        _furniture(stage, street, side)
        _parked_two_wheelers(stage, street, side)
        _passers_by(stage, street, side)
    if street.end < np.inf:
        _end_of_street(stage, street.end)
    _traffic(stage, street)
    if rng.random() < 0.08:
        z = rng.uniform(30, 50)
        stage.put(z, roadside.bridge, city, z, right + 3.0, 5.5)


def _side(stage: Stage, sign: int, edge: float) -> Side:
    """Chooses parking bay, verge and pavement of one side, and lays their surfaces."""
    rng, city, noise = stage.rng, stage.city, stage.noise
    bay = sign * (2.2 if rng.random() < 0.5 else 0.0)
    verge = sign * (rng.uniform(1.5, 2.6) if rng.random() < 0.3 else 0.0)
    kerb = edge + bay
    side = Side(sign, edge, kerb + verge, kerb + verge + sign * rng.uniform(2.6, 6.0))
    paving = city.pavement(rng) * rng.uniform(1.0, 1.3)
    plaza = sign * rng.choice([0.5, 14])  # the pavement goes on between the houses, or not
    stage.lay("sidewalk", paving, slabs(noise, rng.uniform(0.5, 0.9)), kerb, side.front + plaza)
    if verge:
        stage.lay("terrain", city.grass(rng), grass(noise), kerb, side.walk)
        for z in np.arange(rng.uniform(5, 12), 70, rng.uniform(7, 12)):
            _tree(stage, side.walk - verge / 2, z, z)
    if bay:
        label = "parking" if rng.random() < 0.5 else "road"
        stage.lay(label, city.pavement(rng) * 0.95, cobbles(noise), edge, kerb)
        _parked_cars(stage, side, edge + bay / 2)
    stage.lay("sidewalk", paving * 1.25, asphalt(noise), kerb, kerb + sign * 0.18)
    return side


def _mark_lanes(stage: Stage, street: Street) -> None:
    """Paints the lines between lanes and along the edges, and tram rails."""
    rng, lane = stage.rng, street.lane
    options = {"colour": _YELLOW_PAINT} if rng.random() < 0.2 else {}
    if rng.random() < 0.9:
        stage.mark(-lane / 2 - 0.07, -lane / 2 + 0.07, on=4.0, period=rng.choice([4.0, 9.0]), **options)
    for number in range(1, street.oncoming):
        x = -lane * (number + 0.5)
        stage.mark(x - 0.06, x + 0.06, on=3.0, period=9.0)
    if rng.random() < 0.5:
        for side in street.sides:
            x = side.edge - 0.3 * side.sign
            stage.mark(x - 0.06, x + 0.06)
    if street.tracks:
        for x in (-lane - 0.72, -lane + 0.72):
            stage.mark(x - 0.05, x + 0.05, colour=(60.0,) * 3)
            stage.mark(x + 0.02, x + 0.12, colour=(165.0,) * 3)


def _junction(stage: Stage, street: Street) -> None:
    """Traffic lights, a stop line, a zebra crossing and people on it."""
    rng, (start, end) = stage.rng, street.junction
    left, right = (side.edge for side in street.sides)
    zebra = start - 4.0
    if rng.random() < 0.75:
        stage.mark(left, right, z0=zebra, z1=zebra + 3.0, bars=0.5)
    stage.mark(-street.lane / 2 + 0.1, right - 0.2, z0=zebra - 1.4, z1=zebra - 1.0)
    colour = furniture.pole_colour(stage.city, rng)
    for side in street.sides:
        x = side.walk + side.sign * 0.5
        for z in (zebra - rng.uniform(0.5, 3.0), end + 0.5):
            if rng.random() < 0.85:
                stage.put(z, furniture.traffic_light, x, z, colour)
                stage.shade(x, z, 0.2, 0.2, 3.5)
    for _ in range(rng.integers(0, 4)):
        _person(stage, rng.uniform(left, right), zebra + rng.uniform(0.3, 2.7), rng.choice([-1, 1]) * _ACROSS)


def _end_of_street(stage: Stage, z: float) -> None:
    """Our street meets another one at `z`; houses beyond it close the view."""
    rng, city, noise = stage.rng, stage.city, stage.noise
    stage.lay("road", city.pavement(rng), asphalt(noise), z0=z - 8, z1=z - 1)
    stage.lay("sidewalk", city.pavement(rng) * 1.2, slabs(noise, 0.7), z0=z - 1)
    x, height = -60.0, rng.uniform(9, 18)
    while x < 60:
        length = rng.uniform(10, 18)
        stage.put(z, roadside.building, city, Frame(x, z, _ACROSS), -1, length, height + rng.normal(0, 2))
        x += length


def _fronts(stage: Stage, street: Street, side: Side) -> None:
    """Lines one side with houses, gardens and parks, leaving out the crossing street."""
    rng, (gap_start, gap_end) = stage.rng, street.junction
    habit = rng.dirichlet([1.1, 0.9, 0.5])  # this side's mixture
    usual_height = rng.uniform(8, 17)
    z, last = rng.uniform(1.0, 4.0), min(street.end - 9, 125.0)
    while z < last:
        length = min(rng.uniform(9, 17), last - z)
        if z < gap_end and z + length > gap_start:
            length = gap_start - z
        if length > 3:
            front = (_house, _garden, _park)[rng.choice(3, p=habit)]
            front(stage, side, Frame(side.front, z), length, usual_height)
        z += max(length, 0) + (rng.uniform(1, 4) if rng.random() < 0.25 else 0)
        if gap_start - 3 <= z < gap_end:
            z = gap_end


def _house(stage: Stage, side: Side, front: Frame, length: float, usual_height: float) -> None:
    height = max(usual_height + stage.rng.normal(0, 2.0), 5.5)
    stage.put(front.z + length, roadside.building, stage.city, front, side.sign, length, height)
    stage.shade(front.x + side.sign * 5, front.z + length / 2, 10, length, height)


def _garden(stage: Stage, side: Side, front: Frame, length: float, _: float) -> None:
    """A low house set back behind a fence, wall or hedge, with trees between."""
    rng, city = stage.rng, stage.city
    far, depth, height = front.z + length, rng.uniform(5, 9), rng.uniform(1.1, 2.0)
    if rng.random() < 0.7:
        house = front.moved(u=1.0, w=side.sign * depth)
        stage.put(far + 0.3, roadside.building, city, house, side.sign, length - 2.0, rng.uniform(5.5, 9))
    for place in np.sort(rng.random(rng.integers(1, 4)))[::-1]:
        _tree(stage, front.x + side.sign * rng.uniform(1.5, depth), front.z + place * length, far + 0.2)
    kind = rng.choice(["fence", "wall", "hedge"], p=[0.5, 0.34, 0.16])
    if kind == "fence":
        stage.put(far, roadside.fence, front, length, height, _FENCES[rng.integers(len(_FENCES))])
    elif kind == "wall":
        stage.put(far, roadside.stone_wall, front, length, height, city.stone(rng))
    else:
        stage.put(far, roadside.hedge, city, front, length, height)
    stage.shade(front.x, front.z + length / 2, 0.3, length, height)


def _park(stage: Stage, side: Side, front: Frame, length: float, _: float) -> None:
    """Grass with trees and bushes, perhaps behind a guard rail."""
    rng, city = stage.rng, stage.city
    far = front.z + length
    stage.lay("terrain", city.grass(rng), grass(stage.noise), front.x, front.x + side.sign * 60, front.z, far)
    for away in rng.uniform(1.5, 14, rng.integers(3, 6)):
        _tree(stage, front.x + side.sign * away, front.z + rng.uniform(0, 1) * length, far + 0.02 * away)
    for _ in range(rng.integers(0, 3)):
        bush = np.array([front.x + side.sign * rng.uniform(1, 5), 0.5, front.z + rng.uniform(0, 1) * length])
        stage.put(far, roadside.foliage, bush, np.array([1.2, 0.8, 1.0]), city.leaf(rng))
    if rng.random() < 0.25:
        stage.put(far, roadside.guard_rail, front, length)


def _tree(stage: Stage, x: float, z: float, order: float) -> None:
    """A tree at (x, z), drawn as if it stood at the distance `order`."""
    height = stage.rng.uniform(4.5, 9)
    stage.put(order, roadside.tree, stage.city, x, z, height)
    stage.shade(x, z, height * 0.5, height * 0.5, height, height * 0.45)


def _furniture(stage: Stage, street: Street, side: Side) -> None:
    """Lamps, signs, a railing along the kerb, and clutter on one pavement."""
    rng = stage.rng
    colour = furniture.pole_colour(stage.city, rng)
    x = side.pavement(0.12)
    for z in np.arange(rng.uniform(8, 20), 90, rng.uniform(18, 26)):
        stage.put(z, furniture.street_lamp, x, z, colour)
        stage.shade(x, z, 0.2, 0.2, 7.5)
    for z in rng.uniform(8, 30, rng.integers(0, 3)):
        stage.put(street.clear(z), furniture.traffic_sign, x, street.clear(z), colour)
        stage.shade(x, street.clear(z), 0.2, 0.2, 3.3)
    if rng.random() < 0.2:
        z = street.clear(rng.uniform(14, 30))
        stage.put(z, furniture.direction_board, side.pavement(0.5), z, colour)
    if rng.random() < 0.3:
        z, length, height = rng.uniform(6, 20), rng.uniform(5, 12), rng.uniform(0.9, 1.2)
        if not z < street.junction[0] < z + length:
            stage.put(z + length, roadside.fence, Frame(side.pavement(0.06), z), length, height, colour)
            stage.shade(side.pavement(0.06), z + length / 2, 0.1, length, height)
    if rng.random() < 0.08:
        stage.put(12.0, furniture.pole_group, x, 12.0, colour)
    for draw, chance in ((furniture.box, 0.45), (furniture.suitcase, 0.2)):
        if rng.random() < chance:
            z = street.clear(rng.uniform(7, 25))
            stage.put(z, draw, side.pavement(rng.uniform(0.1, 0.9)), z)


def _parked_cars(stage: Stage, side: Side, x: float) -> None:
    """A row of parked cars with gaps; on the left they look towards the camera."""
    rng = stage.rng
    for z in np.arange(rng.uniform(4, 9), 60, 6.0):
        if rng.random() < 0.6:
            place = Frame(x + rng.normal(0, 0.08), z + rng.normal(0, 0.3), 0.0 if side.sign > 0 else np.pi)
            stage.put(z - 2.2, vehicles.car, place)
            stage.shade(x, z, 1.8, 4.2, 1.3)


def _parked_two_wheelers(stage: Stage, street: Street, side: Side) -> None:
    """Up to three bicycles or motorcycles side by side on the pavement."""
    rng = stage.rng
    for draw, chance in ((people.bicycle, 0.45), (people.motorcycle, 0.3)):
        if rng.random() < chance:
            start = street.clear(rng.uniform(7, 20))
            for z in start + 0.9 * np.arange(rng.integers(1, 4)):
                heading = rng.choice([-1, 1]) * _ACROSS + rng.normal(0, 0.35)
                stage.put(z, draw, Frame(side.pavement(0.3), z, heading), False)
                stage.shade(side.pavement(0.3), z, 1.6, 0.3, 0.9)


def _passers_by(stage: Stage, street: Street, side: Side) -> None:
    """Groups of people who walk along one pavement."""
    rng = stage.rng
    for _ in range(rng.integers(1, 4)):
        x, z = side.pavement(rng.uniform(0.2, 0.85)), street.clear(rng.uniform(6, 26))
        heading = rng.choice([0, np.pi])
        for number in range(rng.integers(1, 4)):
            inwards = x - side.sign * 0.55 * number
            _person(stage, inwards, z + rng.normal(0, 0.4), heading + rng.normal(0, 0.3))


def _person(stage: Stage, x: float, z: float, heading: float) -> None:
    stage.put(z, people.person, Frame(x, z, heading))
    stage.shade(x, z, 0.5, 0.4, 1.7)


class _Lanes:
    """Puts vehicles into the lanes, where there is room."""

    def __init__(self, stage: Stage):
        self._stage = stage
        self._taken: list[tuple[float, float, float]] = []  # middle of the lane, nearest, farthest

    def drive(
        self, draw: Callable, box: tuple[float, float, float], x: float, z: float, heading: float, *args
    ) -> None:
        """Puts a vehicle of length, width and height `box` around (x, z), unless something is there."""
        length, width, height = box
        near, far = z - length / 2, z + length / 2
        taken = self._taken
        if all(abs(x - lane) > 2 or near > end + 1.5 or far < start - 1.5 for lane, start, end in taken):
            self._taken.append((x, near, far))
            self._stage.put(near, draw, Frame(x, z, heading), *args)
            self._stage.shade(x, z, width, length, height)


_LARGE = {  # length, width and height in metres
    "bus": (vehicles.bus, (12.0, 2.5, 3.1)),
    "truck": (vehicles.truck, (8.5, 2.5, 3.4)),
    "train": (vehicles.tram, (20.0, 2.5, 3.4)),
}


def _traffic(stage: Stage, street: Street) -> None:
    """What moves on the road: at most one large vehicle, two-wheelers, and cars."""
    rng, lanes = stage.rng, _Lanes(stage)
    large = rng.choice([*_LARGE, "none"], p=[0.22, 0.22, 0.22, 0.34])
    if large != "none":
        _large_vehicle(stage, street, lanes, large)
    for draw, chance in ((people.bicycle, 0.5), (people.motorcycle, 0.42)):
        if rng.random() < chance:
            _ridden_two_wheeler(stage, street, lanes, draw)
    for number in range(street.oncoming + 1):
        z = rng.uniform(9, 24)
        while z < 90:
            if rng.random() < 0.75:
                x = -street.lane * number + rng.normal(0, 0.15)
                lanes.drive(vehicles.car, (4.4, 1.8, 1.4), x, z, np.pi if number else 0.0)
            z += rng.uniform(8, 22)
    if street.crossed and rng.random() < 0.6:
        for x in rng.uniform(-22, 22, rng.integers(1, 4)):
            z = street.junction[0] + rng.choice([2.5, 6.5])
            stage.put(z - 0.9, vehicles.car, Frame(x, z, rng.choice([-1, 1]) * _ACROSS))
            stage.shade(x, z, 4.2, 1.8, 1.3)


def _large_vehicle(stage: Stage, street: Street, lanes: _Lanes, kind: str) -> None:
    """A bus, truck or tram: it crosses at the junction, drives ahead of us, or comes towards us."""
    rng = stage.rng
    draw, (length, width, height) = _LARGE[kind]
    place = rng.choice(["oncoming", "ahead", "crossing"])
    if place == "crossing" and 24 < street.junction[0] < np.inf:
        x, z = rng.uniform(-7, 7), street.junction[0] + rng.uniform(2.5, 6)
        stage.put(z - width / 2, draw, Frame(x, z, rng.choice([-1, 1]) * _ACROSS))
        stage.shade(x, z, length, width, height)
    elif place == "ahead" and kind != "train":
        lanes.drive(draw, (length, width, height), 0.0, rng.uniform(16, 34) + length / 2, 0.0)
    else:
        lanes.drive(draw, (length, width, height), -street.lane, rng.uniform(13, 30) + length / 2, np.pi)


def _ridden_two_wheeler(stage: Stage, street: Street, lanes: _Lanes, draw: Callable) -> None:
    """A rider who crosses at the junction, or rides with us along the edge, or comes towards us."""
    rng = stage.rng
    if street.crossed and rng.random() < 0.5:
        x, z = rng.uniform(-5, 5), street.junction[0] + rng.uniform(-1, 4)
        stage.put(z, draw, Frame(x, z, rng.choice([-1, 1]) * _ACROSS), True)
        stage.shade(x, z, 1.6, 0.5, 1.5)
    else:
        x, heading = ((street.sides[1].edge - 0.7, 0.0), (-street.lane, np.pi))[rng.integers(2)]
        heading += rng.normal(0, 0.45)
        lanes.drive(draw, (2.0, 0.6, 1.5), x, rng.uniform(7, 18), heading, True)
