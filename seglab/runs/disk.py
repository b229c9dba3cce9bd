"""Files that are replaced in one step, and the errors of a disk in words."""

from __future__ import annotations

import os
from pathlib import Path

from seglab.errors import DiskError


def write_text(path: Path, text: str) -> None:
    """Writes a file in UTF-8, as `write_bytes` does."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Writes a file so that a reader sees the old content or the new one, never a part, also after a crash.

    A process that is killed meanwhile leaves a hidden `.*.tmp` beside it.

    Raises:
        DiskError: If it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        try:
            with open(temporary, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise not_written(path, error, len(content)) from None


def not_written(path: Path, error: OSError, size: int | None = None) -> DiskError:
    what = "" if size is None else f", {size} bytes"
    reason = error.strerror or error
    return DiskError(f"{path}: cannot be written{what} ({reason}); what was there before is intact")


def sync_folder(folder: Path) -> None:
    """Makes the renames in it durable, where the system lets a folder be synchronised."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
