"""One picture from beginning to end: where the camera stands, who is in view, and what the camera records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from seglab.config import unknown
from seglab.datasets.soccer_painter import balls, figures, goals, hall, sensor, turf
from seglab.datasets.soccer_painter.camera import Camera
from seglab.datasets.soccer_painter.canvas import Canvas, Rod
from seglab.datasets.soccer_painter.venues import VENUES, Venue
from seglab.errors import ConfigError


def render_scene(
    rng: Generator, venue: Venue | str, size: tuple[int, int] = (480, 640)
) -> tuple[np.ndarray, np.ndarray]:
    """Paints one soccer picture.

    Args:
        rng: The only source of chance; the same state gives the same picture.
        venue: One of `VENUES`, or its name.
        size: Height and width in pixels.

    Returns:
        The picture, uint8 (H, W, 3) RGB, and its mask, uint8 (H, W): 0 background, 1 ball, 2 lines, 3 field.

    Raises:
        ConfigError: If there is no such venue.
    """
    if isinstance(venue, str):
        venues = {one.name: one for one in VENUES}
        if venue not in venues:
            raise ConfigError(unknown(f"venue {venue!r}", venue, venues))
        venue = venues[venue]
    build = venue.robots[rng.integers(len(venue.robots))]
    height_m = rng.uniform(*venue.robot_m)
    camera = aim(rng, venue, height_m, size)
    light = turf.Light.draw(rng, venue)
    cast = _Cast(camera, light)
    _gather(rng, venue, cast)
    if camera.pitch > 0.6:
        x, y, _ = camera.position
        cast.add(figures.own_body(rng, build, height_m, x, y, camera.yaw))

    rays = camera.rays()
    classes = turf.labels(venue.pitch, camera)
    ground = turf.paint(rng, venue, camera, rays, light, cast.rods, classes)
    room, hides = hall.build(rng, venue).look(camera, rays, light.ambient)
    canvas = Canvas(camera, np.where(hides[..., None], room, ground), classes)
    cast.draw(canvas)
    image, mask = canvas.finished()
    return sensor.developed(rng, image, venue), mask


def aim(rng: Generator, venue: Venue, height_m: float, size: tuple[int, int]) -> Camera:
    """A camera at the height of a robot's head, which looks down at the pitch, mostly."""
    pitch = venue.pitch
    x = rng.uniform(-0.5, 0.5) * (pitch.length - 0.2)
    y = rng.uniform(-0.5, 0.5) * (pitch.width + 0.4)
    target = rng.uniform(-0.5, 0.5, 2) * (pitch.length, pitch.width)
    if rng.random() < 0.75:  # something to see is near
        target = pitch.spot_on_a_line(rng)
        away, turn = rng.uniform(0.6, 2.6) * height_m / 0.55, rng.uniform(0, 2 * np.pi)
        x, y = target[0] + away * np.cos(turn), target[1] + away * np.sin(turn)
        x = np.clip(x, -0.5 * pitch.length + 0.1, 0.5 * pitch.length - 0.1)  # never behind a net
        y = np.clip(y, -0.5 * pitch.width - 0.5, 0.5 * pitch.width + 0.5)
    yaw = np.arctan2(target[1] - y, target[0] - x) + rng.normal(0, 0.25)
    manner = rng.choice(["ahead", "down", "up"], p=[0.77, 0.18, 0.05])
    degrees = {"ahead": rng.normal(25, 10), "down": rng.uniform(35, 75), "up": rng.uniform(-40, -8)}[manner]
    roll = rng.normal(0, 4 if rng.random() < 0.9 else 18)
    focal_px = size[1] / 2 / np.tan(np.radians(venue.view * rng.uniform(0.97, 1.03)) / 2)
    position = (float(x), float(y), float(0.9 * height_m * rng.uniform(0.9, 1.05)))
    angles = (float(angle) for angle in (yaw, np.radians(degrees), np.radians(roll)))
    return Camera(size, float(focal_px), position, *angles)


@dataclass
class _Cast:
    """All that stands on the pitch and around it."""

    camera: Camera
    light: turf.Light
    rods: list[Rod] = field(default_factory=list)
    _acts: list[tuple[float, Callable[[Canvas], None]]] = field(default_factory=list)

    def add(self, rods: list[Rod]) -> None:
        """Adds a body."""
        self.rods += rods
        middle = np.mean([rod.start for rod in rods], axis=0)
        nearest_last = sorted(rods, key=lambda rod: -self._distance((rod.start + rod.end) / 2))
        light = self.light_at(middle)

        def draw(canvas: Canvas) -> None:
            for rod in nearest_last:
                canvas.rod(rod, light)

        self.put(middle, draw)

    def put(self, where: np.ndarray, draw: Callable[[Canvas], None]) -> None:
        """Queues something that draws itself, before all that is nearer than `where` (3,)."""
        self._acts.append((self._distance(where), draw))

    def light_at(self, where: np.ndarray) -> np.ndarray:
        """The light (3,) that falls on something at `where` (3,)."""
        sunlit = self.light.sunlit(np.float32(where[0]), np.float32(where[1]))
        return self.light.ambient + 0.8 * self.light.sun * sunlit

    def draw(self, canvas: Canvas) -> None:
        """Draws everything, far things first."""
        for _, draw in sorted(self._acts, key=lambda act: -act[0]):
            draw(canvas)

    def _distance(self, point: np.ndarray) -> float:
        return float(np.linalg.norm(point - self.camera.position))


def _gather(rng: Generator, venue: Venue, cast: _Cast) -> None:
    """Decides who and what is there."""
    pitch, camera = venue.pitch, cast.camera
    _goals(rng, venue, cast)
    for _ in range(rng.integers(0, 8)):
        x, y = rng.uniform(-0.55, 0.55, 2) * (pitch.length, pitch.width)
        if rng.random() < 0.5:
            x, y = _in_view(rng, cast, 0.5, 3.5)
        if np.hypot(x - camera.position[0], y - camera.position[1]) > 0.6 * camera.position[2] / 0.5:
            build = venue.robots[rng.integers(len(venue.robots))]
            jersey = np.array(venue.jerseys[rng.integers(2)]) * rng.uniform(0.85, 1.1)
            height = rng.uniform(*venue.robot_m)
            cast.add(figures.robot(rng, build, height, jersey, x, y, rng.uniform(0, 2 * np.pi)))
    for _ in range(rng.integers(0, 13)):
        # Along the border, or, more rarely, a referee or handler on the pitch.
        side, along = rng.integers(4), rng.uniform(-0.6, 0.6)
        away = rng.uniform(0.3, 1.3)
        x, y = along * pitch.length, (pitch.width / 2 + away) * (1 if side % 2 else -1)
        if side > 1:
            x, y = (pitch.length / 2 + away) * (1 if side % 2 else -1), along * pitch.width
        if rng.random() < 0.12:
            x, y = _in_view(rng, cast, 1.2, 4.0)
        if np.hypot(x - camera.position[0], y - camera.position[1]) > 0.8:
            cast.add(figures.person(rng, x, y, rng.uniform(0, 2 * np.pi)))
    if rng.random() < 0.7:
        _ball(rng, venue, cast)


def _goals(rng: Generator, venue: Venue, cast: _Cast) -> None:
    colour = np.array([232.0, 232, 230]) if rng.random() < 0.8 else np.array([226.0, 196, 40])
    thread = np.array([220.0, 222, 220]) * rng.uniform(0.3, 1.0)
    netted = rng.random() < 0.8
    for sign in (-1, 1):
        for rod in goals.frame(venue.pitch, sign, colour):
            cast.add([rod])
        if netted:
            back = np.array([sign * (venue.pitch.length / 2 + venue.pitch.goal[2]), 0, 0])
            light = cast.light_at(back)
            cast.put(back, lambda canvas, s=sign, lit=light: goals.net(canvas, venue.pitch, s, thread * lit))


def _ball(rng: Generator, venue: Venue, cast: _Cast) -> None:
    """Puts a ball where the camera sees it, if a few tries find such a place."""
    design = venue.balls[rng.integers(len(venue.balls))]
    for _ in range(8):
        centre = np.array([*_in_view(rng, cast, 0.25, 3.0), venue.ball_m])
        if cast.camera.depth(centre) > 0 and cast.camera.holds(cast.camera.project(centre)):
            break
    else:
        return
    light = cast.light_at(centre)
    cast.rods.append(Rod(centre, centre, venue.ball_m, venue.ball_m, np.zeros(3)))  # for its shadow
    cast.put(centre, lambda canvas: balls.ball(canvas, rng, design, centre, venue.ball_m, light))


def _in_view(rng: Generator, cast: _Cast, near: float, far: float) -> tuple[float, float]:
    """A place on the ground that the camera probably sees, between two distances in robot's metres."""
    camera = cast.camera
    distance = np.exp(rng.uniform(np.log(near), np.log(far))) * camera.position[2] / 0.5
    half = np.arctan(camera.size[1] / 2 / camera.focal_px)
    angle = camera.yaw + rng.uniform(-1, 1) * half
    return (
        float(camera.position[0] + distance * np.cos(angle)),
        float(camera.position[1] + distance * np.sin(angle)),
    )
