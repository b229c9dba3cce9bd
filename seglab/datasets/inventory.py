"""What data is on this machine: a list of the sets, making the embedded ones, comparing files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tqdm import tqdm

from seglab.datasets import PAINTED, camvid, create_dataset, dataset_info, list_datasets, own
from seglab.datasets.manifest import check_manifest
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


def verify(name: str, root: Path | str | None = None) -> list[str]:
    """Compares every file of a data set with what was published, or noted, of it.

    Args:
        name: `camvid`, whose checksums are known; or the path of your own data's YAML file, for which
            `sha256sum FILES > <name>.sha256` beside it has noted them.
        root: As for `create_dataset`.

    Returns:
        A sentence for everything that differs; empty if all is well.

    Raises:
        ConfigError: If nothing is known to compare the data set with.
        DataError: If the data set or the checksums are missing.
    """
    if name == "camvid":
        return camvid.verify(root)
    if name.lower().endswith(own.ENDINGS):
        path = Path(name).expanduser()
        return check_manifest(path.with_suffix(".sha256"), path.parent if root is None else Path(root))
    known = "camvid, or the YAML file of your own data with a file of sha256sum beside it"
    raise ConfigError(f"seglab data verify: got {name!r}; allowed are {known}")
