"""Data sets by name. Nothing here needs torch; `loading` and `transforms` do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from seglab.config import unknown
from seglab.datasets import camvid, cityscapes
from seglab.datasets.base import Sample, SegmentationDataset
from seglab.errors import ConfigError

__all__ = ["Sample", "SegmentationDataset", "create_dataset", "list_datasets"]


def _street_scenes(split: str, root: Path | str | None) -> SegmentationDataset:
    """The embedded scenes, made in the cache folder when they are asked for the first time."""
    from seglab.datasets import street_scenes  # its generator is needed here only

    if root is None:
        root = street_scenes.default_root()
        if not root.is_dir():
            street_scenes.make(root)
    return cityscapes.open_split(split, root, name="street_scenes")


# Name -> splits, and the function that opens one of them.
_DATASETS: dict[str, tuple[tuple[str, ...], Callable[..., SegmentationDataset]]] = {
    "street_scenes": (cityscapes.SPLITS, _street_scenes),
    "cityscapes": (cityscapes.SPLITS, cityscapes.open_split),
    "camvid": (camvid.SPLITS, camvid.open_split),
}


def list_datasets() -> dict[str, tuple[str, ...]]:
    """The splits of every data set, by its name."""
    return {name: splits for name, (splits, _) in _DATASETS.items()}


def create_dataset(name: str, split: str, root: Path | str | None = None) -> SegmentationDataset:
    """Opens one split of a data set.

    Args:
        name: One of `list_datasets()`.
        split: One of its splits.
        root: The data set's own folder; None looks below `SEGLAB_DATA`, and for `street_scenes` in the cache
            folder, where the set is made if it is missing.

    Raises:
        ConfigError: If the name or the split is unknown.
        DataError: If the data set is missing or its files do not pair.
    """
    if name not in _DATASETS:
        raise ConfigError(unknown(f"data set {name!r}", name, _DATASETS))
    splits, build = _DATASETS[name]
    if split not in splits:
        raise ConfigError(unknown(f"split {split!r} of {name}", split, splits))
    return build(split, root)
