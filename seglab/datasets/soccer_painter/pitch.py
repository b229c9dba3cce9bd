"""The lines of a soccer pitch, as the robot leagues lay them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator


@dataclass(frozen=True)
class Pitch:
    """A pitch with its middle in the origin; lengths are metres, between the middles of the lines.

    Args:
        length: From goal line to goal line, along x.
        width: From touchline to touchline, along y.
        goal_area: Depth and width.
        penalty_area: Depth and width.
        penalty_mark: Distance of the mark from the goal line.
        circle: Radius of the centre circle.
        goal: Width between the posts' middles, height, and depth of the net on the ground.
        border: Turf outside the lines.
        line: Width of all lines.
        mark: Length of the two bars of a penalty mark.
        post: Radius of the posts.
    """

    length: float
    width: float
    goal_area: tuple[float, float]
    penalty_area: tuple[float, float]
    penalty_mark: float
    circle: float
    goal: tuple[float, float, float]
    border: float = 0.7
    line: float = 0.05
    mark: float = 0.1
    post: float = 0.05

    def is_line(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Whether points on the ground lie on a line or a mark.

        The lines are symmetric in both axes, so that one quarter of the pitch is looked at.
        """
        distance = np.hypot(x, y)
        x, y = np.abs(x), np.abs(y)
        on = np.abs(distance - self.circle) <= self.line / 2
        for x0, x1, y0, y1 in self._bars():
            on |= (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)
        return on

    def spot_on_a_line(self, rng: Generator) -> tuple[float, float]:
        """A random point on a line or a mark of the pitch."""
        turn, signs = rng.uniform(0, 2 * np.pi), rng.choice([-1, 1], 2)
        bars = self._bars()
        number = rng.integers(len(bars) + 2)
        if number >= len(bars):
            return float(self.circle * np.cos(turn)), float(self.circle * np.sin(turn))
        x0, x1, y0, y1 = bars[number]
        return float(signs[0] * rng.uniform(x0, x1)), float(signs[1] * rng.uniform(y0, y1))

    def is_turf(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Whether points on the ground lie on the carpet."""
        return (np.abs(x) <= self.length / 2 + self.border) & (np.abs(y) <= self.width / 2 + self.border)

    def _bars(self) -> list[tuple[float, float, float, float]]:
        """The straight lines of the quarter x, y >= 0, as x0, x1, y0, y1."""
        half, end, side = self.line / 2, self.length / 2, self.width / 2
        bars = [
            (0.0, half, 0.0, side),  # halfway line
            (0.0, self.mark / 2, 0.0, half),  # centre mark
            (0.0, end + half, side - half, side + half),  # touchline
            (end - half, end + half, 0.0, side + half),  # goal line
        ]
        for depth, breadth in (self.goal_area, self.penalty_area):
            front, edge = end - depth, breadth / 2
            bars += [
                (front - half, front + half, 0.0, edge + half),
                (front - half, end, edge - half, edge + half),
            ]
        spot = end - self.penalty_mark
        bars += [
            (spot - self.mark / 2, spot + self.mark / 2, 0.0, half),
            (spot - half, spot + half, 0.0, self.mark / 2),
        ]
        return bars


# RoboCup Standard Platform League, rule book of 2020 and later, section 1.1.
STANDARD_PLATFORM = Pitch(
    length=9.0, width=6.0, goal_area=(0.6, 2.2), penalty_area=(1.65, 4.0), penalty_mark=1.3, circle=0.75,
    goal=(1.5, 0.8, 0.5),
)  # fmt: skip
# RoboCup Humanoid League, rule book of 2020 and later, law 1: KidSize and AdultSize.
KID_SIZE = Pitch(
    length=9.0, width=6.0, goal_area=(1.0, 3.0), penalty_area=(2.0, 5.0), penalty_mark=1.5, circle=0.75,
    goal=(2.6, 1.2, 0.6), border=1.0,
)  # fmt: skip
ADULT_SIZE = Pitch(
    length=14.0, width=9.0, goal_area=(1.0, 4.0), penalty_area=(3.0, 6.0), penalty_mark=2.1, circle=1.5,
    goal=(2.6, 1.8, 0.6), border=1.0, post=0.06,
)  # fmt: skip
