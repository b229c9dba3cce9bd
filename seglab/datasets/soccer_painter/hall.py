"""The hall: walls, windows, ceiling and advertising boards, each a picture that the camera looks at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw

from seglab.datasets.soccer_painter.camera import Camera
from seglab.datasets.soccer_painter.venues import Venue

_PX_PER_M = 40
_GLOW = 1.6  # how bright windows and lamps are, where white paper in a light of 1 has 1


@dataclass(frozen=True)
class Hall:
    """A rectangular hall around the pitch, in which boards may stand around the carpet.

    Pictures are uint8 (..., 4): a colour, and how far it shines by itself.

    Args:
        half: Half its length and half its width in metres.
        height: To the ceiling, in metres.
        walls: Pictures (4, h, w, 4) of the walls at -x, +x, -y and +y, upright, from their lower left corner.
        ceiling: Picture (h, w, 4), by y and x.
        ring: Half the length and half the width of the rectangle of boards.
        boards: Pictures (4, h, w, 4) of the boards; None without.
    """

    half: tuple[float, float]
    height: float
    walls: np.ndarray
    ceiling: np.ndarray
    ring: tuple[float, float]
    boards: np.ndarray | None

    def look(
        self, camera: Camera, rays: list[np.ndarray], light: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """What the camera sees of the hall in the light (3,).

        Returns:
            Colours (H, W, 3) on a scale of 0..255, and where (H, W) they hide the floor.
        """
        side, u, z = _cast(camera, rays, self.half)
        texels = _sample(self.walls, side, u, z, self.half)
        overhead = z > self.height
        reach = (self.height - camera.position[2]) / np.maximum(rays[2], 1e-4)
        x, y = (p + d * reach for p, d in zip(camera.position[:2], rays[:2], strict=True))
        rows = np.clip((y + self.half[1]) * _PX_PER_M / 2, 0, self.ceiling.shape[0] - 1).astype(np.int32)
        columns = np.clip((x + self.half[0]) * _PX_PER_M / 2, 0, self.ceiling.shape[1] - 1).astype(np.int32)
        texels = np.where(overhead[..., None], self.ceiling[rows, columns], texels)
        hides = z > 0
        if self.boards is not None:
            side, u, z = _cast(camera, rays, self.ring)
            on_board = (z > 0) & (z < self.boards.shape[1] / _PX_PER_M)
            texels = np.where(on_board[..., None], _sample(self.boards, side, u, z, self.ring), texels)
            hides |= on_board
        colours, glow = texels[..., :3].astype(np.float32), texels[..., 3:].astype(np.float32) / 255
        return colours * (light.astype(np.float32) * (1 - glow) + _GLOW * glow), hides


def _cast(camera: Camera, rays: list[np.ndarray], half: tuple[float, float]) -> tuple[np.ndarray, ...]:
    """Where rays from inside meet four upright walls: which one, metres along it, and height (H, W)."""
    dx, dy, dz = rays
    dx, dy = (np.where(np.abs(d) < 1e-6, np.float32(1e-6), d) for d in (dx, dy))
    px, py, pz = (np.float32(p) for p in camera.position)
    to_x = (np.copysign(np.float32(half[0]), dx) - px) / dx
    to_y = (np.copysign(np.float32(half[1]), dy) - py) / dy
    on_x = to_x < to_y
    depth = np.where(on_x, to_x, to_y)
    u = np.where(on_x, py + dy * depth, px + dx * depth)
    side = np.where(on_x, dx > 0, 2 + (dy > 0)).astype(np.int32)
    return side, u, pz + dz * depth


def _sample(pictures: np.ndarray, side, u, z, half) -> np.ndarray:
    """Pixels (H, W, 4) of upright pictures at `u` metres from the middle and `z` above the floor."""
    _, height, width, _ = pictures.shape
    column = np.clip((u + max(half)) * _PX_PER_M, 0, width - 1).astype(np.int32)
    row = np.clip(height - 1 - z * _PX_PER_M, 0, height - 1).astype(np.int32)
    return pictures[side, row, column]


def build(rng: Generator, venue: Venue) -> Hall:
    """Builds the venue's hall as it is on one day."""
    pitch = venue.pitch
    edge = (pitch.length / 2 + pitch.border, pitch.width / 2 + pitch.border)
    half = tuple(e + rng.uniform(0.8, 4.5) for e in edge)
    height = rng.uniform(4.0, 7.0)
    width_m = 2 * max(half)
    walls = np.stack([_wall(rng, venue, width_m, height) for _ in range(4)])
    ring = tuple(e + rng.uniform(0.1, 0.7) for e in edge)
    boards = None
    if venue.boards and rng.random() < 0.85:
        boards = np.stack([_boards(rng, 2 * max(ring), venue.boards) for _ in range(4)])
    return Hall(half, height, walls, _ceiling(rng, half), ring, boards)


def _wall(rng: Generator, venue: Venue, width_m: float, height_m: float) -> np.ndarray:
    """One wall, from left to right and from the ceiling down."""
    scale = _PX_PER_M
    width, height = round(width_m * scale), round(height_m * scale)
    base = np.array(venue.walls[rng.integers(len(venue.walls))]) * rng.uniform(0.8, 1.15)
    image = Image.new("RGBA", (width, height), _opaque(base))
    draw = ImageDraw.Draw(image)
    {"panels": _panels, "planks": _planks, "curtain": _curtain, "bricks": _bricks, "glass": _glass}[
        venue.cladding
    ](rng, draw, base, width, height)
    if venue.cladding != "glass" and rng.random() < 0.35:
        _windows(rng, draw, width, height)
    for _ in range(rng.integers(0, 7)):  # banners and posters
        w, h = rng.uniform(0.6, 3.0) * scale, rng.uniform(0.5, 1.8) * scale
        _banner(rng, draw, rng.uniform(0, width), height - rng.uniform(0.9, 3.2) * scale - h, w, h)
    for _ in range(rng.integers(0, 9)):  # tables, boxes, benches and dark doors along the wall
        w, h = rng.uniform(0.4, 2.4) * scale, rng.choice([0.45, 0.75, 1.1, 2.0]) * scale
        x = rng.uniform(0, width)
        draw.rectangle([x, height - h, x + w, height], fill=_opaque(_any_colour(rng)))
        draw.rectangle([x, height - h, x + w, height - h + 3], fill=_opaque(_any_colour(rng)))
    draw.rectangle([0, height - 0.1 * scale, width, height], fill=_opaque(base * 0.35))
    return np.asarray(image)


def _panels(rng: Generator, draw, base, width: int, height: int) -> None:
    for x in np.arange(rng.uniform(0, 60), width, rng.uniform(50, 120)):
        draw.line([x, 0, x, height], fill=_opaque(base * 0.55))
    for y in np.arange(height, 0, -rng.uniform(28, 60)):
        draw.line([0, y, width, y], fill=_opaque(base * 0.6))


def _planks(rng: Generator, draw, base, width: int, height: int) -> None:
    step = rng.uniform(5, 14)
    for y in np.arange(0, height, step):
        draw.rectangle([0, y, width, y + step - 1], fill=_opaque(base * rng.uniform(0.8, 1.1)))
    for x in np.arange(rng.uniform(0, 80), width, rng.uniform(90, 200)):
        draw.rectangle([x, 0, x + 7, height], fill=_opaque(base * 0.6))


def _curtain(rng: Generator, draw, base, width: int, height: int) -> None:
    for x in range(0, width, 3):
        fold = 0.8 + 0.25 * np.sin(x / 4.5 + 2 * np.sin(x / 31)) + rng.normal(0, 0.04)
        draw.rectangle([x, 0, x + 2, height], fill=_opaque(base * fold))


def _bricks(rng: Generator, draw, base, width: int, height: int) -> None:
    for row, y in enumerate(range(0, height, 8)):
        for x in range(-(row % 2) * 10, width, 20):
            draw.rectangle([x, y, x + 18, y + 6], fill=_opaque(base * rng.uniform(0.85, 1.15)))


def _glass(rng: Generator, draw, base, width: int, height: int) -> None:
    sky = np.array([214, 226, 240]) * rng.uniform(0.75, 1.0)
    sill = height - int(rng.uniform(0.0, 0.9) * _PX_PER_M)
    draw.rectangle([0, 0, width, sill], fill=_shining(sky))
    for _ in range(rng.integers(4, 14)):  # trees and houses outside
        x, w, h = rng.uniform(0, width), rng.uniform(20, 110), rng.uniform(30, 150)
        colour = rng.choice([[96, 128, 70], [150, 140, 130], [70, 96, 60], [180, 170, 160]])
        draw.ellipse([x, sill - h, x + w, sill + h], fill=_shining(colour))
    for x in np.arange(0, width, rng.uniform(40, 90)):
        draw.rectangle([x, 0, x + 4, sill], fill=_opaque(base * 0.35))
    for y in np.arange(sill, 0, -rng.uniform(55, 100)):
        draw.rectangle([0, y, width, y + 4], fill=_opaque(base * 0.35))


def _windows(rng: Generator, draw, width: int, height: int) -> None:
    top = height - rng.uniform(3.0, 3.8) * _PX_PER_M
    high, wide = rng.uniform(0.7, 2.2) * _PX_PER_M, rng.uniform(0.6, 2.0) * _PX_PER_M
    for x in np.arange(rng.uniform(0, 60), width, wide * rng.uniform(1.1, 1.8)):
        draw.rectangle([x, top, x + wide, top + high], fill=_shining([226, 234, 244]))
        draw.line([x + wide / 2, top, x + wide / 2, top + high], fill=_opaque([80, 80, 84]), width=3)


def _ceiling(rng: Generator, half: tuple[float, float]) -> np.ndarray:
    """Beams, pipes and rows of lamps, at half the resolution of the walls."""
    width, height = (round(length * _PX_PER_M) for length in half)
    base = np.array([[60, 62, 68], [150, 146, 138], [104, 72, 48], [210, 210, 206]][rng.integers(4)])
    image = Image.new("RGBA", (width, height), _opaque(base))
    draw = ImageDraw.Draw(image)
    for x in np.arange(rng.uniform(0, 20), width, rng.uniform(16, 44)):
        draw.rectangle([x, 0, x + rng.uniform(2, 6), height], fill=_opaque(base * 0.6))
    for y in rng.uniform(0, height, 3):
        draw.rectangle([0, y, width, y + 7], fill=_opaque([150, 154, 158]))
    length = rng.uniform(3, 28)
    for x in np.arange(rng.uniform(10, 30), width, rng.uniform(40, 70)):
        for y in np.arange(rng.uniform(10, 30), height, rng.uniform(40, 70)):
            draw.rectangle([x, y, x + length, y + 5], fill=_shining([250, 250, 244]))
    return np.asarray(image)


def _boards(rng: Generator, width_m: float, height_m: float) -> np.ndarray:
    """A row of advertising boards with gaps (they show the floor's colour)."""
    width, height = round(width_m * _PX_PER_M), round(height_m * _PX_PER_M)
    image = Image.new("RGBA", (width, height), _opaque([70, 70, 72]))
    draw = ImageDraw.Draw(image)
    x = 0.0
    while x < width:
        w = rng.uniform(1.0, 2.4) * _PX_PER_M
        if rng.random() < 0.85:
            _banner(rng, draw, x, 0, w, height)
        x += w + rng.uniform(1, 14)
    return np.asarray(image)


def _banner(rng: Generator, draw, x: float, y: float, w: float, h: float) -> None:
    """A white or coloured sheet with something like a logo and lettering on it."""
    white = rng.random() < 0.6
    draw.rectangle([x, y, x + w, y + h], fill=_opaque([236, 236, 234] if white else _any_colour(rng)))
    ink = _any_colour(rng) if white else np.array([240.0, 240, 236])
    size = min(w, h) * rng.uniform(0.3, 0.6)
    left, top = x + 0.05 * w, y + 0.2 * h
    draw.ellipse([left, top, left + size, top + size], fill=_opaque(_any_colour(rng)))
    letter, at = max(size * rng.uniform(0.25, 0.5), 2), x + 0.1 * w + size
    while at + letter < x + 0.95 * w:
        if rng.random() < 0.85:
            top = y + rng.uniform(0.25, 0.4) * h
            draw.rectangle([at, top, at + 0.65 * letter, top + 0.3 * h], fill=_opaque(ink))
        at += letter


def _any_colour(rng: Generator) -> np.ndarray:
    palette = [
        (30, 34, 40), (64, 66, 72), (150, 150, 152), (232, 232, 230), (30, 70, 150), (60, 140, 200),
        (200, 36, 40), (236, 120, 30), (240, 200, 50), (40, 120, 60), (110, 60, 130), (150, 100, 60),
    ]  # fmt: skip
    return np.array(palette[rng.integers(len(palette))]) * rng.uniform(0.8, 1.05)


def _opaque(colour) -> tuple[int, int, int, int]:
    return (*np.clip(colour, 0, 255).astype(int).tolist(), 0)


def _shining(colour) -> tuple[int, int, int, int]:
    return (*np.clip(colour, 0, 255).astype(int).tolist(), 255)
