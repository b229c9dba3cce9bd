"""What every data set is: a list of picture pairs with one label space."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seglab.datasets.locations import cache_root
from seglab.datasets.reading import read_image, read_mask, read_pair
from seglab.errors import DataError
from seglab.labels import LabelSpace


@dataclass(frozen=True)
class Sample:
    """One photograph, its mask, and the name that both go by in results.

    The mask is None where the publishers of a set keep the truth to themselves.
    """

    name: str
    image: Path
    mask: Path | None


class SegmentationDataset:
    """One split of a data set.

    Args:
        name: The data set's name.
        split: The split's name.
        labels: Classes, and the way from the masks' file ids to train ids.
        samples: The pairs, in a fixed order.
        root: The data set's folder.
    """

    def __init__(
        self, name: str, split: str, labels: LabelSpace, samples: Sequence[Sample], root: Path
    ) -> None:
        self.name = name
        self.split = split
        self.labels = labels
        self.samples = tuple(samples)
        self.root = root

    def __len__(self) -> int:
        return len(self.samples)

    def __repr__(self) -> str:
        return f"<{self.name} {self.split}: {len(self)} pictures, {self.labels.num_classes} classes>"

    @property
    def names(self) -> list[str]:
        """The samples' names, in order."""
        return [sample.name for sample in self.samples]

    @property
    def labelled(self) -> bool:
        """Whether the pictures have masks."""
        return all(sample.mask is not None for sample in self.samples)

    def spread(self, number: int) -> list[int]:
        """The indices of some pictures that are spread evenly over the split; of all if it has no more."""
        return np.linspace(0, len(self) - 1, min(number, len(self))).round().astype(int).tolist()

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Reads one pair.

        Returns:
            The image, uint8 (H, W, 3) in RGB, and its mask, uint8 (H, W) of train ids and the ignore index.

        Raises:
            DataError: If a file breaks a rule of `seglab.datasets.reading`, or the split has no masks.
        """
        return read_pair(self.samples[index].image, self._mask(index), self.labels)

    def read_image(self, index: int) -> np.ndarray:
        """Reads the image of one pair alone, as `read` does."""
        return read_image(self.samples[index].image)

    def read_mask(self, index: int) -> np.ndarray:
        """Reads the mask of one pair alone, as `read` does."""
        return read_mask(self._mask(index), self.labels)

    def _mask(self, index: int) -> Path:
        if (mask := self.samples[index].mask) is None:
            raise DataError(
                f"{self.samples[index].image}: {self.name} {self.split} has no masks, its publishers keep "
                "them to themselves; allowed are predictions, for example `seglab submit`"
            )
        return mask

    def digest(self) -> str:
        """Identity of what a network can see of this split: 16 hex digits.

        It is a SHA-256 over the samples' names in order, the bytes of every image and mask, and the table
        from file ids to train ids; where the files lie does not matter. Reading all bytes takes a second per
        gigabyte or so, therefore the answer is remembered in the cache folder until the path, size, or time
        of change of any file is another.
        """
        paths = [path for sample in self.samples for path in (sample.image, sample.mask) if path]
        try:
            stats = [path.stat() for path in paths]
        except OSError as error:
            raise _unreadable(error) from None
        table = json.dumps([self.labels.classes, _table(self.labels), self.names])
        key = hashlib.sha256(table.encode())
        for path, stat in zip(paths, stats, strict=True):
            key.update(f"\n{path.absolute()} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}".encode())
        memo = cache_root() / "digests" / key.hexdigest()[:32]
        if memo.is_file() and len(known := memo.read_text(encoding="ascii")) == 16:
            return known

        content = hashlib.sha256(table.encode())
        try:
            for path in paths:
                content.update(hashlib.sha256(path.read_bytes()).digest())
        except OSError as error:
            raise _unreadable(error) from None
        digest = content.hexdigest()[:16]
        # A file that changed a moment ago could change again without its time of change telling so.
        if time.time_ns() - max(stat.st_ctime_ns for stat in stats) > 1_000_000_000:
            with contextlib.suppress(OSError):  # without a writable cache folder it is computed each time
                memo.parent.mkdir(parents=True, exist_ok=True)
                part = memo.with_name(f"{memo.name}.{os.getpid()}.part")
                part.write_text(digest, encoding="ascii")
                part.replace(memo)
        return digest


def _table(labels: LabelSpace) -> list:
    return sorted((labels.file_ids if labels.file_colors is None else labels.file_colors).items())


def _unreadable(error: OSError) -> DataError:
    return DataError(f"{error.filename}: {error.strerror}")


def read_ahead(
    dataset: SegmentationDataset, indices: Iterable[int]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Reads pairs in the given order, a few ahead in threads; decoding does not hold the interpreter.

    Raises:
        DataError: When its turn comes, for a pair that cannot be read.
    """
    threads = min(4, num_cores())
    pending: deque[Future] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for index in indices:
            pending.append(pool.submit(dataset.read, index))
            if len(pending) > threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def num_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pair(images: Mapping[str, Path], masks: Mapping[str, Path] | None, where: Path) -> list[Sample]:
    """Joins images and masks that have the same name, in the order of the names.

    Args:
        images: Photographs by name.
        masks: Masks by name; None where there are none to be had.
        where: The folder in which they were sought, for the message.

    Raises:
        DataError: If there is no image, an image has no mask, or a mask no image.
    """
    if not images:
        raise DataError(f"{where}: holds no pictures")
    if masks is None:
        return [Sample(name, images[name], None) for name in sorted(images)]
    sides = ((images, masks, "image without a mask"), (masks, images, "mask without an image"))
    for present, absent, what in sides:
        if lonely := sorted(present.keys() - absent.keys()):
            more = f" (and {len(lonely) - 1} more)" if len(lonely) > 1 else ""
            raise DataError(f"{present[lonely[0]]}: {what}{more}; every picture needs both")
    return [Sample(name, images[name], masks[name]) for name in sorted(images)]


def pictures(folder: Path, pattern: str, suffix: str) -> dict[str, Path]:
    """Files below `folder` that match `pattern`, by file name without `suffix`; hidden files are left out."""
    found: dict[str, Path] = {}
    for path in sorted(folder.glob(pattern)):
        if path.name.startswith("."):
            continue
        name = path.name.removesuffix(suffix)
        if name in found:
            raise DataError(f"{path}: the same name as {found[name]}; names must differ within a split")
        found[name] = path
    return found
