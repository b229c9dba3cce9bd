"""Checkpoints: training state and weights on disk, of which the newest undamaged one is always found.

A file is written under a temporary name, flushed to the disk and renamed, and carries the digest of its
content in its name: `<kind>-<step>-<digest>.pt`. So a kill at any instant leaves the old file or the new
one, and damage is noticed before anything is loaded. The content is tensors, numbers, strings, lists and
dicts only (`weights_only`): a checkpoint cannot run code.
"""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import re
from pathlib import Path
from typing import Any

import torch

from seglab.errors import CheckpointError
from seglab.runs import write_bytes

_NAME = re.compile(r"(?P<kind>last|best)-(?P<step>\d{8})-(?P<digest>[0-9a-f]{16})\.pt")


def save(folder: Path, kind: str, step: int, state: dict[str, Any], keep: int) -> Path:
    """Writes a checkpoint and then removes the older ones of its kind but `keep`.

    Args:
        folder: The run's checkpoint folder; made where it is missing.
        kind: `last` (everything needed to go on) or `best` (weights alone).
        step: Optimizer steps done; orders the files.
        state: What `load_newest` gives back.
        keep: Number of files of this kind that stay.

    Returns:
        The file's path.
    """
    folder.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getbuffer()
    for rest in folder.glob(".*.tmp"):  # of a process that was killed while it wrote
        rest.unlink(missing_ok=True)
    path = folder / f"{kind}-{step:08d}-{hashlib.sha256(content).hexdigest()[:16]}.pt"
    write_bytes(path, content)
    _sync_folder(folder)
    for old in _files(folder, kind)[keep:]:
        if old != path:
            old.unlink(missing_ok=True)
    return path


def load_newest(folder: Path, kind: str) -> dict[str, Any]:
    """Reads the newest undamaged checkpoint of a kind, onto the CPU.

    Raises:
        CheckpointError: If there is none, each one is damaged, or the content is not plain data.
    """
    files = _files(folder, kind)
    for path in files:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest()[:16] != _NAME.fullmatch(path.name)["digest"]:
            continue
        try:
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        except pickle.UnpicklingError:
            raise CheckpointError(f"{path}: holds more than tensors and plain values; refused") from None
    found = f"{len(files)} found, all damaged" if files else "none found"
    raise CheckpointError(f"{folder}: no usable checkpoint of kind {kind!r} ({found})")


def _files(folder: Path, kind: str) -> list[Path]:
    """The checkpoints of a kind, newest first."""
    names = [_NAME.fullmatch(path.name) for path in folder.glob(f"{kind}-*.pt")]
    return [folder / m.string for m in sorted(filter(None, names), key=lambda m: m["step"], reverse=True)]


def _sync_folder(folder: Path) -> None:
    """Makes the rename itself durable, where the system lets a folder be synchronised."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
