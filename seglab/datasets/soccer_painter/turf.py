"""The ground: carpet, lines and the floor beyond, in the light of the hall and of the sun."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFilter

from seglab.datasets.soccer_painter.camera import Camera
from seglab.datasets.soccer_painter.canvas import BACKGROUND, FIELD, LINES, SUPERSAMPLING, Rod, count
from seglab.datasets.soccer_painter.pitch import Pitch
from seglab.datasets.soccer_painter.venues import Venue


@dataclass(frozen=True)
class Light:
    """The light of one picture.

    Args:
        ambient: Strength of the light from everywhere, by colour channel (3,).
        sun: Strength of the sun where it shines, by colour channel (3,); 0 without.
        slope: Metres (x, y) that the sun's shadow lies away, for each metre of height.
        window: Direction, start and end of the sunlit strip on the ground, and period, share and shift of
            the window posts' shadows across it, in radians and metres.
        lamps: As `slope`, for each lamp that throws a faint shadow.
    """

    ambient: np.ndarray
    sun: np.ndarray
    slope: tuple[float, float]
    window: tuple[float, float, float, float, float, float]
    lamps: tuple[tuple[float, float], ...]

    @classmethod
    def draw(cls, rng: Generator, venue: Venue) -> Light:
        """The light of a day and an hour in a venue."""
        ambient = np.full(3, rng.uniform(*venue.ambient)) * np.exp(rng.normal(0, 0.05, 3))
        sunny = rng.random() < venue.sun
        sun = rng.uniform(0.8, 2.6) * np.array([1.05, 1.0, 0.88]) * sunny
        if sunny:
            ambient = ambient * rng.uniform(0.4, 0.9)
        heading, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 2.5)
        start = rng.uniform(-4, 3)
        window = (
            rng.uniform(0, np.pi), start, start + rng.uniform(0.6, 6),
            rng.uniform(0.6, 3.0), rng.choice([1.0, rng.uniform(0.5, 0.9)]), rng.uniform(0, 3),
        )  # fmt: skip
        lamps = tuple((a, b) for a, b in rng.normal(0, 0.5, (rng.integers(1, 4), 2)).tolist())
        return cls(ambient, sun, (reach * np.cos(heading), reach * np.sin(heading)), window, lamps)

    def sunlit(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """How much sun (...) falls on points of the ground through the windows, 0..1."""
        heading, start, end, period, share, shift = self.window
        along = x * np.float32(np.cos(heading)) + y * np.float32(np.sin(heading))
        across = y * np.float32(np.cos(heading)) - x * np.float32(np.sin(heading)) + np.float32(shift)
        soft = np.float32(0.04)
        strip = np.clip((along - start) / soft, 0, 1) * np.clip((end - along) / soft, 0, 1)
        if share == 1.0:
            return strip
        inside = np.abs(np.mod(across / np.float32(period), 1) - 0.5) * np.float32(period)
        return strip * np.clip((np.float32(share * period / 2) - inside) / soft, 0, 1)


def labels(pitch: Pitch, camera: Camera) -> np.ndarray:
    """Classes of the empty pitch, uint8, (H, W) times `SUPERSAMPLING`: each sample is one point."""
    fine = camera.enlarged(SUPERSAMPLING)
    rays = fine.rays()
    x, y, _ = fine.ground(rays)
    seen = pitch.is_turf(x, y) & (rays[2] < 0)
    classes = np.full(fine.size, BACKGROUND, np.uint8)
    classes[seen] = np.where(pitch.is_line(x[seen], y[seen]), LINES, FIELD)
    return classes


def paint(
    rng: Generator, venue: Venue, camera: Camera, rays: list[np.ndarray], light: Light, rods: list[Rod],
    classes: np.ndarray,
) -> np.ndarray:
    """The ground (H, W, 3) on a scale of 0..255, with the shadows of the rods on it.

    Args:
        rng: Source of chance.
        venue: The venue.
        camera: The camera.
        rays: Its rays.
        light: The light.
        rods: All that throws shadows.
        classes: The classes of the empty pitch, as `labels` returns them.
    """  # fmt: skip
    x, y, depth = camera.ground(rays)
    # Metres of ground, in the direction of view, that one pixel covers.
    footprint = depth / camera.focal_px / np.maximum(-rays[2], 0.02)
    noise = _Noise(rng)
    share = {label: count(classes == label) / np.float32(SUPERSAMPLING**2) for label in (LINES, FIELD)}
    turf, gloss = _carpet(rng, venue, noise, x, y, footprint)
    whiteness = np.array([232, 234, 228]) * rng.uniform(0.88, 1.05)
    worn = np.clip(1 - venue.wear * (0.35 + 0.55 * noise.soft(x, y, 12.0)) + 0.25 * gloss, 0.15, 1)
    line = whiteness.astype(np.float32) * (1 + 0.25 * gloss[..., None])
    line = turf + (line - turf) * worn[..., None]
    floor = np.array(venue.floors[rng.integers(len(venue.floors))], np.float32) * rng.uniform(0.8, 1.2)
    speckle = 1 + 0.05 * noise.soft(x, y, 90.0)
    speckle += 0.06 * noise.fine(x, y, 9.0) * np.minimum(1, 0.04 / footprint)
    colours = floor * speckle[..., None] * (1 - share[LINES] - share[FIELD])[..., None]
    colours += turf * share[FIELD][..., None] + line * share[LINES][..., None]
    return colours * _light(camera, light, rods, x, y)


def _carpet(rng: Generator, venue: Venue, noise: _Noise, x, y, footprint) -> tuple[np.ndarray, np.ndarray]:
    """Colour (H, W, 3) of the bare carpet, and how far each pixel stands out by its roughness (H, W)."""
    first, second = np.array(venue.turf, np.float32)[rng.choice(len(venue.turf), 2, replace=False)]
    roll = rng.uniform(1.0, 2.0)  # width of the rolls that the carpet was laid from
    strip = np.floor((x if rng.random() < 0.5 else y) / np.float32(roll))
    tone = rng.uniform(0.0, 0.08) * noise.fine(strip, strip, 256.0)
    seam = (np.abs(x / np.float32(roll) - strip - 0.5) > 0.493) * np.float32(rng.choice([0.0, 0.12, 0.25]))
    mix = np.clip(0.5 + rng.uniform(0.1, 0.5) * noise.soft(x, y, np.exp(rng.uniform(3.2, 6.5))), 0, 1)
    blades = noise.fine(x, y, rng.uniform(0.9, 1.6)) * np.minimum(1, 0.006 / footprint)
    tufts = noise.soft(x, y, np.exp(rng.uniform(1.2, 2.8))) * np.minimum(1, 0.05 / footprint)
    rough = np.float32(venue.pile * rng.uniform(0.7, 1.2)) * (0.28 * blades + 0.13 * tufts)
    glints = (blades > 2.3) * np.float32(venue.pile * rng.choice([0.0, 0.8]))
    brightness = np.maximum((1 + tone + rough) * (1 - seam) + glints, 0.1)
    colour = (first + (second - first) * mix[..., None]) * np.float32(rng.uniform(0.75, 1.15))
    return colour * brightness[..., None], rough


def _light(camera: Camera, light: Light, rods: list[Rod], x, y) -> np.ndarray:
    """Brightness (H, W, 3) of the ground."""
    strength = np.ones(camera.size, np.float32)
    for slope in light.lamps:
        strength *= 1 - np.float32(0.5 / len(light.lamps)) * _shadow(camera, rods, slope, soft=5)
    total = strength[..., None] * light.ambient.astype(np.float32)
    if light.sun.any():
        sunlit = light.sunlit(x, y) * (1 - _shadow(camera, rods, light.slope, soft=1.5))
        total += sunlit[..., None] * light.sun.astype(np.float32)
    return total


def _shadow(camera: Camera, rods: list[Rod], slope: tuple[float, float], soft: float) -> np.ndarray:
    """How far each pixel (H, W) lies in the shadow of the rods, 0..1."""
    height, width = camera.size
    image = Image.new("L", (width, height))
    draw = ImageDraw.Draw(image)
    for rod in rods:
        outline = camera.clip(_shadow_outline(rod, slope))
        if len(outline) > 2:
            draw.polygon(camera.project(outline).ravel().tolist(), fill=255)
    return np.asarray(image.filter(ImageFilter.GaussianBlur(soft)), np.float32) / 255


# Corners of a rod's shadow: which end, and by how many of its radii they lie along and across the rod.
_CORNERS = (
    (0, 0, 1), (1, 0, 1), (1, 1, 0.4), (1, 1, -0.4), (1, 0, -1), (0, 0, -1), (0, -1, -0.4), (0, -1, 0.4)
)  # fmt: skip


def _shadow_outline(rod: Rod, slope: tuple[float, float]) -> np.ndarray:
    """Outline (8, 3) of a rod's shadow on the ground."""
    ends = np.stack([rod.start, rod.end])
    ends = ends[:, :2] + ends[:, 2:] * np.array(slope)
    way = ends[1] - ends[0]
    length = np.hypot(*way)
    along = way / length if length > 1e-3 else np.array([1.0, 0.0])
    across = np.array([-along[1], along[0]])
    radii = (rod.start_m, rod.end_m)
    points = [ends[end] + radii[end] * (u * along + v * across) for end, u, v in _CORNERS]
    return np.column_stack([points, np.zeros(len(points))])


class _Noise:
    """A picture's own random texture, which repeats after `period` metres."""

    _CELLS = 256  # a power of two

    def __init__(self, rng: Generator):
        self._tile = rng.standard_normal(self._CELLS**2).astype(np.float32)

    def fine(self, x: np.ndarray, y: np.ndarray, period: float) -> np.ndarray:
        """White noise of unit variance, a value for each cell."""
        return self._at(self._whole(y * self._scale(period)), self._whole(x * self._scale(period)))

    def soft(self, x: np.ndarray, y: np.ndarray, period: float) -> np.ndarray:
        """Blotches of about unit variance, interpolated between the cells and two octaves added up."""
        total = np.zeros(x.shape, np.float32)
        for octave in (1, 3):
            column, row = x * (self._scale(period) * octave), y * (self._scale(period) * octave)
            left, top = np.floor(column), np.floor(row)
            right, below = column - left, row - top
            left, top = self._whole(left), self._whole(top)
            after, under = self._whole(left + 1), self._whole(top + 1)
            upper = self._at(top, left) * (1 - right) + self._at(top, after) * right
            lower = self._at(under, left) * (1 - right) + self._at(under, after) * right
            total += (upper * (1 - below) + lower * below) * np.float32(1.5 / octave)
        return total

    def _at(self, row: np.ndarray, column: np.ndarray) -> np.ndarray:
        return self._tile.take(row * self._CELLS + column)

    def _scale(self, period: float) -> np.float32:
        return np.float32(self._CELLS / period)

    def _whole(self, cells: np.ndarray) -> np.ndarray:
        return cells.astype(np.int32) & (self._CELLS - 1)
