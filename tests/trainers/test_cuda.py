"""The same loop on a GPU: it repeats, resumes, records its passes, and agrees with the processor."""

import pytest
import torch

from seglab import checkpoints, runs
from seglab.config import PhaseConfig
from seglab.trainers.loop import train
from seglab.trainers.observers import Observer

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")


@pytest.fixture
def on_cuda(tiny, change):
    return change(tiny, "training", device="cuda", deterministic=True)


def weights(folder):
    return checkpoints.load_weights(folder)


def assert_same(one, other):
    for name in one:
        assert torch.equal(one[name], other[name]), name


def assert_close(one, other, atol):
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=0, atol=atol)


class StopAt(Observer):
    def __init__(self, step):
        self.at = step

    def step(self, progress):
        if progress.step == self.at:
            raise KeyboardInterrupt


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_deterministic_run_repeats_bit_for_bit_and_survives_a_stop(on_cuda, change, tmp_path, precision):
    experiment = change(on_cuda, "training", precision=precision, ema_decay=0.9)
    train(experiment, tmp_path / "one")
    train(experiment, tmp_path / "two")
    assert_same(weights(tmp_path / "one"), weights(tmp_path / "two"))
    with pytest.raises(KeyboardInterrupt):
        train(experiment, tmp_path / "stopped", observers=[StopAt(4)])
    train(experiment, tmp_path / "stopped", resume=True)
    assert_same(weights(tmp_path / "one"), weights(tmp_path / "stopped"))
    one, other = (runs.read_history(tmp_path / f).drop(columns=runs.CLOCKED) for f in ("one", "stopped"))
    assert one.equals(other)


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_recorded_passes_learn_what_plain_ones_do(on_cuda, change, tmp_path, norm):
    experiment = change(on_cuda, "model", options={**on_cuda.model.options, "norm": norm})
    experiment = change(change(experiment, "optimizer", name="sgd", lr=1e-3), "training", epochs=2)
    train(change(experiment, "training", cuda_graphs=True), tmp_path / "graphs")
    train(experiment, tmp_path / "plain")
    assert_close(weights(tmp_path / "graphs"), weights(tmp_path / "plain"), atol=1e-5)


def test_the_processor_agrees(on_cuda, change, tmp_path):
    experiment = change(change(on_cuda, "optimizer", name="sgd", lr=1e-3), "training", epochs=1, batch_size=6)
    train(experiment, tmp_path / "cuda")
    train(change(experiment, "training", device="cpu"), tmp_path / "cpu")
    assert_close(weights(tmp_path / "cuda"), weights(tmp_path / "cpu"), atol=1e-4)


def test_half_precision_learns_with_a_scaled_loss(on_cuda, change, tmp_path):
    train(change(on_cuda, "training", precision="fp16", epochs=10), tmp_path / "run")
    history = runs.read_history(tmp_path / "run")
    assert history["loss"].iloc[-1] < history["loss"].iloc[0] and history["skipped_steps"].iloc[-1] == 0


def test_phases_record_anew_and_frozen_layers_stay(on_cuda, change, tmp_path):
    from dataclasses import replace

    experiment = change(on_cuda, "model", options={**on_cuda.model.options, "norm": "batch"})
    phases = (
        PhaseConfig("frozen", 1, input_size=(32, 64), freeze=("stem",)),
        PhaseConfig("full", 2),
    )
    train(replace(experiment, phases=phases), tmp_path / "run")
    history = runs.read_history(tmp_path / "run")
    assert list(history["phase"]) == ["frozen", "full", "full"] and history["loss"].notna().all()
