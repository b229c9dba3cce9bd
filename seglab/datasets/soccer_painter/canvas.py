"""The canvas of a soccer picture: the picture and the mask that every thing is drawn into."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from seglab.datasets.soccer_painter.camera import NEAR_M, Camera

SUPERSAMPLING = 2  # picture and mask are drawn this much larger; the picture is averaged, the mask votes
BACKGROUND, BALL, LINES, FIELD = range(4)
_RANK = (BALL, LINES, BACKGROUND, FIELD)  # who wins a tie of the samples of one pixel


@dataclass(frozen=True)
class Rod:
    """A round, tapering rod between two points (3,), with a radius at each in metres."""

    start: np.ndarray
    end: np.ndarray
    start_m: float
    end_m: float
    colour: np.ndarray


class Canvas:
    """A picture and its mask; things are drawn from far to near.

    Args:
        camera: The camera of the finished picture.
        ground: Picture (H, W, 3) of all that is behind the things, 0..255.
        labels: Its classes, (H, W) uint8 at `SUPERSAMPLING` times the size.
    """

    def __init__(self, camera: Camera, ground: np.ndarray, labels: np.ndarray):
        self.camera = camera.enlarged(SUPERSAMPLING)
        height, width = self.camera.size
        pixels = Image.fromarray(np.clip(ground, 0, 255).astype(np.uint8))
        self.image = pixels.resize((width, height), Image.Resampling.NEAREST)
        self.labels = Image.fromarray(labels)
        self._draw, self._draw_label = ImageDraw.Draw(self.image), ImageDraw.Draw(self.labels)

    def rod(self, rod: Rod, light: np.ndarray) -> None:
        """Draws a rod of the background in the light (3,): three bands make it look round."""
        ends = np.stack([rod.start, rod.end])
        radii, depth = np.array([rod.start_m, rod.end_m]), self.camera.depth(ends)
        if depth.max() < NEAR_M:
            return
        if depth.min() < NEAR_M:
            near = int(depth.argmin())
            share = (NEAR_M - depth[near]) / (depth[1 - near] - depth[near])
            ends[near] += share * (ends[1 - near] - ends[near])
            radii[near] += share * (radii[1 - near] - radii[near])
            depth[near] = NEAR_M
        pixels, radii = self.camera.project(ends), radii * self.camera.focal_px / depth
        if not self._visible(pixels, radii):
            return
        colour = np.asarray(rod.colour) * light
        for brightness, share, shift in ((0.62, 1.0, 0.0), (0.85, 0.8, 0.14), (1.0, 0.5, 0.3)):
            middle = pixels - (shift * radii)[:, None] * np.array([0.6, 0.8])
            fill = _fill(colour * brightness)
            self._capsule(self._draw, middle, radii * share, fill)
        self._capsule(self._draw_label, pixels, radii, BACKGROUND)

    def polygon(self, points: np.ndarray, colour) -> None:
        """Draws a flat polygon (N, 3) of the background; with the colour None it changes the mask alone."""
        points = self.camera.clip(points)
        if len(points) > 2:
            outline = self.camera.project(points).ravel().tolist()
            if colour is not None:
                self._draw.polygon(outline, fill=_fill(colour))
            self._draw_label.polygon(outline, fill=BACKGROUND)

    def threads(self, points: np.ndarray, colour) -> None:
        """Draws fine lines (N, 2, 3) into the picture alone."""
        for ends in points[(self.camera.depth(points) > NEAR_M).all(axis=1)]:
            self._draw.line(self.camera.project(ends).ravel().tolist(), fill=_fill(colour), width=1)

    def stamp(self, left: int, top: int, rgb: np.ndarray, alpha: np.ndarray, label: int) -> None:
        """Blends pixels (h, w, 3) in with the weight `alpha` (h, w) in 0..1; the mask takes 0.5 and more."""
        blend = Image.fromarray((alpha * 255).astype(np.uint8))
        pixels = Image.fromarray(np.clip(rgb, 0, 255).astype(np.uint8))
        self.image.paste(pixels, (left, top), blend)
        self.labels.paste(label, (left, top), Image.fromarray((alpha >= 0.5).astype(np.uint8) * 255))

    def finished(self) -> tuple[np.ndarray, np.ndarray]:
        """The picture (H, W, 3) and the mask (H, W), uint8; a pixel's samples vote for its class."""
        return np.asarray(self.image.reduce(SUPERSAMPLING)), vote(np.asarray(self.labels))

    def _visible(self, pixels: np.ndarray, radii: np.ndarray) -> bool:
        low, high = (pixels - radii[:, None]).min(axis=0), (pixels + radii[:, None]).max(axis=0)
        return bool((high >= 0).all() and (low <= self.camera.size[::-1]).all())

    @staticmethod
    def _capsule(draw: ImageDraw.ImageDraw, ends: np.ndarray, radii: np.ndarray, fill) -> None:
        a, b = ends
        across = np.array([a[1] - b[1], b[0] - a[0]]) / max(np.hypot(*(b - a)), 1e-6)
        side_a, side_b = across * radii[0], across * radii[1]
        draw.polygon([*(a + side_a), *(b + side_b), *(b - side_b), *(a - side_a)], fill=fill)
        for centre, radius in zip(ends, radii, strict=True):
            draw.ellipse([*(centre - radius), *(centre + radius)], fill=fill)


def vote(labels: np.ndarray) -> np.ndarray:
    """The class (H, W) that most samples of a pixel have; among equals ball, line, background, field win."""
    votes = np.stack([count(labels == label) for label in _RANK])
    return np.array(_RANK, np.uint8)[votes.argmax(axis=0)]


def count(samples: np.ndarray) -> np.ndarray:
    """How many of the samples of each pixel (H, W) are true, uint8."""
    total = np.zeros([length // SUPERSAMPLING for length in samples.shape], np.uint8)
    for row in range(SUPERSAMPLING):
        for column in range(SUPERSAMPLING):
            total += samples[row::SUPERSAMPLING, column::SUPERSAMPLING]
    return total


def _fill(colour) -> tuple[int, ...]:
    return tuple(np.clip(colour, 0, 255).astype(int).tolist())
