"""Checkpoints: the newest undamaged one is found, and none can run code."""

import hashlib
import os
import pickle

import pytest
import torch

from seglab import checkpoints
from seglab.errors import CheckpointError


def test_round_trip_and_pruning(tmp_path):
    folder = tmp_path / "checkpoints"
    for step in (1, 2, 3):
        state = {"step": step, "weight": torch.full((2,), float(step))}
        checkpoints.save(folder, "last", step, state, keep=2)
    checkpoints.save(folder, "best", 1, {"step": 1}, keep=1)
    assert sorted(path.name.split("-")[1] for path in folder.glob("last-*")) == ["00000002", "00000003"]
    state = checkpoints.load_newest(folder, "last")
    assert state["step"] == 3 and torch.equal(state["weight"], torch.tensor([3.0, 3.0]))
    assert checkpoints.load_newest(folder, "best") == {"step": 1}


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty"])
def test_damaged_newest_falls_back_to_the_one_before(tmp_path, damage):
    for step in (1, 2):
        path = checkpoints.save(tmp_path, "last", step, {"step": step}, keep=2)
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
    path.write_bytes({"flip": content, "truncate": content[:-1], "empty": b""}[damage])
    assert checkpoints.load_newest(tmp_path, "last") == {"step": 1}


def test_only_damaged_or_none_is_a_clear_error(tmp_path):
    with pytest.raises(CheckpointError, match="none found"):
        checkpoints.load_newest(tmp_path, "last")
    checkpoints.save(tmp_path, "last", 1, {}, keep=1).write_bytes(b"x")
    with pytest.raises(CheckpointError, match="1 found, all damaged"):
        checkpoints.load_newest(tmp_path, "last")


def test_failed_write_leaves_the_old_checkpoint_and_no_rest(tmp_path, monkeypatch):
    checkpoints.save(tmp_path, "last", 1, {"step": 1}, keep=1)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoints.save(tmp_path, "last", 2, {"step": 2}, keep=1)
    assert checkpoints.load_newest(tmp_path, "last") == {"step": 1}
    assert len(list(tmp_path.iterdir())) == 1


def test_the_rest_of_a_killed_write_is_removed(tmp_path):
    (tmp_path / ".last-00000001-0123456789abcdef.pt.77.tmp").write_bytes(b"half")
    path = checkpoints.save(tmp_path, "last", 2, {"step": 2}, keep=1)
    assert list(tmp_path.iterdir()) == [path]


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    canary = tmp_path / "canary"

    class Payload:
        def __reduce__(self):
            return os.system, (f"touch {canary}",)

    content = pickle.dumps(Payload(), protocol=2)  # the one that torch writes
    name = f"last-00000001-{hashlib.sha256(content).hexdigest()[:16]}.pt"
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=name):
        checkpoints.load_newest(tmp_path, "last")
    assert not canary.exists()
