"""The embedded soccer scenes: what a robot sees of a match, painted on the spot.

They need no download and no licence, their masks are exact, and the same seed gives the same files. The
pictures come from `soccer_painter`, their way onto the disk from `painted`; this module decides which ones.
Validation and test are other venues than training: other halls, lights, carpets and balls.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from seglab.datasets import painted
from seglab.datasets.base import SegmentationDataset, pair, pictures
from seglab.datasets.locations import find_root
from seglab.datasets.soccer_painter import VENUES, Venue, render_scene
from seglab.errors import DataError
from seglab.labels import SOCCER4

__all__ = [
    "COUNTS",
    "GENERATOR_VERSION",
    "SIZE",
    "SPLITS",
    "VENUES",
    "Venue",
    "default_root",
    "make",
    "open_split",
    "render_scene",
]

GENERATOR_VERSION = 2  # raise it whenever the same seed gives other files
COUNTS = {"train": 280, "val": 60, "test": 60}
SIZE = (480, 640)
PARTS = ("train", "val", "test")
# A second draw of as many pictures as train from train and val together, for one purpose: to show what is
# gained, in appearance, by validating on what was trained on (`seglab.comparison.soccer_mistakes`).
REDRAWN = "redrawn"
SPLITS = (*PARTS, REDRAWN)

LAYOUT = "images/<split>/*.png and masks/<split>/*.png, with the splits " + ", ".join(PARTS)
SOURCE = "`seglab data make soccer_scenes` paints it"


def default_root(*, counts: Mapping[str, int] = COUNTS, size: tuple[int, int] = SIZE, seed: int = 0) -> Path:
    """The cache folder of one set; its name tells all that decides the pictures. It need not exist yet."""
    return painted.default_root("soccer_scenes", GENERATOR_VERSION, counts, size, seed)


def make(
    root: Path | str,
    *,
    counts: Mapping[str, int] = COUNTS,
    size: tuple[int, int] = SIZE,
    seed: int = 0,
    processes: int | None = None,
    progress: Callable[..., Iterable] | None = None,
) -> Path:
    """Makes a set of soccer scenes, unless exactly this set is there already; see `painted.make`.

    The pictures of a split are spread evenly over its venues. Each picture has a generator of its own, which
    depends on the seed, its venue and its number alone.
    """
    return painted.make(
        root, "soccer_scenes", GENERATOR_VERSION, _paint, 
        folders={split: (f"images/{split}", f"masks/{split}") for split in PARTS},
        counts=counts, size=size, seed=seed, processes=processes, progress=progress,
    )  # fmt: skip


def open_split(split: str, root: Path | str) -> SegmentationDataset:
    """Opens a split; only folders are listed, no picture is read.

    Args:
        split: One of `SPLITS`.
        root: The folder that `make` filled.

    Raises:
        DataError: If the set or the split is missing, or image and mask files do not pair.
    """
    root = find_root("soccer_scenes", "soccer_scenes", root, LAYOUT, SOURCE)
    if split == REDRAWN:
        train, val = (open_split(part, root) for part in ("train", "val"))
        samples = [*train.samples, *val.samples]
        drawn = np.random.default_rng(0).permutation(len(samples))[: len(train)]
        return SegmentationDataset(
            "soccer_scenes", split, SOCCER4, [samples[index] for index in sorted(drawn)], root
        )
    folders = [root / kind / split for kind in ("images", "masks")]
    for folder in folders:
        if not folder.is_dir():
            expected = f"Expected below {root}: {LAYOUT}. {SOURCE}"
            raise DataError(f"soccer_scenes: {folder} does not exist. {expected}")
    images, masks = (pictures(folder, "*.png", ".png") for folder in folders)
    return SegmentationDataset("soccer_scenes", split, SOCCER4, pair(images, masks, folders[0]), root)


def _paint(folder: Path, manifest: Mapping, number: int) -> str:
    """Paints one picture of a set into its folder; answers the stem of its files."""
    venue, number = painted.turns(manifest["counts"], VENUES)[number]
    # Every picture has a generator of its own, so that it does not matter who paints it, and when.
    rng = np.random.default_rng([manifest["seed"], zlib.crc32(venue.name.encode()), number])
    image, labels = render_scene(rng, venue, tuple(manifest["size"]))
    stem = f"{venue.name}_{number:05d}"
    for kind, pixels in (("images", image), ("masks", labels)):
        Image.fromarray(pixels).save(folder / kind / venue.split / f"{stem}.png", compress_level=1)
    return stem
