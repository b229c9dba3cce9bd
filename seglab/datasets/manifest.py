"""Whether files are still those that they were: checksums in the form of the tool `sha256sum`.

A JPEG has no checksum of its own: nearly every flipped bit decodes to other pixels without a word.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from seglab.datasets.base import num_cores
from seglab.errors import DataError


def folders_digest(root: Path, folders: Iterable[str]) -> str:
    """One digest of all files in some folders: 64 hex digits.

    It is what `LC_ALL=C sha256sum FOLDER/* FOLDER/* | sha256sum` prints in `root`.

    Raises:
        DataError: If a folder is missing, or a file cannot be read.
    """
    digest = hashlib.sha256()
    for folder in folders:
        if not (root / folder).is_dir():
            raise DataError(f"{root / folder}: no such folder")
        visible = (path for path in (root / folder).iterdir() if not path.name.startswith("."))
        paths = sorted(visible, key=lambda path: path.name.encode())
        for path, value in zip(paths, _digests(paths), strict=True):
            digest.update(f"{value}  {folder}/{path.name}\n".encode())
    return digest.hexdigest()


def check_manifest(manifest: Path, root: Path) -> list[str]:
    """Compares files with the checksums that were noted for them.

    Args:
        manifest: What `sha256sum FILES > manifest` wrote.
        root: The folder from which its names count.

    Returns:
        A sentence for every file that is missing or has changed; empty if all is well.

    Raises:
        DataError: If the manifest is missing, empty or is none.
    """
    try:
        lines = manifest.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{manifest}: cannot be read ({getattr(error, 'strerror', error)}); allowed is what "
            "`sha256sum FILES` writes"
        ) from None
    noted = {}
    for number, line in enumerate(lines, start=1):
        if (match := re.fullmatch(r"([0-9a-f]{64}) [ *](.+)", line)) is None:
            raise DataError(f"{manifest}, line {number}: no line of `sha256sum`")
        noted[root / match[2]] = match[1]
    if not noted:
        raise DataError(f"{manifest}: names no files")
    problems = [f"{path}: missing" for path in noted if not path.is_file()]
    present = [path for path in noted if path.is_file()]
    for path, value in zip(present, _digests(present), strict=True):
        if value != noted[path]:
            problems.append(f"{path}: has changed since {manifest.name} was written; copy the file again")
    return problems


def _digests(paths: Iterable[Path]) -> Iterable[str]:
    def digest(path: Path) -> str:
        try:
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror})") from None

    with ThreadPoolExecutor(num_cores()) as pool:
        return list(pool.map(digest, paths))
