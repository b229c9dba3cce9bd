"""Checkpoints: the newest undamaged one is found, and none can run code."""

import errno
import hashlib
import os
import pickle
from pathlib import Path

import pytest
import torch

from seglab import checkpoints, runs
from seglab.errors import CheckpointError, DiskError


def test_round_trip_and_pruning(tmp_path):
    folder = tmp_path / "checkpoints"
    for step in (1, 2, 3):
        state = {"step": step, "weight": torch.full((2,), float(step))}
        checkpoints.save(folder, step, state)
    assert sorted(path.name.split("-")[1] for path in folder.glob("step-*")) == ["00000002", "00000003"]
    state, damaged = checkpoints.load_newest(folder)
    assert state["step"] == 3 and torch.equal(state["weight"], torch.tensor([3.0, 3.0]))
    assert damaged == []


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty"])
def test_damaged_newest_falls_back_to_the_one_before(tmp_path, damage):
    for step in (1, 2):
        path = checkpoints.save(tmp_path, step, {"step": step})
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
    path.write_bytes({"flip": content, "truncate": content[:-1], "empty": b""}[damage])
    assert checkpoints.load_newest(tmp_path) == ({"step": 1}, [path])


def test_one_that_cannot_be_read_is_not_taken_for_damaged(tmp_path, monkeypatch):
    paths = [checkpoints.save(tmp_path, step, {"step": step}) for step in (1, 2)]
    read = Path.read_bytes

    def fails_for_the_newest(path):
        if path == paths[1]:
            raise OSError(errno.EIO, "Input/output error")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", fails_for_the_newest)
    with pytest.raises(DiskError, match=f"{paths[1].name}: cannot be read .Input/output error., and is left"):
        checkpoints.load_newest(tmp_path)
    monkeypatch.undo()
    assert checkpoints.load_newest(tmp_path) == ({"step": 2}, [])


def test_only_damaged_or_none_is_a_clear_error(tmp_path):
    with pytest.raises(CheckpointError, match="none found"):
        checkpoints.load_newest(tmp_path)
    checkpoints.save(tmp_path, 1, {}).write_bytes(b"x")
    with pytest.raises(CheckpointError, match="1 found, all damaged"):
        checkpoints.load_newest(tmp_path)


def test_failed_write_leaves_the_old_checkpoint_and_no_rest(tmp_path, monkeypatch):
    checkpoints.save(tmp_path, 1, {"step": 1})

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskError, match=r"step-00000002.*\d+ bytes \(No space left"):
        checkpoints.save(tmp_path, 2, {"step": 2})
    assert checkpoints.load_newest(tmp_path) == ({"step": 1}, [])
    assert len(list(tmp_path.iterdir())) == 1


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    canary = tmp_path / "canary"

    class Payload:
        def __reduce__(self):
            return os.system, (f"touch {canary}",)

    content = pickle.dumps(Payload(), protocol=2)  # the one that torch writes
    name = f"step-00000001-{hashlib.sha256(content).hexdigest()[:16]}.pt"
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=name):
        checkpoints.load_newest(tmp_path)
    assert not canary.exists()


@pytest.mark.parametrize("dtype", [None, torch.float16])
def test_weights_come_back_as_float32(tmp_path, dtype):
    model = torch.nn.BatchNorm2d(2)  # float32 and int64
    model.weight.data = torch.tensor([0.5, -2.0])  # exact in float16
    checkpoints.save_weights(tmp_path, model, dtype)
    weights = checkpoints.load_weights(tmp_path)
    assert weights.keys() == model.state_dict().keys()
    for name, tensor in model.state_dict().items():
        assert torch.equal(weights[name], tensor) and weights[name].dtype == tensor.dtype


def test_a_run_that_has_not_ended_gives_the_weights_of_its_newest_checkpoint(tmp_path):
    with pytest.raises(CheckpointError, match=r"no weights.*weights\.safetensors"):
        checkpoints.load_weights(tmp_path)
    checkpoints.save(tmp_path / "checkpoints", 1, {"weights": {"a": torch.ones(1)}})
    assert torch.equal(checkpoints.load_weights(tmp_path)["a"], torch.ones(1))


def test_damaged_weights_are_refused(tmp_path):
    (tmp_path / runs.WEIGHTS).write_bytes(b"no weights at all")
    with pytest.raises(CheckpointError, match="damaged"):
        checkpoints.load_weights(tmp_path)
