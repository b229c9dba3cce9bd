"""Data sets by name. Opening and reading one needs no torch."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tqdm import tqdm

from seglab.config import unknown
from seglab.datasets import camvid, cityscapes, own, soccer, soccer_scenes, street_scenes
from seglab.datasets.base import Sample, SegmentationDataset
from seglab.errors import ConfigError, DataError
from seglab.labels import CAMVID11, CITYSCAPES, SOCCER4, LabelSpace

__all__ = [
    "Sample",
    "SegmentationDataset",
    "best_available",
    "create_dataset",
    "dataset_info",
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
class DatasetInfo:
    """What is known of a data set without its pictures.

    Args:
        name: Its name, good for folders and tables.
        splits: The names of its splits.
        labels: Its classes.
        open_split: From a split and the data set's folder (or None) to the pictures.
        parts: Those of its splits that are meant to consist of pictures of others.
    """

    name: str
    splits: tuple[str, ...]
    labels: LabelSpace
    open_split: Callable[[str, Path | str | None], SegmentationDataset]
    parts: tuple[str, ...] = ()


_DATASETS = {
    info.name: info
    for info in (
        DatasetInfo("street_scenes", tuple(street_scenes.COUNTS), CITYSCAPES, _street_scenes),
        DatasetInfo(
            "soccer_scenes", soccer_scenes.SPLITS, SOCCER4, _soccer_scenes, (soccer_scenes.REDRAWN,)
        ),
        DatasetInfo("soccer", soccer.SPLITS, SOCCER4, soccer.open_split),
        DatasetInfo("hulks_nao", soccer.HULKS_SPLITS, soccer.HULKS4, soccer.open_hulks),
        DatasetInfo("cityscapes", cityscapes.SPLITS, CITYSCAPES, cityscapes.open_split, cityscapes.PARTS),
        DatasetInfo("camvid", camvid.SPLITS, CAMVID11, camvid.open_split, camvid.PARTS),
    )
}


def list_datasets() -> dict[str, tuple[str, ...]]:
    """The splits of every data set that is known by name."""
    return {name: info.splits for name, info in _DATASETS.items()}


def dataset_info(name: str) -> DatasetInfo:
    """What a data set is; its pictures need not be on this machine.

    Args:
        name: One of `list_datasets()`, or the path of a YAML file that describes your own (`datasets.own`).

    Raises:
        ConfigError: If the name is unknown, or the description has a mistake.
        DataError: If there is no such file.
    """
    if name.lower().endswith(own.ENDINGS):
        description = own.read(name)
        return DatasetInfo(
            description.name, tuple(description.splits), own.label_space(name), partial(own.open_split, name)
        )
    if name not in _DATASETS:
        what = f"data set {name!r}; or the path of your own data's YAML file"
        raise ConfigError(unknown(what, name, _DATASETS))
    return _DATASETS[name]


def label_space(name: str) -> LabelSpace:
    """The classes of a data set; arguments and errors as for `dataset_info`."""
    return dataset_info(name).labels


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
        name: One of `list_datasets()`, or the path of a YAML file that describes your own data.
        split: One of its splits.
        root: The data set's own folder; None looks below `SEGLAB_DATA`, for the embedded sets in the cache
            folder, where they are made if they are missing, and for your own data beside the YAML file.

    Raises:
        ConfigError: If the name or the split is unknown.
        DataError: If the data set is missing or its files do not pair.
    """
    info = dataset_info(name)
    if split not in info.splits:
        raise ConfigError(unknown(f"split {split!r} of {name}", split, info.splits))
    return info.open_split(split, root)
