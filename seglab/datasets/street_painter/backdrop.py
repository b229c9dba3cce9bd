"""What lies behind the street: weather, sky and the distant skyline."""

from __future__ import annotations

import numpy as np
from PIL import Image

from seglab.datasets.street_painter.canvas import FILE_IDS, Canvas, Frame, Light, Pen
from seglab.datasets.street_painter.cities import City, grey

_WEATHER = ("clear", "golden", "cloudy", "misty")


def weather(rng: np.random.Generator, city: City) -> tuple[str, Light]:
    """Draws the weather of a picture, and the light that comes with it."""
    kind = _WEATHER[rng.choice(4, p=city.weather)]
    azimuth = rng.uniform(-np.pi, np.pi)  # 0 is ahead
    elevation = rng.uniform(0.25, 0.45) if kind == "golden" else rng.uniform(0.5, 1.1)
    to_sun = np.array(
        [np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)]
    )
    sun, sky, haze, sight_m = {
        "clear": ((0.72, 0.69, 0.62), (0.44, 0.48, 0.55), (190, 206, 222), rng.uniform(260, 600)),
        "golden": ((0.85, 0.66, 0.42), (0.42, 0.42, 0.48), (232, 200, 160), rng.uniform(180, 400)),
        "cloudy": ((0.12, 0.12, 0.12), (0.78, 0.80, 0.83), (196, 200, 204), rng.uniform(200, 450)),
        "misty": ((0.06, 0.06, 0.06), (0.76, 0.78, 0.80), (204, 207, 208), rng.uniform(70, 140)),
    }[kind]
    exposure = rng.uniform(1.0, 1.25)
    return kind, Light(
        to_sun,
        np.array(sun) * exposure,
        np.array(sky) * exposure,
        np.array(haze, float) * exposure**0.5,
        sight_m,
    )


def paint_sky(canvas: Canvas, rng: np.random.Generator, kind: str) -> None:
    """Fills the picture with sky: a gradient, clouds, and the glow of the sun where it is in view."""
    height, width = canvas.camera.size
    small = (height // 4, width // 4)
    rows = np.linspace(0, 1, small[0])[:, None, None]
    zenith = {
        "clear": (96, 146, 208),
        "golden": (128, 150, 196),
        "cloudy": (170, 178, 188),
        "misty": (196, 200, 204),
    }[kind]
    zenith = np.array(zenith, float) + rng.normal(0, 10)
    horizon_row = max(canvas.camera.horizon_px / height, 0.05)
    fade = np.clip(rows / horizon_row, 0, 1) ** 1.2
    rgb = zenith * (1 - fade) + canvas.light.haze * fade
    cover = {"clear": rng.uniform(0.0, 0.5), "golden": rng.uniform(0.1, 0.6), "cloudy": 0.9, "misty": 0.5}[
        kind
    ]
    clouds = _clouds(rng, small)[..., None]
    density = np.clip((clouds - 1 + 2 * cover) * 0.8, 0, 1) * (1 - 0.5 * fade)
    bright = canvas.light.haze + (255 - canvas.light.haze) * (0.7 if kind != "cloudy" else 0.25)
    shaded = bright * (0.86 - 0.16 * clouds)
    rgb = rgb * (1 - density) + (bright * (1 - density * 0.6) + shaded * density * 0.6) * density
    if canvas.light.to_sun[2] > 0.2 and canvas.light.sun[0] > 0.3:
        column, row = canvas.camera.project(canvas.light.to_sun * 1e3)
        ys, xs = np.mgrid[: small[0], : small[1]]
        distance = np.hypot(xs - column / 4, ys - row / 4) / small[0]
        glow = np.exp(-distance * 5)[..., None] + np.exp(-((distance * 22) ** 2))[..., None]
        rgb += glow * np.array([255.0, 236.0, 200.0]) * 0.6
    picture = Image.fromarray(np.clip(rgb, 0, 255).astype(np.uint8)).resize((width, height), Image.BILINEAR)
    canvas.paste(0, np.asarray(picture), FILE_IDS["sky"])


def _clouds(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Soft noise (H, W) of about unit variance, wider than high, the sum of four octaves."""
    total = np.zeros(size, np.float32)
    for octave in range(4):
        cells = (3 * 2**octave, 2 * 2**octave)
        noise = Image.fromarray(rng.standard_normal(cells).astype(np.float32))
        total += np.asarray(noise.resize(size[::-1], Image.BICUBIC)) * 0.6**octave
    return total / total.std()


def skyline(canvas: Canvas, rng: np.random.Generator, city: City) -> None:
    """Closes the view behind the street with hills or woods, and a few distant blocks and towers."""
    z = 150.0
    if rng.random() < 0.8:
        x = np.arange(-130.0, 131.0, 3.0)
        tops = 5 + 4 * np.interp(x, np.linspace(-130, 130, 12), rng.random(12)) + rng.uniform(0, 1.2, len(x))
        lift = canvas.camera.hill * z**2  # the far ground rises with the street
        outline = np.stack(
            [np.r_[x, x[::-1]], np.r_[tops, np.full(len(x), -2 - lift)], np.full(2 * len(x), z)], 1
        )
        colour = city.leaf(rng) * 0.85
        canvas.polygon(outline, colour, "vegetation")
        crowns = np.stack([x, tops - 0.5, np.full(len(x), z)], axis=1)
        canvas.balls(
            crowns, rng.uniform(1.5, 3.0, len(x)), colour * rng.uniform(0.85, 1.15, (len(x), 1)), "vegetation"
        )
    for _ in range(rng.integers(6, 14)):
        width, height = rng.uniform(8, 22), rng.uniform(7, 24)
        block = Pen(canvas, Frame(rng.uniform(-70, 70), z - rng.uniform(0, 25), np.pi / 2), "building")
        block.rectangles(0, -3, width, height, city.stone(rng))
        columns, floors = np.arange(1, width - 1.5, 3.0), np.arange(1.5, height - 2, 3.0)
        u, v = (grid.ravel() for grid in np.meshgrid(columns, floors))
        block.rectangles(u, v, u + 1.4, v + 1.6, grey(rng.uniform(50, 110)))
