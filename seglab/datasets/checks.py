"""Reads a whole split and says what is wrong with it, before a training stumbles over it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from seglab.datasets.base import SegmentationDataset
from seglab.datasets.statistics import ClassFrequencies, count_ids, sum_up
from seglab.errors import DataError


@dataclass(frozen=True)
class CheckReport:
    """What reading a split has shown.

    Args:
        problems: One sentence for each pair that cannot be used; empty if all is well.
        frequencies: Counts over the pairs that can be used.
        missing: Names of the classes that occur in none of them; not a problem by itself.
    """

    problems: tuple[str, ...]
    frequencies: ClassFrequencies
    missing: tuple[str, ...]


def check(dataset: SegmentationDataset) -> CheckReport:
    """Reads every pair of a split and collects all problems, not only the first."""

    def count(index: int) -> np.ndarray | DataError:
        try:
            return count_ids(dataset.read(index)[1])
        except DataError as error:
            return error

    with ThreadPoolExecutor() as pool:
        title = f"checking {dataset.name} {dataset.split}"
        results = list(
            tqdm(pool.map(count, range(len(dataset))), title, len(dataset), leave=False, disable=None)
        )
    problems = tuple(str(result) for result in results if isinstance(result, DataError))
    counts = [result for result in results if not isinstance(result, DataError)]
    frequencies = sum_up(counts, dataset.labels.num_classes)
    missing = [name for name, n in zip(dataset.labels.classes, frequencies.pixels, strict=True) if n == 0]
    return CheckReport(problems, frequencies, tuple(missing))
