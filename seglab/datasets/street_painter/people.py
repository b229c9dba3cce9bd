"""People on foot, and two-wheelers with and without a rider."""

from __future__ import annotations

import numpy as np

from seglab.datasets.street_painter.canvas import Canvas, Frame
from seglab.datasets.street_painter.cities import paint

_SKINS = np.array([(232, 190, 160), (206, 156, 122), (152, 104, 76), (98, 66, 50)], float)
_HAIRS = np.array([(40, 32, 28), (92, 62, 40), (170, 132, 80), (150, 150, 150)], float)
_METAL = np.array([150.0, 152, 156])
_RUBBER = np.array([34.0, 34, 36])


def person(canvas: Canvas, rng, frame: Frame) -> None:
    """Somebody standing or walking towards `u`: legs, torso or coat, arms, head, perhaps a bag."""
    tall = rng.uniform(0.88, 1.06) if rng.random() < 0.88 else rng.uniform(0.6, 0.75)
    stride = rng.uniform(0.08, 0.32) if rng.random() < 0.8 else 0.05
    coat, trousers, shoes = paint(rng), paint(rng) * 0.75, np.full(3, 36.0)
    skin = _SKINS[rng.integers(4)]

    def limb(start, end, start_m, end_m, colour):
        canvas.limb(frame.at(*np.multiply(start, tall)), frame.at(*np.multiply(end, tall)), start_m * tall,
                    end_m * tall, colour, "person")

    sides = _far_side_first(canvas, frame)
    for side in sides:  # legs and the arm of the far side, then the near ones
        foot = (side * stride, 0.06, side * 0.1)
        knee = (side * stride * 0.6 + 0.04, 0.48, side * 0.1)
        limb((0, 0.92, side * 0.09), knee, 0.1, 0.075, trousers)
        limb(knee, foot, 0.075, 0.05, trousers)
        limb(foot, (side * stride + 0.16, 0.05, side * 0.1), 0.055, 0.045, shoes)
    hem = 0.62 if rng.random() < 0.3 else 0.9
    swing = stride * 0.8
    arm_far, arm_near = (_arm(limb, side, swing, coat * 0.86, skin) for side in sides)
    arm_far()
    limb((0, hem, 0), (0.02, 1.32, 0), 0.17 if hem < 0.8 else 0.14, 0.17, coat)
    limb((0.02, 1.38, -0.15), (0.02, 1.38, 0.15), 0.085, 0.085, coat)
    if rng.random() < 0.35:
        limb((-0.2, 1.05, 0), (-0.2, 1.3, 0), 0.13, 0.12, paint(rng))
    arm_near()
    limb((0.03, 1.45, 0), (0.04, 1.52, 0), 0.06, 0.06, skin)
    limb((0.05, 1.6, 0), (0.05, 1.66, 0), 0.1, 0.1, skin)
    limb((0.02, 1.68, 0), (0.01, 1.7, 0), 0.108, 0.1, _HAIRS[rng.integers(4)])


def _arm(limb, side: int, swing: float, sleeve, skin):
    def draw():
        elbow, hand = (-side * swing * 0.5, 1.12, side * 0.25), (-side * swing + 0.08, 0.86, side * 0.25)
        limb((0.02, 1.38, side * 0.2), elbow, 0.065, 0.055, sleeve)
        limb(elbow, hand, 0.055, 0.045, sleeve)
        limb(hand, hand, 0.05, 0.05, skin)

    return draw


def bicycle(canvas: Canvas, rng, frame: Frame, ridden: bool) -> None:
    """A bicycle: spoked wheels, a frame of tubes, saddle and handlebar; with its rider if `ridden`."""
    colour, radius = paint(rng), 0.36
    wheels = (-0.55, 0.55)
    for u in wheels:
        canvas.ring(frame.disc(u, radius, radius, corners=18), 0.07, _RUBBER, "bicycle")
        turn = np.arange(0, np.pi, np.pi / 4)
        du, dv = radius * np.cos(turn), radius * np.sin(turn)
        across = 0.012
        spokes = frame.at(u + np.stack([-du, -du, du, du], -1),
                          radius + np.stack([-dv - across, -dv + across, dv + across, dv - across], -1))
        canvas.polygons(spokes, _METAL, "bicycle")
    if ridden:
        _rider(canvas, rng, frame, saddle=(-0.25, 0.98), grip=(0.42, 1.06), pedal=(0.02, 0.3), lean=0.35)
    hub, crank, seat, head = (-0.55, 0.36), (-0.05, 0.32), (-0.22, 0.86), (0.4, 0.88)
    for start, end in ((hub, crank), (crank, seat), (seat, hub), (crank, head), (seat, head), (head, (0.55, 0.36))):
        canvas.limb(frame.at(*start), frame.at(*end), 0.028, 0.028, colour, "bicycle")
    canvas.limb(frame.at(-0.22, 0.86), frame.at(-0.24, 0.95), 0.025, 0.025, _METAL, "bicycle")
    canvas.limb(frame.at(-0.36, 0.96), frame.at(-0.14, 0.96), 0.05, 0.035, _RUBBER, "bicycle")
    canvas.limb(frame.at(0.4, 0.88), frame.at(0.36, 1.04), 0.025, 0.025, _METAL, "bicycle")
    canvas.limb(frame.at(0.38, 1.05, -0.26), frame.at(0.38, 1.05, 0.26), 0.026, 0.026, _RUBBER, "bicycle")


def motorcycle(canvas: Canvas, rng, frame: Frame, ridden: bool) -> None:
    """A motorcycle or scooter: fat wheels, fork, engine, tank, seat and lamp; with its rider if `ridden`."""
    colour, radius = paint(rng), 0.33
    for u in (-0.72, 0.74):
        canvas.limb(frame.at(u, radius, -0.07), frame.at(u, radius, 0.07), radius, radius, _RUBBER, "motorcycle") \
            if _end_on(canvas, frame) else canvas.polygon(frame.disc(u, radius, radius), _RUBBER, "motorcycle")
        canvas.polygon(frame.disc(u, radius, radius * 0.6, corners=10), _METAL * 1.1, "motorcycle")
        canvas.polygon(frame.disc(u, radius, radius * 0.25, corners=8), _RUBBER, "motorcycle")
    canvas.limb(frame.at(0.74, 0.33), frame.at(0.46, 0.95), 0.05, 0.05, _METAL, "motorcycle")
    canvas.limb(frame.at(-0.72, 0.33), frame.at(0.0, 0.42), 0.06, 0.08, _METAL * 0.6, "motorcycle")
    canvas.limb(frame.at(-0.1, 0.45), frame.at(0.25, 0.48), 0.2, 0.2, _METAL * 0.5, "motorcycle")
    canvas.limb(frame.at(-0.75, 0.3, 0.14), frame.at(-0.05, 0.26, 0.14), 0.07, 0.04, _METAL * 1.3, "motorcycle")
    canvas.polygon(frame.at([-0.95, -0.75, 0.1, 0.1, -0.7], [0.82, 0.9, 0.8, 0.6, 0.64]), colour, "motorcycle")
    if ridden:
        _rider(canvas, rng, frame, saddle=(-0.2, 0.86), grip=(0.36, 1.02), pedal=(0.06, 0.34), lean=0.22, helmet=True)
    canvas.limb(frame.at(0.02, 0.78), frame.at(0.36, 0.84), 0.15, 0.13, colour, "motorcycle")
    canvas.limb(frame.at(-0.6, 0.84), frame.at(-0.1, 0.8), 0.09, 0.08, _RUBBER, "motorcycle")
    canvas.limb(frame.at(0.4, 1.0, -0.36), frame.at(0.4, 1.0, 0.36), 0.03, 0.03, _RUBBER, "motorcycle")
    eye_u, _ = canvas.camera.eye_in(frame)
    if eye_u > 0:
        canvas.limb(frame.at(0.6, 0.82), frame.at(0.62, 0.82), 0.13, 0.13, np.array([250.0, 246, 226]), "motorcycle")
    else:
        canvas.limb(frame.at(-0.95, 0.8), frame.at(-0.95, 0.8), 0.08, 0.08, np.array([200.0, 30, 26]), "motorcycle")


def _rider(canvas: Canvas, rng, frame: Frame, saddle, grip, pedal, lean: float, helmet: bool = False) -> None:
    """Somebody on the saddle: bent legs to the pedals, arms to the handlebar."""
    coat, trousers, skin = paint(rng), paint(rng) * 0.75, _SKINS[rng.integers(4)]
    cap = paint(rng) if helmet or rng.random() < 0.5 else _HAIRS[rng.integers(4)]
    hip, shoulder = np.array(saddle) + [0, 0.04], np.array(saddle) + [lean, 0.56]
    turn = rng.uniform(0, 2 * np.pi)
    far, near = _far_side_first(canvas, frame)

    def limb(start, end, w_start, w_end, start_m, end_m, colour):
        canvas.limb(frame.at(*start, w_start), frame.at(*end, w_end), start_m, end_m, colour, "rider")

    def leg(side):
        reach = 0.0 if helmet else 0.16 * side
        foot = np.array(pedal) + [reach * np.cos(turn), reach * np.sin(turn)]
        knee = (hip + foot) / 2 + [0.26, 0.1]
        limb(hip, knee, side * 0.1, side * 0.16, 0.1, 0.08, trousers)
        limb(knee, foot, side * 0.16, side * 0.14, 0.08, 0.05, trousers * 0.9)
        limb(foot, foot + [0.14, -0.03], side * 0.14, side * 0.14, 0.055, 0.045, np.full(3, 34.0))

    def arm(side):
        elbow = (shoulder + np.array(grip)) / 2 + [-0.04, -0.1]
        limb(shoulder, elbow, side * 0.2, side * 0.26, 0.07, 0.055, coat * 0.88)
        limb(elbow, grip, side * 0.26, side * 0.25, 0.055, 0.045, coat * 0.88)

    leg(far)
    arm(far)
    limb(hip, shoulder, 0, 0, 0.16, 0.17, coat)
    limb(shoulder, shoulder, -0.17, 0.17, 0.085, 0.085, coat)
    leg(near)
    arm(near)
    head = shoulder + [0.1, 0.25]
    limb(head - [0.03, 0.06], head, 0, 0, 0.1, 0.105, skin)
    limb(head + [-0.03, 0.06], head + [0.0, 0.07], 0, 0, 0.125, 0.115, cap)


def _far_side_first(canvas: Canvas, frame: Frame) -> tuple[int, int]:
    _, eye_w = canvas.camera.eye_in(frame)
    return (-1, 1) if eye_w > 0 else (1, -1)


def _end_on(canvas: Canvas, frame: Frame) -> bool:
    """Whether the camera looks along the wheels, so that they show their tread."""
    eye_u, eye_w = canvas.camera.eye_in(frame)
    return abs(eye_w) < 0.35 * abs(eye_u)
