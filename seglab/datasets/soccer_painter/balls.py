"""Balls, drawn pixel by pixel: a sphere with marks, lit from above, perhaps rolling."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from seglab.datasets.soccer_painter.camera import NEAR_M
from seglab.datasets.soccer_painter.canvas import BALL, Canvas

_GOLDEN = (1 + np.sqrt(5)) / 2
# The black patches of a classic ball are the corners of an icosahedron.
_CORNERS = np.array([(0, a, b * _GOLDEN) for a in (-1, 1) for b in (-1, 1)])
_CORNERS = np.concatenate([np.roll(_CORNERS, shift, axis=1) for shift in range(3)]) / np.hypot(1, _GOLDEN)
_LARGEST_PX = 1200  # a ball that would fill more of the supersampled picture lies at the lens


def ball(
    canvas: Canvas, rng: Generator, design: tuple[str, tuple, tuple], centre: np.ndarray, radius_m: float,
    light: np.ndarray,
) -> None:
    """Draws a ball of a venue's design with its middle at `centre` (3,) in the light (3,)."""  # fmt: skip
    depth = float(canvas.camera.depth(centre))
    radius = radius_m * canvas.camera.focal_px / max(depth, NEAR_M)
    if depth < NEAR_M + radius_m or radius > _LARGEST_PX:
        return
    column, row = canvas.camera.project(centre)
    streak = _streak(rng, radius)
    reach = radius + np.abs(streak).max() + 2
    left, top = int(np.floor(column - reach)), int(np.floor(row - reach))
    size = int(np.ceil(2 * reach)) + 1
    height, width = canvas.camera.size
    if left + size < 0 or top + size < 0 or left >= width or top >= height:
        return
    y, x = np.mgrid[top : top + size, left : left + size]
    x, y = (x + 0.5 - column) / radius, (y + 0.5 - row) / radius
    square = x * x + y * y
    alpha = (square <= 1).astype(np.float32)
    normals = np.stack([x, y, -np.sqrt(np.maximum(1 - square, 0))], axis=-1)  # right, down, away
    colours = _marked(rng, design, normals)
    up = canvas.camera.axes @ np.array([0.25, 0.15, 0.95])
    shade = 0.5 + 0.5 * np.maximum(normals @ up, -0.6)
    glancing = up - np.array([0, 0, 0.6])  # half way between the lamps and the camera
    gleam = np.maximum(normals @ glancing / np.linalg.norm(glancing), 0)[..., None] ** 24 * rng.uniform(0, 90)
    rgb = (colours * shade[..., None] + gleam) * light
    rgb, alpha = _smeared(rgb, alpha, streak)
    canvas.stamp(left, top, rgb, alpha, BALL)


def _marked(rng: Generator, design: tuple[str, tuple, tuple], normals: np.ndarray) -> np.ndarray:
    """Colours (h, w, 3) of a ball in a random position, from its surface's normals (h, w, 3)."""
    kind, base, marks = design
    turned = normals @ np.linalg.qr(rng.standard_normal((3, 3)))[0]
    if kind == "classic":
        marked = (turned @ _CORNERS.T).max(axis=-1) > 0.925
    elif kind == "patched":  # fewer and larger patches
        marked = (turned @ _CORNERS[::2].T).max(axis=-1) > 0.86
    elif kind == "banded":
        marked = np.abs(turned[..., 0]) < 0.3
    else:
        marked = np.zeros(turned.shape[:-1], bool)
    return np.where(marked[..., None], np.array(marks, float), np.array(base, float))


def _streak(rng: Generator, radius: float) -> np.ndarray:
    """Pixels (dx, dy) that the ball moves to either side while the picture is exposed; mostly none."""
    if rng.random() < 0.75:
        return np.zeros(2)
    angle, length = rng.normal(0, 0.4), radius * rng.uniform(0.15, 0.6)
    return length * np.array([np.cos(angle), np.sin(angle)])


def _smeared(rgb: np.ndarray, alpha: np.ndarray, streak: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A ball in motion: the mean over its way; the mask takes the pixels that it covers half of the time."""
    if not streak.any():
        return rgb, alpha
    count = int(np.clip(np.hypot(*streak), 9, 41))
    shifts = np.round(np.linspace(-1, 1, count)[:, None] * streak).astype(int)
    covers = [np.roll(alpha, (dy, dx), (0, 1)) for dx, dy in shifts]
    colours = [np.roll(rgb * alpha[..., None], (dy, dx), (0, 1)) for dx, dy in shifts]
    cover, colour = np.mean(covers, axis=0), np.mean(colours, axis=0)
    return colour / np.maximum(cover, 1e-6)[..., None], cover.astype(np.float32)
