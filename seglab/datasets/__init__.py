"""Data sets by name. Opening and reading one needs no torch."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tqdm import tqdm

from seglab.config import unknown
from seglab.datasets import camvid, cityscapes, soccer_scenes, street_scenes
from seglab.datasets.base import Sample, SegmentationDataset
from seglab.errors import ConfigError, DataError
from seglab.labels import CAMVID11, CITYSCAPES, SOCCER4, LabelSpace

__all__ = [
    "Sample",
    "SegmentationDataset",
    "best_available",
    "create_dataset",
    "label_space",
    "list_datasets",
]


# The embedded sets, which are painted in the cache folder when they are asked for the first time.
PAINTED = {"street_scenes": street_scenes, "soccer_scenes": soccer_scenes}


def _painted(name: str) -> Path:
    root = PAINTED[name].default_root()
    if not root.is_dir():
        print(f"painting the {name.replace('_', ' ')} into the cache folder, once", file=sys.stderr)
        PAINTED[name].make(root, progress=partial(tqdm, leave=False, disable=None))
    return root


def _street_scenes(split: str, root: Path | str | None) -> SegmentationDataset:
    source = "`seglab data make street_scenes` paints it"
    root = _painted("street_scenes") if root is None else root
    return cityscapes.open_split(split, root, "street_scenes", source, withheld=())


def _soccer_scenes(split: str, root: Path | str | None) -> SegmentationDataset:
    return soccer_scenes.open_split(split, _painted("soccer_scenes") if root is None else root)


@dataclass(frozen=True)
class _Entry:
    splits: tuple[str, ...]
    labels: LabelSpace
    open_split: Callable[[str, Path | str | None], SegmentationDataset]


_DATASETS = {
    "street_scenes": _Entry(tuple(street_scenes.COUNTS), CITYSCAPES, _street_scenes),
    "soccer_scenes": _Entry(soccer_scenes.SPLITS, SOCCER4, _soccer_scenes),
    "cityscapes": _Entry(cityscapes.SPLITS, CITYSCAPES, cityscapes.open_split),
    "camvid": _Entry(camvid.SPLITS, CAMVID11, camvid.open_split),
}


def list_datasets() -> dict[str, tuple[str, ...]]:
    """The splits of every data set, by its name."""
    return {name: entry.splits for name, entry in _DATASETS.items()}


def label_space(name: str) -> LabelSpace:
    """The classes of a data set, which need not be on this machine.

    Raises:
        ConfigError: If the name is unknown.
    """
    return _entry(name).labels


def best_available() -> str:
    """`cityscapes` where it and a GPU are on this machine, else `street_scenes`."""
    import torch

    if not torch.cuda.is_available():
        return "street_scenes"
    try:
        create_dataset("cityscapes", "val")
    except DataError:
        return "street_scenes"
    return "cityscapes"


def create_dataset(name: str, split: str, root: Path | str | None = None) -> SegmentationDataset:
    """Opens one split of a data set.

    Args:
        name: One of `list_datasets()`.
        split: One of its splits.
        root: The data set's own folder; None looks below `SEGLAB_DATA`, and for the embedded sets in the
            cache folder, where they are made if they are missing.

    Raises:
        ConfigError: If the name or the split is unknown.
        DataError: If the data set is missing or its files do not pair.
    """
    entry = _entry(name)
    if split not in entry.splits:
        raise ConfigError(unknown(f"split {split!r} of {name}", split, entry.splits))
    return entry.open_split(split, root)


def _entry(name: str) -> _Entry:
    if name not in _DATASETS:
        raise ConfigError(unknown(f"data set {name!r}", name, _DATASETS))
    return _DATASETS[name]
