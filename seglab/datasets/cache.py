"""Pictures decoded once into memory-mapped files, because decoding a PNG costs more than all the rest.

A cached split is a folder `decoded/<digest>/` in the cache folder with the arrays `images.npy` and
`masks.npy` and their checksums. The name is the digest of the files that were decoded, so that changed
pictures never meet an old cache; the checksums are compared when the folder is opened, so that a damaged one
is made again; and the folder appears by one rename, so that a half-written one is never seen. All
processes of a machine share the memory that the arrays take.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import shutil
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from seglab.datasets.base import SegmentationDataset, read_ahead
from seglab.datasets.locations import cache_root
from seglab.datasets.reading import image_size

_log = logging.getLogger(__name__)

_GIB = 2**30
_ABANDONED_S = 24 * 3600  # a half-written folder this old belongs to a process that was killed


def cached(dataset: SegmentationDataset, limit_gib: float) -> SegmentationDataset:
    """The same split, read from decoded arrays, which are made if they are missing.

    Where there is no cache the split itself comes back, and one line of the log says why: the arrays would
    take more than `limit_gib` or more than the disk has, the pictures differ in size, or the cache folder
    cannot be written.

    Args:
        dataset: The split.
        limit_gib: Most space, in GiB, that its arrays may take; 0 for no cache.

    Raises:
        DataError: If a picture cannot be decoded.
    """
    if limit_gib == 0:
        return dataset
    height, width = image_size(dataset.samples[0].image)
    needed_gib = len(dataset) * height * width * 4 / _GIB  # three colours and a mask
    if needed_gib > limit_gib:
        reason = f"they would take {needed_gib:.1f} GiB, and data.cache_gib allows {limit_gib:g}"
    elif any(image_size(sample.image) != (height, width) for sample in dataset.samples):
        reason = "they differ in size"
    else:
        folder = cache_root() / "decoded" / dataset.digest()
        try:
            if not _is_intact(folder):
                _decode(dataset, folder, (height, width))
            return _Cached(dataset, folder)
        except OSError as error:
            reason = f"{cache_root()} cannot hold them ({error.strerror or error})"
    _log.warning("%s %s: pictures are decoded each time, because %s", dataset.name, dataset.split, reason)
    return dataset


class _Cached(SegmentationDataset):
    """A split whose pixels lie in memory-mapped arrays; each process maps them on its first reading."""

    def __init__(self, dataset: SegmentationDataset, folder: Path) -> None:
        super().__init__(dataset.name, dataset.split, dataset.labels, dataset.samples, dataset.root)
        self._folder = folder
        self._arrays: dict[str, np.ndarray] = {}

    def __getstate__(self) -> dict:
        return self.__dict__ | {"_arrays": {}}  # a mapped array would be sent to a new process as a copy

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return self._copy("images", index), self.read_mask(index)

    def read_mask(self, index: int) -> np.ndarray:
        return self._copy("masks", index)

    def _copy(self, name: str, index: int) -> np.ndarray:
        if name not in self._arrays:
            self._arrays[name] = np.load(self._folder / f"{name}.npy", mmap_mode="r")
        return np.array(self._arrays[name][index])


def _decode(dataset: SegmentationDataset, folder: Path, size: tuple[int, int]) -> None:
    """Writes a cache folder: all of it or nothing."""
    needed = len(dataset) * math.prod(size) * 4
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(folder)
    if (free := shutil.disk_usage(folder.parent).free) < needed:
        raise OSError(f"{needed / _GIB:.1f} GiB are needed, {free / _GIB:.1f} GiB are free")
    part = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    try:
        part.mkdir()
        with (part / "images.npy").open("wb") as images, (part / "masks.npy").open("wb") as masks:
            # Written as a stream: in a mapped file a full disk would kill the process instead of raising.
            for file, shape in ((images, (len(dataset), *size, 3)), (masks, (len(dataset), *size))):
                header = {"descr": "|u1", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
            pairs = read_ahead(dataset, range(len(dataset)))
            title = f"decoding {dataset.name} {dataset.split}"
            for image, mask in tqdm(pairs, title, len(dataset), leave=False, disable=None):
                images.write(image)
                masks.write(mask)
        (part / "sha256.json").write_text(json.dumps(_checksums(part)), encoding="ascii")
        if not folder.exists():
            part.rename(folder)
    except OSError:
        if not _is_intact(folder):  # else another process was faster
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _is_intact(folder: Path) -> bool:
    """Whether a cache folder is there and undamaged; a damaged one is removed."""
    if not folder.is_dir():
        return False
    try:
        if json.loads((folder / "sha256.json").read_text(encoding="ascii")) == _checksums(folder):
            return True
    except (OSError, ValueError):
        pass
    _log.warning("%s is damaged and is made again", folder)
    shutil.rmtree(folder)
    return False


def _checksums(folder: Path) -> dict[str, str]:
    sums = {}
    for name in ("images.npy", "masks.npy"):
        with (folder / name).open("rb") as file:
            sums[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return sums


def _remove_abandoned(folder: Path) -> None:
    for part in folder.parent.glob("*.part"):
        if time.time() - part.stat().st_mtime > _ABANDONED_S:
            shutil.rmtree(part, ignore_errors=True)
