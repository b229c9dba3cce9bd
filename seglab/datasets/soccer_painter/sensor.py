"""What a robot's camera adds to a picture: blur, exposure, colour cast, dark corners and noise."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageFilter

from seglab.datasets.soccer_painter.venues import Venue


def developed(rng: Generator, image: np.ndarray, venue: Venue) -> np.ndarray:
    """The picture (H, W, 3) as the camera of a venue records it, uint8."""
    picture = Image.fromarray(image).filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.3)))
    if rng.random() < 0.3:
        picture = _shaken(rng, picture)
    height, width = image.shape[:2]
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    corners = (1 - rng.uniform(0, 0.25) * (x**2 + y**2) / 2).astype(np.float32)
    gains = np.array(venue.gains) * np.exp(rng.normal(0, 0.05, 3)) * np.exp(rng.normal(0, 0.2))
    value = np.asarray(picture, np.float32) * (corners[..., None] * gains.astype(np.float32) / 255)
    grey = value.mean(axis=-1, keepdims=True)
    value = grey + (value - grey) * np.float32(rng.uniform(0.7, 1.45))
    value = np.maximum(value, 0) ** np.float32(rng.uniform(0.85, 1.35))
    value = 255 * np.minimum(value, 1) + np.float32(rng.choice([0, rng.uniform(0, 30)]))
    strength = np.float32(np.exp(rng.uniform(np.log(1.5), np.log(9))))
    grain = rng.standard_normal((height, width, 1), dtype=np.float32)
    tint = rng.standard_normal((height // 2 + 1, width // 2 + 1, 3), dtype=np.float32)  # chroma: 2 x 2 pixels
    tint = tint.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]
    value += strength * (grain + np.float32(0.6) * tint)
    return np.clip(value + 0.5, 0, 255).astype(np.uint8)


def _shaken(rng: Generator, picture: Image.Image, frames: int = 7) -> Image.Image:
    """The mean over a small movement and turn of the camera, the middle of which is the sharp picture."""
    width, height = picture.size
    angle, length = rng.normal(0, 0.7), rng.gamma(2.0, 3.0)
    turn = rng.normal(0, 0.006)
    total = np.zeros((height, width, 3), np.float32)
    padded = Image.fromarray(np.pad(np.asarray(picture), ((32, 32), (32, 32), (0, 0)), "edge"))
    for share in np.linspace(-0.5, 0.5, frames):
        dx, dy, sin = share * length * np.cos(angle), share * length * np.sin(angle), share * turn * 2
        # Affine map from the picture's pixels to the padded one's, a turn about the middle and a shift.
        matrix = (
            1, -sin, 32 + dx + sin * height / 2,
            sin, 1, 32 + dy - sin * width / 2,
        )  # fmt: skip
        moved = padded.transform((width, height), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
        total += np.asarray(moved, np.float32)
    return Image.fromarray((total / frames + 0.5).astype(np.uint8))
