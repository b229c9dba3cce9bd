"""Training state and weights on disk, of which the newest undamaged state is always found.

A file is written under a temporary name, flushed to the disk and renamed, and a state carries the digest of
its content in its name: `step-<step>-<digest>.pt`. So a kill at any instant leaves the old file or the new
one, and damage is noticed before anything is loaded. A state holds tensors, numbers, strings, lists and dicts
only (`weights_only`), and weights are safetensors: neither can run code.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import re
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from seglab.errors import CheckpointError, DiskError
from seglab.runs import WEIGHTS, write_bytes

KEEP = 2  # one may be damaged
_NAME = re.compile(r"step-(?P<step>\d{8})-(?P<digest>[0-9a-f]{16})\.pt")


def save(folder: Path, step: int, state: dict[str, Any]) -> Path:
    """Writes a checkpoint and then removes the older ones, so that `KEEP` of different steps are left.

    Args:
        folder: The run's checkpoint folder; made where it is missing.
        step: Optimizer steps done; orders the files.
        state: What `load_newest` gives back.

    Returns:
        The file's path.

    Raises:
        DiskError: If it cannot be written; the checkpoints before it are intact.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getbuffer()
    path = folder / f"step-{step:08d}-{hashlib.sha256(content).hexdigest()[:16]}.pt"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_bytes(path, content)
        others = [other for other in _files(folder) if other != path]
        same_step = [other for other in others if other.name.startswith(f"step-{step:08d}-")]
        earlier = [other for other in others if other not in same_step]
        for old in (*same_step, *earlier[KEEP - 1 :]):
            old.unlink(missing_ok=True)
        if not path.exists():  # another training tidied up, too: the file system ignores the run's lock
            write_bytes(path, content)
    except DiskError:
        raise
    except OSError as error:
        raise DiskError(
            f"{folder}: the checkpoints, {len(content)} bytes each, cannot be renewed "
            f"({error.strerror or error}); the newest is intact"
        ) from None
    return path


def exist(folder: Path) -> bool:
    """Whether there is any checkpoint, damaged or not."""
    return bool(_files(folder))


def load_newest(folder: Path) -> tuple[dict[str, Any], list[Path]]:
    """Reads the newest undamaged checkpoint, onto the CPU.

    Returns:
        Its state, and the newer files that are damaged.

    Raises:
        CheckpointError: If there is none, each one is damaged, or the content is not plain data.
        DiskError: If one cannot be read, which says nothing about what is in it.
    """
    files = _files(folder)
    for number, path in enumerate(files):
        try:
            content = path.read_bytes()
        except FileNotFoundError:  # the training has replaced it meanwhile
            continue
        except OSError as error:
            raise DiskError(f"{path}: cannot be read ({error.strerror or error}), and is left") from None
        if hashlib.sha256(content).hexdigest()[:16] != _NAME.fullmatch(path.name)["digest"]:
            continue
        try:
            state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
            return dict(state), files[:number]
        except pickle.UnpicklingError:
            raise CheckpointError(f"{path}: holds more than tensors and plain values; refused") from None
        except Exception as error:  # nothing that seglab wrote; torch's reader may fail over it in any way
            raise CheckpointError(f"{path}: no checkpoint ({type(error).__name__})") from None
    found = f"{len(files)} found, all damaged" if files else "none found"
    raise CheckpointError(f"{folder}: no usable checkpoint ({found})")


def save_weights(folder: Path, model: nn.Module, dtype: torch.dtype | None = None) -> Path:
    """Writes a network's weights and statistics as `weights.safetensors`.

    Args:
        folder: The run folder.
        model: The network.
        dtype: Number format of what is float32; None keeps it.

    Raises:
        DiskError: If it cannot be written.
    """
    weights = {
        name: (tensor.to(dtype) if dtype and tensor.is_floating_point() else tensor).contiguous().cpu()
        for name, tensor in model.state_dict().items()
    }
    path = folder / WEIGHTS
    write_bytes(path, safetensors.torch.save(weights))
    return path


def load_weights(folder: Path) -> dict[str, Tensor]:
    """The weights of a run: those it ended with, or, while it has not ended, its newest checkpoint's.

    Raises:
        CheckpointError: If there are none, or they are damaged.
    """
    path = folder / WEIGHTS
    if not path.exists():
        if not exist(folder / "checkpoints"):
            raise CheckpointError(f"{folder}: no weights; allowed is a run with {WEIGHTS} or checkpoints/")
        return load_newest(folder / "checkpoints")[0]["weights"]
    try:
        weights = safetensors.torch.load(path.read_bytes())
    except SafetensorError as error:
        raise CheckpointError(f"{path}: damaged ({error})") from None
    return {name: one.float() if one.is_floating_point() else one for name, one in weights.items()}


def _files(folder: Path) -> list[Path]:
    """The checkpoints, newest first."""
    files = [path for path in folder.glob("step-*.pt") if _NAME.fullmatch(path.name)]
    return sorted(files, key=lambda path: path.name, reverse=True)
