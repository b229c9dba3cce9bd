"""What data is on this machine: a list of the sets, and making the embedded ones."""

from __future__ import annotations

from collections.abc import Iterable

from tqdm import tqdm

from seglab.datasets import PAINTED, create_dataset, dataset_info, list_datasets
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
        if name in PAINTED and not PAINTED[name].default_root().is_dir():
            where.append(f"not made yet; `seglab data make {name}` or the first training makes it")
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


def make(names: Iterable[str]) -> str:
    """Makes embedded sets and tells their folders, one a line.

    Raises:
        ConfigError: If another data set is asked for.
    """
    names = tuple(names)
    for name in names:
        if name not in PAINTED:
            allowed = f"allowed are the embedded sets, {', '.join(PAINTED)}"
            raise ConfigError(f"seglab data make: got {name!r}; {allowed}")
    return "\n".join(str(PAINTED[name].make(PAINTED[name].default_root(), progress=tqdm)) for name in names)
