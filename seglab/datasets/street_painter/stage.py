"""The stage: the street while it is being planned, and the things that wait to be drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from seglab.datasets.street_painter.canvas import Canvas
from seglab.datasets.street_painter.cities import City
from seglab.datasets.street_painter.ground import Marking, Noise, Surface, Texture, paint_ground


@dataclass
class Stage:
    """Collects a street's ground, things and shadows; then paints them from far to near."""

    canvas: Canvas
    rng: Generator
    city: City
    noise: Noise
    _surfaces: list[Surface] = field(default_factory=list)
    _markings: list[Marking] = field(default_factory=list)
    _shadows: list[np.ndarray] = field(default_factory=list)
    _contacts: list[np.ndarray] = field(default_factory=list)
    _things: list[tuple[float, Callable, tuple]] = field(default_factory=list)

    def lay(
        self, label: str, colour: np.ndarray, texture: Texture, x_one: float = -1e4, x_other: float = 1e4,
        z0: float = 0.0, z1: float = 1e4,
    ) -> None:
        """Lays a surface over what is there; by default it covers everything."""
        x0, x1 = sorted((x_one, x_other))
        self._surfaces.append(Surface(label, np.clip(colour, 0, 240), texture, x0, x1, z0, z1))

    def mark(self, x0: float, x1: float, **options) -> None:
        """Paints a `Marking` on the road."""
        self._markings.append(Marking(x0, x1, **options))

    def put(self, z: float, draw: Callable, *args) -> None:
        """Queues `draw(canvas, rng, *args)`, before everything that is nearer than `z`."""
        self._things.append((z, draw, args))

    def shade(self, x: float, z: float, width: float, length: float, top: float, bottom: float = 0.0) -> None:
        """Notes the shadow of an upright box around (x, z)."""
        x0, x1, z0, z1 = x - width / 2, x + width / 2, z - length / 2, z + length / 2
        self._shadows.append(self.canvas.light.shadow(x0, x1, z0, z1, top, bottom))
        if bottom == 0:
            self._contacts.append(np.array([(x0, 0, z0), (x1, 0, z0), (x1, 0, z1), (x0, 0, z1)]))

    def paint(self) -> None:
        """Paints the ground and all things."""
        paint_ground(
            self.canvas, self.noise, self._surfaces, self._markings, self._shadows, self._contacts
        )
        for _, draw, args in sorted(self._things, key=lambda thing: -thing[0]):
            draw(self.canvas, self.rng, *args)


@dataclass(frozen=True)
class Side:
    """One side of a street, from the carriageway outwards; `x` is negative on the left.

    Args:
        sign: +1 on the right, -1 on the left.
        edge: Where the carriageway ends.
        walk: Where the pavement begins.
        front: Where the pavement ends, and houses or gardens begin.
    """

    sign: int
    edge: float
    walk: float
    front: float

    def pavement(self, share: float) -> float:
        """A place on the pavement: 0 at its inner edge, 1 at the fronts of the houses."""
        return self.walk + share * (self.front - self.walk)


@dataclass(frozen=True)
class Street:
    """The plan of a street.

    Args:
        lane: Width of a lane in metres; ours is around x = 0.
        oncoming: Lanes to the left of ours.
        sides: The left and the right side.
        junction: From where to where another street crosses ours, infinitely far without one.
        end: Where our street ends, or infinity.
        tracks: Whether tram rails lie in the first oncoming lane.
    """

    lane: float
    oncoming: int
    sides: tuple[Side, Side]
    junction: tuple[float, float]
    end: float
    tracks: bool

    @property
    def crossed(self) -> bool:
        return self.junction[0] < np.inf

    def clear(self, z: float) -> float:
        """The distance `z`, moved past the junction if it lies there."""
        start, end = self.junction
        return z + end - start + 2 if start - 1 < z < end + 1 else z
