"""Cityscapes in its original layout, fine and coarse; the embedded street scenes use the same one.

Reference: Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene Understanding", CVPR 2016.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from seglab.datasets.base import SegmentationDataset, num_cores, pair, pictures
from seglab.datasets.locations import find_root
from seglab.datasets.reading import read_mask
from seglab.errors import DataError
from seglab.labels import CITYSCAPES, IGNORE_INDEX
from seglab.runs import write_bytes

# Split: folders of pictures, and the annotations. The truth of test lies on the evaluation server; the masks
# that are delivered for it are void.
_SPLITS = {
    "train": (("train",), "gtFine"),
    "val": (("val",), "gtFine"),
    "test": (("test",), None),
    "trainval": (("train", "val"), "gtFine"),
    "train_coarse": (("train",), "gtCoarse"),
    "val_coarse": (("val",), "gtCoarse"),
    "train_extra": (("train_extra",), "gtCoarse"),
}
SPLITS = tuple(_SPLITS)
PARTS = ("trainval", "train_coarse", "val_coarse")  # pictures of train and val

LAYOUT = (
    "leftImg8bit/<split>/<city>/*_leftImg8bit.png and gtFine/<split>/<city>/*_gtFine_labelIds.png "
    "(or *_gtFine_labelTrainIds.png), with the splits train, val and test"
)
SOURCE = (
    "Register at https://www.cityscapes-dataset.com and call `seglab data download cityscapes`; or download "
    "leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip there, and unpack both into one folder"
)

# ERFNet's weights of the 19 classes for its decoder, 1 / ln(1.10 + share), in train-id order.
# Reference: Eromera/erfnet_pytorch, train/main.py.
ERFNET_WEIGHTS = (
    *(2.8149, 6.9850, 3.7890, 9.9428, 9.7702, 9.5111, 10.3114, 10.0265, 4.6323, 9.5608),
    *(7.8698, 9.5169, 10.3737, 6.6616, 10.2605, 10.2879, 10.2898, 10.4054, 10.1381),
)

# The masks that the official preparation tool writes hold train ids already.
_TRAIN_IDS = replace(
    CITYSCAPES, file_ids={i: i for i in range(CITYSCAPES.num_classes)} | {IGNORE_INDEX: IGNORE_INDEX}
)


def open_split(
    split: str,
    root: Path | str | None = None,
    name: str = "cityscapes",
    source: str = SOURCE,
    withheld: Iterable[str] = ("test",),
) -> SegmentationDataset:
    """Opens a split; only folders are listed, no picture is read.

    Masks are taken from `_labelTrainIds.png` where every picture of the split has one, else from
    `_labelIds.png`.

    Args:
        split: One of `SPLITS`.
        root: The folder that holds `leftImg8bit` and `gtFine`; None takes `cityscapes` below `SEGLAB_DATA`.
        name: The data set's name; other sets come in the same layout.
        source: How to get the set, for the message.
        withheld: Splits whose pictures have no masks.

    Raises:
        DataError: If the set or the split is missing, or image and mask files do not pair.
    """
    root = find_root(name, "cityscapes", root, LAYOUT, source)
    parts, annotation = _SPLITS[split]
    annotation = None if split in withheld else annotation or "gtFine"
    labels, samples = CITYSCAPES, []
    folders = [(root / "leftImg8bit" / part, root / str(annotation) / part) for part in parts]
    for image_folder, mask_folder in folders:
        for folder in (image_folder, mask_folder)[: 1 if annotation is None else 2]:
            if not folder.is_dir():
                raise DataError(f"{name}: {folder} does not exist. Expected below {root}: {LAYOUT}. {source}")
    images = [pictures(folder, "*/*_leftImg8bit.png", "_leftImg8bit.png") for folder, _ in folders]
    masks = [None] * len(parts)
    if annotation:
        labels, suffix = _TRAIN_IDS, f"_{annotation}_labelTrainIds.png"
        masks = [pictures(folder, f"*/*{suffix}", suffix) for _, folder in folders]
        if any(m.keys() != i.keys() for m, i in zip(masks, images, strict=True)):
            labels, suffix = CITYSCAPES, f"_{annotation}_labelIds.png"
            masks = [pictures(folder, f"*/*{suffix}", suffix) for _, folder in folders]
    for part_images, part_masks, (folder, _) in zip(images, masks, folders, strict=True):
        samples += pair(part_images, part_masks, folder)
    return SegmentationDataset(name, split, labels, samples, root)


def convert(root: Path | str | None = None) -> tuple[int, int]:
    """Writes a `_labelTrainIds.png` beside every `_labelIds.png`, byte for byte as the official tool does.

    Reading then needs no translation, and other libraries can read the set. Files that are there already
    stay, so an interrupted conversion goes on where it was.

    Args:
        root: As for `open_split`.

    Returns:
        How many files were written, and how many were there already.

    Raises:
        DataError: If the set is missing, or a mask cannot be read.
    """
    root = find_root("cityscapes", "cityscapes", root, LAYOUT, SOURCE)
    sources = sorted(root.glob("gt*/*/*/*_labelIds.png"))
    targets = [path.with_name(path.name.replace("_labelIds", "_labelTrainIds")) for path in sources]
    missing = [pair for pair in zip(sources, targets, strict=True) if not pair[1].exists()]

    def write(paths: tuple[Path, Path]) -> None:
        content = io.BytesIO()
        Image.fromarray(read_mask(paths[0], CITYSCAPES)).save(content, "PNG")
        write_bytes(paths[1], content.getbuffer())

    with ThreadPoolExecutor(num_cores()) as pool:
        for _ in tqdm(pool.map(write, missing), "converting", len(missing), leave=False, disable=None):
            pass
    return len(missing), len(sources) - len(missing)


def published_shares() -> np.ndarray:
    """Share of all training pixels that each class has, for those who do not have the data.

    They follow from `ERFNET_WEIGHTS` by its formula, in which a share counts unlabelled pixels, too. ERFNet's
    authors counted masks that were scaled to 512x1024.

    Returns:
        float64 (19,), in train-id order; the rest to 1 is not labelled.

    Reference: ENet (Paszke et al. 2016, arXiv 1606.02147, section 5.2) for the formula, ERFNet (Romera et al.
        2018) for the numbers.
    """
    return np.exp(1 / np.array(ERFNET_WEIGHTS)) - 1.10
