"""What data is on this machine: a list of the sets, making the embedded ones, checking every file."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tqdm import tqdm

from seglab.datasets import PAINTED, create_dataset, label_space, list_datasets
from seglab.datasets.checks import check
from seglab.errors import ConfigError, DataError


def listing(names: Iterable[str] = ()) -> str:
    """For each data set its classes and the pictures of its splits; below it where it is or what is missing.

    Args:
        names: Data sets; none means all.

    Raises:
        ConfigError: If a name is unknown.
    """
    lines = []
    for name in tuple(names) or list_datasets():
        classes = label_space(name).num_classes  # refuses an unknown name
        splits, where = [], []
        if name in PAINTED and not PAINTED[name].default_root().is_dir():
            where.append(f"not made yet; `seglab data make {name}` or the first training makes it")
        else:
            for split in list_datasets()[name]:
                try:
                    splits.append(create_dataset(name, split))
                except DataError as error:
                    where.append(str(error))
        pictures = ", ".join(f"{one.split} {len(one)}" for one in splits) or "not here"
        lines.append(f"{name}: {classes} classes; {pictures}")
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


def check_sets(names: Iterable[str], say: Callable[[str], None]) -> int:
    """Reads every pair of every split of some data sets.

    Args:
        names: Data sets.
        say: Told the verdict on each split and every problem.

    Returns:
        Number of different problems; a picture that belongs to two splits counts once.
    """
    problems: set[str] = set()
    for name in names:
        label_space(name)  # refuses an unknown name
        for split in list_datasets()[name]:
            dataset = create_dataset(name, split)
            report = check(dataset)
            missing = f"; classes that do not occur: {', '.join(report.missing)}" if report.missing else ""
            say(f"{name} {split}: {len(dataset)} pairs, {len(report.problems)} problems{missing}")
            for problem in report.problems:
                say(f"  {problem}")
            problems.update(report.problems)
    return len(problems)
