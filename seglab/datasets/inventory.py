"""What data is on this machine: a list of the sets, and making the embedded one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tqdm import tqdm

from seglab.datasets import create_dataset, dataset_info, list_datasets, street_scenes
from seglab.errors import ConfigError, DataError


def listing(names: Iterable[str] = ()) -> str:
    """For each data set its classes and the pictures of its splits; below it where it is or what is missing.

    Args:
        names: Data sets, or paths of your own data's YAML files; none means all that are known by name.

    Raises:
        ConfigError: If a name is unknown.
    """
    lines = []
    for name in tuple(names) or list_datasets():
        info = dataset_info(name)
        splits, where = [], []
        if name == "street_scenes" and not street_scenes.default_root().is_dir():
            where.append("not made yet; `seglab data make` or the first training makes it")
        else:
            for split in info.splits:
                try:
                    splits.append(create_dataset(name, split))
                except DataError as error:
                    where.append(str(error))
        pictures = ", ".join(f"{one.split} {len(one)}" for one in splits) or "not here"
        lines.append(f"{name}: {info.labels.num_classes} classes; {pictures}")
        lines.append(f"    {splits[0].root if splits else where[0]}")
    return "\n".join(lines)


def make(names: Iterable[str]) -> Path:
    """Makes the embedded street scenes and returns their folder.

    Raises:
        ConfigError: If another data set is asked for.
    """
    for name in names:
        if name != "street_scenes":
            raise ConfigError(f"seglab data make: got {name!r}; allowed is street_scenes, the embedded set")
    return street_scenes.make(street_scenes.default_root(), progress=tqdm)
