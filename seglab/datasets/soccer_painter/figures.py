"""Robots and people: bodies of rods. To the four classes they are background."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.random import Generator

from seglab.datasets.soccer_painter.canvas import Rod


@dataclass(frozen=True)
class Body:
    """Collects the rods of one body, whose own coordinates are metres forward, to the left and up.

    Args:
        x: Where it stands.
        y: Where it stands.
        heading: Where it looks, in radians from x towards y.
        scale: By how much its measures are enlarged.
        lean: How far it is tipped forward, in radians; pi / 2 lies on its face.
    """

    x: float
    y: float
    heading: float
    scale: float
    lean: float
    _rods: list[Rod] = field(default_factory=list)

    def at(self, forward: float, left: float, up: float) -> np.ndarray:
        """World coordinates (3,)."""
        sin, cos = math.sin(self.lean), math.cos(self.lean)
        ahead, height = forward * cos + up * sin, up * cos - forward * sin
        sin, cos = math.sin(self.heading), math.cos(self.heading)
        return np.array(
            [
                self.x + self.scale * (ahead * cos - left * sin),
                self.y + self.scale * (ahead * sin + left * cos),
                self.scale * height,
            ]
        )

    def rod(self, start: Sequence[float], end: Sequence[float], start_m: float, end_m: float, colour) -> None:
        """Adds a rod between two points (forward, left, up), with a radius at each."""
        scale = self.scale
        self._rods.append(
            Rod(self.at(*start), self.at(*end), start_m * scale, end_m * scale, np.array(colour, float))
        )


    def on_the_ground(self) -> list[Rod]:
        """All rods, raised or lowered so that the lowest one touches the ground."""
        low = min(min(rod.start[2] - rod.start_m, rod.end[2] - rod.end_m) for rod in self._rods)
        up = np.array([0.0, 0.0, -low])
        return [replace(rod, start=rod.start + up, end=rod.end + up) for rod in self._rods]


# Build -> colours of shell and joints, thickness of the limbs, size of the head.
_BUILDS = {
    "rounded": ((226, 228, 230), (120, 122, 128), 1.0, 1.0),
    "skeletal": ((54, 56, 60), (160, 162, 166), 0.62, 0.6),
    "bulky": ((200, 202, 204), (36, 37, 40), 1.2, 0.9),
}


def robot(
    rng: Generator, build: str, height_m: float, jersey, x: float, y: float, heading: float
) -> list[Rod]:
    """A humanoid robot that walks, stands or, now and then, lies; measures are those of a NAO of 0.58 m."""
    shell, joint, thick, head = _BUILDS[build]
    shell, joint = np.array(shell) * rng.uniform(0.9, 1.05), np.array(joint, float)
    lean = rng.choice([0.0, 1.5, -1.5], p=[0.94, 0.03, 0.03]) + rng.normal(0, 0.05)
    body = Body(x, y, heading, height_m / 0.58, lean)
    stride, bend = rng.uniform(-0.05, 0.05), rng.uniform(0.01, 0.05)
    for side, ahead in ((0.052, stride), (-0.052, -stride)):
        lift = max(ahead, 0) * rng.uniform(0, 0.6)
        ankle, knee = (ahead, side, 0.05 + lift), (ahead / 2 + bend, side, 0.15)
        hip = (0.0, side, 0.25)
        body.rod((ahead - 0.04, side, 0.024 + lift), (ahead + 0.07, side, 0.022 + lift), 0.036, 0.034, shell)
        body.rod(ankle, knee, 0.034 * thick, 0.045 * thick, shell)
        body.rod(knee, hip, 0.045 * thick, 0.05 * thick, shell)
        for spot in (ankle, knee, hip):
            body.rod((spot[0], side - 0.03, spot[2]), (spot[0], side + 0.03, spot[2]), 0.024, 0.024, joint)
    body.rod((0, -0.045, 0.26), (0, 0.045, 0.26), 0.05, 0.05, joint)
    chest = np.array(jersey, float) if rng.random() < 0.8 else shell
    for side in (-0.03, 0.03):
        body.rod((0, side, 0.3), (0.01, side, 0.4), 0.06, 0.066, chest)
    body.rod((0.06, -0.012, 0.37), (0.065, 0.012, 0.37), 0.015, 0.015, (236, 236, 236))
    for side in (0.115, -0.115):
        elbow = (rng.uniform(-0.02, 0.06), side * 1.25, 0.32)
        hand = (elbow[0] + rng.uniform(0, 0.1), side * 1.15, 0.32 - rng.uniform(0.02, 0.1))
        body.rod((0, side * 0.95, 0.415), elbow, 0.042 * thick, 0.034 * thick, shell)
        body.rod(elbow, hand, 0.034 * thick, 0.03 * thick, shell)
        body.rod(hand, hand, 0.028, 0.028, joint)
    body.rod((0, 0, 0.43), (0, 0, 0.47), 0.025, 0.025, joint)
    body.rod((0, -0.03 * head, 0.51), (0, 0.03 * head, 0.51), 0.062 * head, 0.062 * head, shell)
    eyes = (70, 140, 240) if rng.random() < 0.4 else (40, 42, 46)
    for side in (-0.026, 0.026):
        body.rod((0.055 * head, side * head, 0.52), (0.057 * head, side * head, 0.52), 0.014, 0.014, eyes)
    return body.on_the_ground()


_CLOTHES = (
    (24, 25, 30), (30, 34, 52), (40, 60, 110), (90, 92, 98), (196, 194, 188), (150, 40, 44), (40, 92, 56),
    (226, 120, 40), (70, 110, 160), (120, 96, 70),
)  # fmt: skip
_SKIN = ((224, 178, 150), (198, 146, 112), (140, 94, 66), (236, 196, 170))
_SHOES = ((22, 22, 24), (230, 230, 228), (110, 84, 60), (180, 40, 40), (50, 60, 90))


def person(rng: Generator, x: float, y: float, heading: float) -> list[Rod]:
    """Somebody who stands or walks; seen from a robot, mostly legs."""
    body = Body(x, y, heading, rng.uniform(0.92, 1.08), rng.normal(0, 0.03))
    shirt, trousers = np.array(_CLOTHES)[rng.integers(len(_CLOTHES), size=2)] * rng.uniform(0.8, 1.15, (2, 1))
    skin, shoe = np.array(_SKIN[rng.integers(len(_SKIN))]), np.array(_SHOES[rng.integers(len(_SHOES))])
    shin = skin if rng.random() < 0.3 else trousers
    stride, apart = rng.uniform(-0.3, 0.3), rng.uniform(0.08, 0.2)
    for side, ahead in ((apart, stride), (-apart, -stride)):
        knee = (ahead / 2 + 0.03, side, 0.5)
        body.rod((ahead - 0.07, side, 0.045), (ahead + 0.17, side, 0.035), 0.047, 0.04, shoe)
        body.rod((ahead, side, 0.1), knee, 0.048, 0.065, shin)
        body.rod(knee, (0, side * 0.7, 0.92), 0.068, 0.09, trousers)
    for side in (-0.07, 0.07):
        body.rod((0, side, 0.98), (0.02, side, 1.38), 0.11, 0.12, shirt)
    swing = rng.uniform(-0.15, 0.25)
    for side in (0.23, -0.23):
        elbow, hand = (swing * 0.5, side * 1.1, 1.13), (swing + 0.1, side, 0.92 + abs(swing) * 0.4)
        body.rod((0, side * 0.85, 1.4), elbow, 0.055, 0.045, shirt)
        body.rod(elbow, hand, 0.042, 0.034, skin if rng.random() < 0.6 else shirt)
        body.rod(hand, hand, 0.042, 0.042, skin)
        swing = -swing
    body.rod((0.02, 0, 1.46), (0.02, 0, 1.52), 0.05, 0.05, skin)
    body.rod((0.03, 0, 1.58), (0.03, 0, 1.66), 0.085, 0.09, skin)
    body.rod((-0.01, 0, 1.66), (-0.01, 0, 1.69), 0.092, 0.09, np.array([40, 30, 24]) * rng.uniform(0.5, 3.5))
    return body.on_the_ground()


def own_body(rng: Generator, build: str, height_m: float, x: float, y: float, heading: float) -> list[Rod]:
    """What the camera's own robot sees of itself when it looks down: feet, knees and hands."""
    shell, joint, thick, _ = _BUILDS[build]
    body = Body(x, y, heading, height_m / 0.58, 0.0)
    for side in (0.052, -0.052):
        ahead = rng.uniform(0.0, 0.05)
        body.rod((ahead - 0.04, side, 0.024), (ahead + 0.07, side, 0.022), 0.036, 0.034, shell)
        body.rod((ahead, side, 0.05), (ahead + 0.01, side, 0.13), 0.034 * thick, 0.04 * thick, joint)
    return body.on_the_ground()
