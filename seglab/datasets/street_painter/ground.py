"""The ground: asphalt, pavement, grass and their markings, painted pixel by pixel from the road's plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from seglab.datasets.street_painter.canvas import FILE_IDS, Canvas

# A texture answers how bright the ground is at (x, z), around 1, for pixels that are `footprint` metres deep.
Texture = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Surface:
    """A piece of ground: a rectangle of the straightened street, in metres."""

    label: str
    colour: np.ndarray
    texture: Texture
    x0: float
    x1: float
    z0: float = 0.0
    z1: float = 1e4


class Noise:
    """A picture's own random texture, which repeats after `period` metres."""

    def __init__(self, rng: np.random.Generator, cells: int = 256):
        self._tile = rng.standard_normal((cells, cells)).astype(np.float32)
        smooth = self._tile
        for axis in (0, 1):
            smooth = sum(np.roll(smooth, shift, axis) for shift in range(-2, 3)) / np.sqrt(5)
        self._smooth = smooth.astype(np.float32)
        self._cells = cells

    def fine(self, x, z, period: float) -> np.ndarray:
        """White noise of unit variance."""
        return self._at(self._tile, x, z, period)

    def soft(self, x, z, period: float) -> np.ndarray:
        """Blotches of unit variance, five cells wide."""
        return self._at(self._smooth, x, z, period)

    def _at(self, tile, x, z, period):
        cells = np.float32(self._cells / period)
        column = (x * cells).astype(np.int32) & (self._cells - 1)
        row = (z * cells).astype(np.int32) & (self._cells - 1)
        return tile[row, column]


def asphalt(noise: Noise) -> Texture:
    """Smooth, finely speckled, with wide worn patches."""

    def texture(x, z, footprint):
        grain = np.minimum(1.0, 0.1 / footprint)
        return 1 + 0.05 * grain * noise.fine(x, z, 7.0) + 0.035 * noise.soft(x * 3, z, 120.0)

    return texture


def slabs(noise: Noise, size_m: float) -> Texture:
    """Square slabs with dark joints, each slab of its own tone."""

    def texture(x, z, footprint):
        across, ahead = x / size_m, z / size_m
        joint = _joint(across, 0.05, 0.01) + _joint(ahead, 0.05, footprint / size_m)
        tone = noise.fine(np.floor(across), np.floor(ahead), 256.0)
        return (1 + 0.06 * tone) * (1 - 0.38 * np.minimum(joint, 1.0))

    return texture


def cobbles(noise: Noise) -> Texture:
    """Small stones in shifted rows."""

    def texture(x, z, footprint):
        ahead = z / 0.22
        across = x / 0.3 + 0.5 * (np.floor(ahead).astype(np.int32) & 1)
        joint = _joint(across, 0.12, 0.02) + _joint(ahead, 0.12, footprint / 0.22)
        tone = noise.fine(np.floor(across), np.floor(ahead), 256.0)
        return (1 + 0.1 * tone * np.minimum(1.0, 0.3 / footprint)) * (1 - 0.3 * np.minimum(joint, 1.0))

    return texture


def grass(noise: Noise) -> Texture:
    """Rough: blades in upright streaks of light and dark, over wider tufts."""

    def texture(x, z, footprint):
        blades = noise.fine(x * 2.5, z, 16.0)
        return 1 + 0.22 * blades + 0.16 * noise.soft(x, z, 26.0)

    return texture


def ballast(noise: Noise) -> Texture:
    """Broken stone of a rail bed, with sleepers across."""

    def texture(x, z, footprint):
        sleeper = _joint(z / 0.65, 0.35, footprint / 0.65)
        return 1 + 0.2 * noise.fine(x, z, 12.0) * np.minimum(1.0, 0.2 / footprint) - 0.3 * sleeper

    return texture


def _joint(position, width: float, footprint) -> np.ndarray:
    """How much of a pixel is joint, with joints of `width` at whole numbers; fades where pixels are wide."""
    inside = (position - np.floor(position)) < width
    return np.where(np.asarray(footprint) > 0.5, width, inside)


@dataclass(frozen=True)
class Marking:
    """White or yellow paint on the road; `on` and `period` make it dashed along the street, in metres.

    `bars` makes it a zebra crossing instead: that many metres of paint and as many of gap, across the street.
    """

    x0: float
    x1: float
    z0: float = 0.0
    z1: float = 1e4
    on: float = 1.0
    period: float = 1.0
    bars: float = 0.0
    colour: tuple[float, float, float] = (225.0, 225.0, 220.0)


def paint_ground(
    canvas: Canvas, noise: Noise, surfaces: list[Surface], markings: list[Marking],
    shadows: list[np.ndarray], contacts: list[np.ndarray],
) -> None:
    """Paints all ground up to the horizon; later surfaces lie over earlier ones, markings only on road.

    Args:
        canvas: Where to paint.
        noise: The picture's texture.
        surfaces: The plan.
        markings: Paint on the road.
        shadows: Outlines (N, 3) that the sun does not reach.
        contacts: Outlines (N, 3) of what stands on the ground; there it is dim in any weather.
    """
    top, x, z_of_row = canvas.camera.ground()
    z = np.broadcast_to(z_of_row, x.shape)
    footprint = z_of_row**2 / (canvas.camera.focal_px * canvas.camera.eye_m)
    owner = np.zeros(x.shape, np.uint8)
    for number, surface in enumerate(surfaces):
        rows = slice(*_rows(z_of_row[:, 0], surface.z0, surface.z1))
        owner[rows][(x[rows] >= surface.x0) & (x[rows] < surface.x1)] = number
    tone = np.empty(x.shape, np.float32)
    for number, surface in enumerate(surfaces):
        here = owner == number
        if here.any():
            tone[here] = surface.texture(x[here], z[here], np.broadcast_to(footprint, x.shape)[here])
    rgb = np.array([surface.colour for surface in surfaces], np.float32)[owner] * tone[..., None]
    ids = np.array([FILE_IDS[surface.label] for surface in surfaces], np.uint8)[owner]
    for marking in markings:
        _mark(marking, noise, rgb, ids == FILE_IDS["road"], x, z_of_row)
    light = canvas.light
    up = light.on(np.array([0.0, 1.0, 0.0])).astype(np.float32)
    blur_px = canvas.camera.size[0] / 256
    shadow = canvas.shadow_mask(shadows, blur_px)[top:, :, None] * (1 - light.sky / up).astype(np.float32)
    shadow = 1 - (1 - shadow) * (1 - 0.5 * canvas.shadow_mask(contacts, 2 * blur_px)[top:, :, None])
    clear = np.exp(-z_of_row / np.float32(light.sight_m))[..., None]
    rgb *= up * (1 - shadow) * clear
    rgb += light.haze.astype(np.float32) * (1 - clear)
    canvas.paste(top, rgb, ids)


def _mark(
    marking: Marking, noise: Noise, rgb: np.ndarray, road: np.ndarray, x: np.ndarray, z_of_row: np.ndarray
) -> None:
    """Paints one marking into `rgb` (h, W, 3), wherever `road` (h, W) is true."""
    rows = slice(*_rows(z_of_row[:, 0], marking.z0, marking.z1))
    position = x[rows] / (2 * marking.bars) if marking.bars else z_of_row[rows] / marking.period
    share = 0.5 if marking.bars else marking.on / marking.period
    painted = (x[rows] >= marking.x0) & (x[rows] < marking.x1) & road[rows]
    painted &= (position - np.floor(position)) <= share
    worn = 0.78 + 0.12 * noise.soft(
        x[rows][painted], np.broadcast_to(z_of_row[rows], painted.shape)[painted], 9.0
    )
    worn = np.clip(worn, 0.15, 0.95)[:, None]
    rgb[rows][painted] += worn * (np.array(marking.colour, np.float32) - rgb[rows][painted])


def _rows(z_of_row: np.ndarray, z0: float, z1: float) -> tuple[int, int]:
    """The rows that show ground between two distances; `z_of_row` falls from top to bottom."""
    ascending = -z_of_row
    return int(np.searchsorted(ascending, -z1)), int(np.searchsorted(ascending, -z0, side="right"))
