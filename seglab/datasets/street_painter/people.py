"""People on foot, and two-wheelers with and without a rider."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from seglab.datasets.street_painter.canvas import Canvas, Frame, Pen
from seglab.datasets.street_painter.cities import grey, paint

_SKINS = np.array([(232, 190, 160), (206, 156, 122), (152, 104, 76), (98, 66, 50)], float)
_HAIRS = np.array([(40, 32, 28), (92, 62, 40), (170, 132, 80), (150, 150, 150)], float)
_METAL = np.array([150.0, 152, 156])
_RUBBER = np.array([34.0, 34, 36])
_LEATHER = grey(35)
_HEADLAMP = np.array([250.0, 246, 226])
_TAILLAMP = np.array([200.0, 30, 26])


def person(canvas: Canvas, rng: Generator, frame: Frame) -> None:
    """Somebody standing or walking towards `u`: legs, torso or coat, arms, head, perhaps a bag."""
    pen = Pen(canvas, frame, "person")
    tall = rng.uniform(0.88, 1.06) if rng.random() < 0.88 else rng.uniform(0.6, 0.75)
    stride = rng.uniform(0.08, 0.32) if rng.random() < 0.8 else 0.05
    hem = 0.62 if rng.random() < 0.3 else 0.9
    coat, trousers, skin = paint(rng), paint(rng) * 0.75, _SKINS[rng.integers(4)]
    far, near = _far_side_first(pen)

    def limb(start, end, start_m, end_m, colour):
        pen.limb(np.multiply(start, tall), np.multiply(end, tall), start_m * tall, end_m * tall, colour)

    def leg(side):
        knee, foot = (side * stride * 0.6 + 0.04, 0.48, side * 0.1), (side * stride, 0.06, side * 0.1)
        limb((0, 0.92, side * 0.09), knee, 0.1, 0.075, trousers)
        limb(knee, foot, 0.075, 0.05, trousers)
        limb(foot, (side * stride + 0.16, 0.05, side * 0.1), 0.055, 0.045, _LEATHER)

    def arm(side):
        swing = -side * stride * 0.8  # opposite to the leg
        elbow, hand = (swing * 0.5, 1.12, side * 0.25), (swing + 0.08, 0.86, side * 0.25)
        limb((0.02, 1.38, side * 0.2), elbow, 0.065, 0.055, coat * 0.86)
        limb(elbow, hand, 0.055, 0.045, coat * 0.86)
        limb(hand, hand, 0.05, 0.05, skin)

    leg(far)
    leg(near)
    arm(far)
    limb((0, hem, 0), (0.02, 1.32, 0), 0.17 if hem < 0.8 else 0.14, 0.17, coat)
    limb((0.02, 1.38, -0.15), (0.02, 1.38, 0.15), 0.085, 0.085, coat)
    if rng.random() < 0.35:
        limb((-0.2, 1.05, 0), (-0.2, 1.3, 0), 0.13, 0.12, paint(rng))  # rucksack
    arm(near)
    limb((0.03, 1.45, 0), (0.04, 1.52, 0), 0.06, 0.06, skin)
    limb((0.05, 1.6, 0), (0.05, 1.66, 0), 0.1, 0.1, skin)
    limb((0.02, 1.68, 0), (0.01, 1.7, 0), 0.108, 0.1, _HAIRS[rng.integers(4)])


def bicycle(canvas: Canvas, rng: Generator, frame: Frame, ridden: bool) -> None:
    """A bicycle: spoked wheels, a frame of tubes, saddle and handlebar; with its rider if `ridden`."""
    pen, colour, radius = Pen(canvas, frame, "bicycle"), paint(rng), 0.36
    for u in (-0.55, 0.55):
        pen.limb((u, 0.03), (u, 2 * radius - 0.03), 0.03, 0.03, _RUBBER)
        pen.ring(u, radius, radius, 0.07, _RUBBER)
        for turn in np.arange(0, np.pi, np.pi / 4):
            du, dv = radius * np.cos(turn), radius * np.sin(turn)
            pen.limb((u - du, radius - dv), (u + du, radius + dv), 0.008, 0.008, _METAL)
    if ridden:
        _rider(canvas, rng, frame, saddle=(-0.25, 0.98), grip=(0.42, 1.06), pedal=(0.02, 0.3), lean=0.35)
    hub, crank, seat, head, fork = (-0.55, 0.36), (-0.05, 0.32), (-0.22, 0.86), (0.4, 0.88), (0.55, 0.36)
    for start, end in ((hub, crank), (crank, seat), (seat, hub), (crank, head), (seat, head), (head, fork)):
        pen.limb(start, end, 0.028, 0.028, colour)
    pen.limb(seat, (-0.24, 0.95), 0.025, 0.025, _METAL)
    pen.limb((-0.36, 0.96), (-0.14, 0.96), 0.05, 0.035, _RUBBER)
    pen.limb(head, (0.36, 1.04), 0.025, 0.025, _METAL)
    pen.limb((0.38, 1.05, -0.26), (0.38, 1.05, 0.26), 0.026, 0.026, _RUBBER)


def motorcycle(canvas: Canvas, rng: Generator, frame: Frame, ridden: bool) -> None:
    """A motorcycle: fat wheels, fork, engine, exhaust, tank, seat and lamp; with its rider if `ridden`."""
    pen, colour, radius = Pen(canvas, frame, "motorcycle"), paint(rng), 0.33
    for u in (-0.72, 0.74):
        pen.limb((u, 0.09), (u, 2 * radius - 0.09), 0.09, 0.09, _RUBBER)
        pen.disc(u, radius, radius, _RUBBER)
        pen.disc(u, radius, radius * 0.6, _METAL * 1.1, corners=10)
        pen.disc(u, radius, radius * 0.25, _RUBBER, corners=8)
    pen.limb((0.74, 0.33), (0.46, 0.95), 0.05, 0.05, _METAL)
    pen.limb((-0.72, 0.33), (0.0, 0.42), 0.06, 0.08, _METAL * 0.6)
    pen.limb((-0.1, 0.45), (0.25, 0.48), 0.2, 0.2, _METAL * 0.5)
    pen.limb((-0.75, 0.3, 0.14), (-0.05, 0.26, 0.14), 0.07, 0.04, _METAL * 1.3)
    pen.polygon([-0.95, -0.75, 0.1, 0.1, -0.7], [0.82, 0.9, 0.8, 0.6, 0.64], colour)
    if ridden:
        _rider(canvas, rng, frame, (-0.2, 0.86), (0.36, 1.02), (0.06, 0.34), lean=0.22, motorised=True)
    pen.limb((0.02, 0.78), (0.36, 0.84), 0.15, 0.13, colour)
    pen.limb((-0.6, 0.84), (-0.1, 0.8), 0.09, 0.08, _RUBBER)
    pen.limb((0.4, 1.0, -0.36), (0.4, 1.0, 0.36), 0.03, 0.03, _RUBBER)
    eye_u, _ = pen.eye()
    if eye_u > 0:
        pen.limb((0.6, 0.82), (0.62, 0.82), 0.13, 0.13, _HEADLAMP)
    else:
        pen.limb((-0.95, 0.8), (-0.95, 0.8), 0.08, 0.08, _TAILLAMP)


def _rider(
    canvas: Canvas, rng: Generator, frame: Frame, saddle: tuple[float, float], grip: tuple[float, float],
    pedal: tuple[float, float], lean: float, motorised: bool = False,
) -> None:
    """Somebody on the saddle: bent legs to the pedals, arms to the handlebar."""
    pen = Pen(canvas, frame, "rider")
    coat, trousers, skin = paint(rng), paint(rng) * 0.75, _SKINS[rng.integers(4)]
    cap = paint(rng) if motorised or rng.random() < 0.5 else _HAIRS[rng.integers(4)]
    hip, shoulder = _plus(saddle, 0, 0.04), _plus(saddle, lean, 0.56)
    turn = rng.uniform(0, 2 * np.pi)
    far, near = _far_side_first(pen)

    def limb(start, end, start_w, end_w, start_m, end_m, colour):
        pen.limb((*start, start_w), (*end, end_w), start_m, end_m, colour)

    def leg(side):
        reach = 0.0 if motorised else 0.16 * side
        foot = _plus(pedal, reach * np.cos(turn), reach * np.sin(turn))
        knee = _between(hip, foot, 0.26, 0.1)
        limb(hip, knee, side * 0.1, side * 0.16, 0.1, 0.08, trousers)
        limb(knee, foot, side * 0.16, side * 0.14, 0.08, 0.05, trousers * 0.9)
        limb(foot, _plus(foot, 0.14, -0.03), side * 0.14, side * 0.14, 0.055, 0.045, _LEATHER)

    def arm(side):
        elbow = _between(shoulder, grip, -0.04, -0.1)
        limb(shoulder, elbow, side * 0.2, side * 0.26, 0.07, 0.055, coat * 0.88)
        limb(elbow, grip, side * 0.26, side * 0.25, 0.055, 0.045, coat * 0.88)

    leg(far)
    arm(far)
    limb(hip, shoulder, 0, 0, 0.16, 0.17, coat)
    limb(shoulder, shoulder, -0.17, 0.17, 0.085, 0.085, coat)
    leg(near)
    arm(near)
    limb(_plus(shoulder, 0.07, 0.19), _plus(shoulder, 0.1, 0.25), 0, 0, 0.1, 0.105, skin)
    limb(_plus(shoulder, 0.07, 0.31), _plus(shoulder, 0.1, 0.32), 0, 0, 0.125, 0.115, cap)


def _plus(point: tuple[float, float], u: float, v: float) -> tuple[float, float]:
    return point[0] + u, point[1] + v


def _between(start: tuple[float, float], end: tuple[float, float], u: float, v: float) -> tuple[float, float]:
    """The middle of two points, moved by (u, v)."""
    return (start[0] + end[0]) / 2 + u, (start[1] + end[1]) / 2 + v


def _far_side_first(pen: Pen) -> tuple[int, int]:
    _, eye_w = pen.eye()
    return (-1, 1) if eye_w > 0 else (1, -1)
