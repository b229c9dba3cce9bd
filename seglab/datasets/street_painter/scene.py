"""One picture from beginning to end: weather, camera, the planned street, and what lens and sensor add."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from seglab.datasets.street_painter import backdrop, furniture
from seglab.datasets.street_painter.canvas import FILE_IDS, SUPERSAMPLING, Camera, Canvas
from seglab.datasets.street_painter.cities import CITIES, City
from seglab.datasets.street_painter.ground import Noise
from seglab.datasets.street_painter.plan import furnish
from seglab.datasets.street_painter.stage import Stage
from seglab.errors import ConfigError


def render_scene(
    rng: Generator, city: City | str, size: tuple[int, int] = (256, 512)
) -> tuple[np.ndarray, np.ndarray]:
    """Paints one street picture.

    Args:
        rng: The only source of chance; the same state gives the same picture.
        city: One of `CITIES`, or its name.
        size: Height and width in pixels.

    Returns:
        The picture, uint8 (H, W, 3) RGB, and its mask, uint8 (H, W) of Cityscapes file ids.

    Raises:
        ConfigError: If there is no such city.
    """
    if isinstance(city, str):
        city = _city(city)
    weather, light = backdrop.weather(rng, city)
    canvas = Canvas(_camera(rng, size), light)
    stage = Stage(canvas, rng, city, Noise(rng))
    furnish(stage)
    backdrop.paint_sky(canvas, rng, weather)
    backdrop.skyline(canvas, rng, city)
    stage.paint()
    if city.bonnet:
        furniture.bonnet(canvas, city.bonnet * rng.uniform(0.85, 1.1))
    image, labels = canvas.finished()
    labels[:, 0] = labels[:, -1] = labels[-1] = FILE_IDS["out of roi"]
    return _developed(rng, image, city), labels


def _city(name: str) -> City:
    cities = {city.name: city for city in CITIES}
    if name not in cities:
        raise ConfigError(f"city: got {name!r}, allowed are {', '.join(cities)}")
    return cities[name]


def _camera(rng: Generator, size: tuple[int, int]) -> Camera:
    height, width = (SUPERSAMPLING * length for length in size)
    return Camera(
        size=(height, width),
        focal_px=width * rng.uniform(0.82, 1.02),
        horizon_px=height * rng.uniform(0.36, 0.48),
        centre_px=width * rng.uniform(0.42, 0.58),
        eye_m=rng.uniform(1.3, 2.0),
        curve=rng.normal(0, 0.0012),
        hill=rng.uniform(-0.00006, 0.0003),
    )


def _developed(rng: Generator, image: np.ndarray, city: City) -> np.ndarray:
    """What lens and sensor add to a picture (H, W, 3): white balance, contrast, dark corners and noise."""
    height, width = image.shape[:2]
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    brightness = (1 - 0.12 * (x**2 + y**2)).astype(np.float32)[..., None] * np.array(city.gains, np.float32)
    picture = 120 + (image * brightness - 120) * np.float32(rng.uniform(0.9, 1.12))
    noise = rng.standard_normal(picture.shape, dtype=np.float32)
    picture += noise * np.float32(rng.uniform(1.5, 4.5))
    return np.clip(picture + 0.5, 0, 255).astype(np.uint8)
