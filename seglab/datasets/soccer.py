"""Real soccer pictures: a folder in the Mini-UNet project's layout, and the HULKs' NAO pictures to test on.

Both have the four classes of the embedded soccer scenes (`SOCCER4`), so that a network trained on one of the
three can be scored on the others.

Reference: layout and classes from iswariyam/Mini-semantic-segmentation-network-pytorch; HULKs NAO image
    segmentation: Göttsch and Schmidt 2026, doi 10.15480/882.17279, CC BY 4.0.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from seglab.datasets.base import SegmentationDataset, pair, pictures
from seglab.datasets.locations import find_root
from seglab.datasets.own import drawn_once
from seglab.errors import DataError
from seglab.labels import IGNORE_INDEX, SOCCER4

LAYOUT = (
    "JPEG_images/NAME.jpg (or .jpeg, .png) with Annotations/NAME.png, "
    "ids 0 background, 1 ball, 2 lines, 3 field"
)
SOURCE = "The Mini-UNet project's own pictures are not public; put yours there"
# A fifth for the test, as the Mini-UNet project held out for its validation; a tenth for choosing.
_SHARES = {"train": 0.7, "val": 0.1, "test": 0.2}
_SEED = 0
SPLITS = tuple(_SHARES)

HULKS_SPLITS = ("test",)
HULKS_LAYOUT = "NAME_RGB.png with NAME.png, a mask of colours"
HULKS_SOURCE = "Get the HULKs NAO image segmentation data set from https://doi.org/10.15480/882.17279"
_BACKGROUND, _BALL, _LINES, _FIELD = range(4)
HULKS4 = replace(
    SOCCER4,
    name="hulks4",
    source="the data set's paper",
    file_colors={
        (245, 41, 5): _FIELD,
        (70, 199, 10): _LINES,
        (199, 92, 10): _BALL,
        (45, 10, 199): _BACKGROUND,  # others
        (10, 193, 199): _BACKGROUND,  # robot
        (199, 10, 193): _BACKGROUND,  # goal
        (0, 0, 0): IGNORE_INDEX,  # uncertain
    },
)


def open_split(split: str, root: Path | str | None = None) -> SegmentationDataset:
    """Opens a split of a folder in the Mini-UNet project's layout.

    Which picture belongs to which split is drawn once, by names alone, and stored in `splits.json` in the
    folder, or, where that cannot be written, in `<folder>.splits.json` beside it; so all trainings at all
    resolutions hold out the same pictures. Only folders are listed, no picture is read.

    Args:
        split: One of `SPLITS`.
        root: The folder that holds `JPEG_images` and `Annotations`; None takes `soccer` below `SEGLAB_DATA`.

    Raises:
        DataError: If the set is missing, image and mask files do not pair, the stored split does not fit
            the pictures, or it can be stored nowhere.
    """
    root = find_root("soccer", "soccer", root, LAYOUT, SOURCE)
    folders = [root / "JPEG_images", root / "Annotations"]
    for folder in folders:
        if not folder.is_dir():
            raise DataError(f"soccer: {folder} does not exist. Expected below {root}: {LAYOUT}. {SOURCE}")
    images, masks = map(_by_stem, folders)
    samples = {sample.name: sample for sample in pair(images, masks, folders[0])}
    path = _split_file(root)
    try:
        names = drawn_once(path, list(samples), _SHARES, _SEED)[split]
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"{path}: the split of the pictures cannot be stored ({reason})") from None
    return SegmentationDataset("soccer", split, SOCCER4, [samples[name] for name in names], root)


def open_hulks(split: str, root: Path | str | None = None) -> SegmentationDataset:
    """Opens the HULKs' NAO pictures, real ones from several venues; robots and goals count as background.

    Args:
        split: `test`.
        root: The folder of the pictures; None takes `hulks_nao` below `SEGLAB_DATA`.

    Raises:
        DataError: If the set is missing, or image and mask files do not pair.
    """
    root = find_root("hulks_nao", "hulks_nao", root, HULKS_LAYOUT, HULKS_SOURCE)
    images = pictures(root, "*_RGB.png", "_RGB.png")
    masks = pictures(root, "*.png", ".png")
    masks = {name: path for name, path in masks.items() if not name.endswith("_RGB")}
    return SegmentationDataset("hulks_nao", split, HULKS4, pair(images, masks, root), root)


def _by_stem(folder: Path) -> dict[str, Path]:
    """Pictures in a folder by their name without its last ending; other dots belong to the name."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.suffix.lower() not in (".jpg", ".jpeg", ".png"):
            continue
        if path.stem in found:
            raise DataError(f"{path}: the same name as {found[path.stem]}, but for the ending")
        found[path.stem] = path
    return found


def _split_file(root: Path) -> Path:
    """Where the splits are stored: in the folder, or beside it where the folder cannot be written."""
    inside = root / "splits.json"
    if inside.exists() or os.access(root, os.W_OK):
        return inside
    whole = root.resolve()
    return whole.with_name(f"{whole.name}.splits.json")
