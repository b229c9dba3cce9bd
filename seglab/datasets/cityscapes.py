"""Cityscapes, fine annotations, in its original layout; the embedded street scenes use the same one.

Reference: Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene Understanding", CVPR 2016.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from seglab.datasets.base import SegmentationDataset, pair, pictures
from seglab.datasets.locations import find_root
from seglab.errors import DataError
from seglab.labels import CITYSCAPES, IGNORE_INDEX

SPLITS = ("train", "val", "test")

LAYOUT = (
    "leftImg8bit/<split>/<city>/*_leftImg8bit.png and gtFine/<split>/<city>/*_gtFine_labelIds.png "
    "(or *_gtFine_labelTrainIds.png), with the splits " + ", ".join(SPLITS)
)
SOURCE = (
    "Register at https://www.cityscapes-dataset.com, download leftImg8bit_trainvaltest.zip and "
    "gtFine_trainvaltest.zip, and unpack both into one folder"
)

# The masks that the official preparation tool writes hold train ids already.
_TRAIN_IDS = replace(
    CITYSCAPES, file_ids={i: i for i in range(CITYSCAPES.num_classes)} | {IGNORE_INDEX: IGNORE_INDEX}
)


def open_split(
    split: str, root: Path | str | None = None, name: str = "cityscapes", source: str = SOURCE
) -> SegmentationDataset:
    """Opens a split; only folders are listed, no picture is read.

    Masks are taken from `_labelTrainIds.png` where every picture of the split has one, else from
    `_labelIds.png`.

    Args:
        split: One of `SPLITS`.
        root: The folder that holds `leftImg8bit` and `gtFine`; None takes `cityscapes` below `SEGLAB_DATA`.
        name: The data set's name; other sets come in the same layout.
        source: How to get the set, for the message.

    Raises:
        DataError: If the set or the split is missing, or image and mask files do not pair.
    """
    root = find_root(name, "cityscapes", root, LAYOUT, source)
    image_folder, mask_folder = root / "leftImg8bit" / split, root / "gtFine" / split
    for folder in (image_folder, mask_folder):
        if not folder.is_dir():
            raise DataError(f"{name}: {folder} does not exist. Expected below {root}: {LAYOUT}. {source}")
    images = pictures(image_folder, "*/*_leftImg8bit.png", "_leftImg8bit.png")
    labels, suffix = _TRAIN_IDS, "_gtFine_labelTrainIds.png"
    masks = pictures(mask_folder, f"*/*{suffix}", suffix)
    if masks.keys() != images.keys():
        labels, suffix = CITYSCAPES, "_gtFine_labelIds.png"
        masks = pictures(mask_folder, f"*/*{suffix}", suffix)
    return SegmentationDataset(name, split, labels, pair(images, masks, image_folder), root)
