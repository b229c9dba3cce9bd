"""The embedded street scenes: a small data set that is painted on the spot, in the layout of Cityscapes.

It needs no download and no licence, its masks are exact, and the same seed gives the same files. The
pictures come from `street_painter`, their way onto the disk from `painted`; this module decides which ones.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from seglab.datasets import painted
from seglab.datasets.street_painter import CITIES, City, render_scene

__all__ = ["CITIES", "COUNTS", "GENERATOR_VERSION", "SIZE", "City", "default_root", "make", "render_scene"]

GENERATOR_VERSION = 3  # raise it whenever the same seed gives other files
COUNTS = {"train": 280, "val": 60, "test": 60}
SIZE = (256, 512)


def default_root(*, counts: Mapping[str, int] = COUNTS, size: tuple[int, int] = SIZE, seed: int = 0) -> Path:
    """The cache folder of one set; its name tells all that decides the pictures. It need not exist yet."""
    return painted.default_root("street_scenes", GENERATOR_VERSION, counts, size, seed)


def make(
    root: Path | str,
    *,
    counts: Mapping[str, int] = COUNTS,
    size: tuple[int, int] = SIZE,
    seed: int = 0,
    processes: int | None = None,
    progress: Callable[..., Iterable] | None = None,
) -> Path:
    """Makes a set of street scenes, unless exactly this set is there already; see `painted.make`.

    The pictures of a split are spread evenly over its cities. Each picture has a generator of its own, which
    depends on the seed, its city and its number alone.
    """
    folders = {city.split: [] for city in CITIES}
    for city in CITIES:
        folders[city.split] += [f"{kind}/{city.split}/{city.name}" for kind in ("leftImg8bit", "gtFine")]
    return painted.make(
        root, "street_scenes", GENERATOR_VERSION, _paint, folders=folders,
        counts=counts, size=size, seed=seed, processes=processes, progress=progress,
    )  # fmt: skip


def _paint(folder: Path, manifest: Mapping, number: int) -> str:
    """Paints one picture of a set into its folder; answers the stem of its files."""
    city, number = painted.turns(manifest["counts"], CITIES)[number]
    # Every picture has a generator of its own, so that it does not matter who paints it, and when.
    rng = np.random.default_rng([manifest["seed"], zlib.crc32(city.name.encode()), number])
    image, labels = render_scene(rng, city, tuple(manifest["size"]))
    stem = f"{city.name}_{number:06d}_000019"
    for kind, suffix, pixels in (
        ("leftImg8bit", "leftImg8bit", image),
        ("gtFine", "gtFine_labelIds", labels),
    ):
        path = folder / kind / city.split / city.name / f"{stem}_{suffix}.png"
        Image.fromarray(pixels).save(path, compress_level=3)
    return stem
