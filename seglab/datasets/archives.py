"""Unpacking archives that come from elsewhere.

The extractors of the libraries follow what an archive says: `..`, absolute names, links that later entries
are written through. This one writes regular files under plain names into a folder of its own, and lets that
appear by one rename when everything has gone well; an archive that holds anything else is refused.
"""

from __future__ import annotations

import glob
import shutil
import stat
import tarfile
import tempfile
import time
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from seglab.errors import DataError

MAX_ENTRIES = 50_000
MAX_BYTES = 64 * 2**30  # leftImg8bit_trainvaltest.zip of Cityscapes has 11 GiB, the coarse pictures 44
MAX_RATIO = 200  # unpacked to packed bytes of the whole archive; pictures do not shrink

_BLOCK = 1 << 20
_ABANDONED_S = 24 * 3600  # an unfinished folder this old belongs to a process that was killed
# Files of these names are devices on Windows, whatever their ending.
_DEVICES = {"con", "prn", "aux", "nul", *(f"{d}{i}" for d in ("com", "lpt") for i in range(10))}
_Entry = tuple[str, int, Callable[[], IO[bytes]]]


def unpack(
    archive: Path,
    target: Path,
    *,
    only: str = "",
    check: Callable[[Path], None] = lambda folder: None,
    max_entries: int = MAX_ENTRIES,
    max_bytes: int = MAX_BYTES,
) -> Path:
    """Unpacks a zip or tar archive into a new folder, all of it or nothing.

    Args:
        archive: A .zip, .tar, .tar.gz, .tar.bz2 or .tar.xz file, told by its content.
        target: The folder to make; it must not exist.
        only: Folder of the archive whose content is wanted, such as `CamVid/`; the rest is left out.
        check: Called with the unpacked folder before it appears at `target`; what it raises, is raised.
        max_entries: Most files and folders that the archive may hold.
        max_bytes: Most bytes that its files may unpack to.

    Returns:
        `target`.

    Raises:
        DataError: If the archive is damaged, holds anything but regular files and folders under plain names
            that differ, exceeds the caps, or has nothing below `only`; or if `target` exists.
    """
    if target.exists():
        raise DataError(f"{target}: exists already; delete it, or choose another folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{target.name}-unfinished-"
    for abandoned in target.parent.glob(f"{glob.escape(prefix)}*"):
        if time.time() - abandoned.stat().st_mtime > _ABANDONED_S:
            shutil.rmtree(abandoned, ignore_errors=True)
    # Hidden, and on the same disk, so that the rename is one step.
    with tempfile.TemporaryDirectory(prefix=prefix, dir=target.parent) as temporary:
        folder = Path(temporary, "content")
        folder.mkdir()
        try:
            with _entries(archive, max_entries) as entries:
                limit = min(max_bytes, max(MAX_RATIO * archive.stat().st_size, _BLOCK))
                _write(archive, entries, folder, only, limit)
        except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError) as error:
            raise DataError(f"{archive}: damaged or no zip or tar archive ({error})") from None
        if not any(folder.iterdir()):
            raise DataError(f"{archive}: holds nothing below {only or 'its top'}")
        check(folder)
        try:
            folder.rename(target)
        except OSError as error:
            raise DataError(f"{target}: cannot be made ({error.strerror})") from None
    return target


def _write(archive: Path, entries: Iterator[_Entry], folder: Path, only: str, limit: int) -> None:
    written = 0
    seen: dict[str, tuple[str, bool]] = {}  # as a careless file system sees it: spelling, whether a file
    for name, size, opener in entries:
        parts = _plain_parts(archive, name)
        for depth in range(1, len(parts) + 1):
            path = "/".join(parts[:depth])
            folded = unicodedata.normalize("NFC", path).casefold()
            is_file = depth == len(parts) and not name.endswith("/")
            if folded in seen and (is_file or seen[folded] != (path, False)):
                raise DataError(f"{archive}: {name!r} and {seen[folded][0]!r} are one file on some systems")
            seen[folded] = path, is_file
        if name.endswith("/") or not name.startswith(only):
            continue
        if written + size > limit:  # what the header says; what comes is counted below
            raise _too_large(archive, limit)
        path = folder.joinpath(*_plain_parts(archive, name.removeprefix(only)))
        path.parent.mkdir(parents=True, exist_ok=True)
        with opener() as source, path.open("xb") as file:
            while block := source.read(_BLOCK):
                written += len(block)
                if written > limit:
                    raise _too_large(archive, limit)
                file.write(block)


def _too_large(archive: Path, limit: int) -> DataError:
    return DataError(f"{archive}: unpacks to more than {limit:,} bytes; allowed are so many for its size")


def _plain_parts(archive: Path, name: str) -> list[str]:
    """The components of an entry's name, if it stays where it belongs on every system."""
    parts = name.removesuffix("/").split("/")
    for part in parts:
        bad = part in ("", ".", "..") or part[-1] in ". " or part.split(".")[0].lower() in _DEVICES
        odd = any(c in '\\:*?"<>|' or unicodedata.category(c)[0] == "C" for c in part)
        if bad or odd or len(part.encode()) > 255:
            raise DataError(
                f"{archive}: the entry {name[:200]!r} does not have a plain name below its folder"
            )
    return parts


@contextmanager
def _entries(archive: Path, max_entries: int) -> Iterator[Iterator[_Entry]]:
    """Name, size and content of the files of an archive; folders end in a slash."""
    if not archive.is_file():
        raise DataError(f"{archive}: no such file")
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as file:
            yield _zip_entries(archive, file, max_entries)
    else:
        with tarfile.open(archive) as file:
            yield _tar_entries(archive, file, max_entries)


def _zip_entries(archive: Path, file: zipfile.ZipFile, max_entries: int) -> Iterator[_Entry]:
    if len(file.infolist()) > max_entries:
        raise _too_many(archive, max_entries)
    for info in file.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or info.flag_bits & 1:
            raise _irregular(archive, info.filename)
        # `filename` has been cut at a NUL and cleaned of backslashes; the check is for what stands there.
        yield info.orig_filename, info.file_size, lambda info=info: file.open(info)


def _tar_entries(archive: Path, file: tarfile.TarFile, max_entries: int) -> Iterator[_Entry]:
    for number, info in enumerate(file):
        if number >= max_entries:
            raise _too_many(archive, max_entries)
        if not (info.isreg() or info.isdir()) or info.issparse():
            raise _irregular(archive, info.name)
        yield info.name + ("/" if info.isdir() else ""), info.size, lambda info=info: file.extractfile(info)
    file.fileobj.seek(file.offset)
    if not file.fileobj.read(tarfile.BLOCKSIZE):  # which a whole archive ends with; tarfile would not mind
        raise tarfile.ReadError("cut off")


def _too_many(archive: Path, limit: int) -> DataError:
    return DataError(f"{archive}: holds more than {limit:,} entries")


def _irregular(archive: Path, name: str) -> DataError:
    return DataError(f"{archive}: {name[:200]!r} is a link, a device or encrypted; allowed are plain files")
