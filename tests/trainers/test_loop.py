"""The loop: it learns, repeats, resumes, shares a batch out, and refuses."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from seglab import checkpoints, metrics, runs
from seglab.config import PhaseConfig, config_hash
from seglab.datasets import create_dataset
from seglab.datasets.statistics import class_frequencies
from seglab.errors import ConfigError, DataError, DivergedError, RunError
from seglab.evaluation.evaluate import evaluate
from seglab.evaluation.execution import Execution
from seglab.labels import CITYSCAPES
from seglab.trainers import record
from seglab.trainers.learner import Learner
from seglab.trainers.loop import train
from seglab.trainers.observers import Observer, Progress, epoch_line


def weights(folder):
    return checkpoints.load_weights(folder)


def assert_same_weights(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


class StopAfter(Observer):
    """Ends a training from outside, as a kill after an epoch's checkpoint would."""

    def __init__(self, epochs):
        self.epochs = epochs

    def epoch(self, progress):
        if progress.epoch == self.epochs:
            raise KeyboardInterrupt


@pytest.fixture
def finished(tiny, tmp_path):
    folder = tmp_path / "finished"
    return tiny, folder, train(tiny, folder)


def test_a_run_leaves_a_complete_record(finished):
    experiment, folder, summary = finished
    assert runs.read_experiment(folder) == experiment
    assert json.loads((folder / "summary.json").read_text()) == json.loads(json.dumps(summary))
    history = runs.read_history(folder)
    assert list(history["epoch"]) == [1, 2, 3] and list(history["step"]) == [2, 4, 6]
    for split in ("val", "test"):
        confusion, classes = runs.read_confusion(folder, split)
        assert len(classes) == 19
        assert metrics.mean_iou(confusion) == summary["scores"][split]["mean_iou"]
    provenance = summary["provenance"]
    assert provenance["config_hash"] == config_hash(experiment)
    assert (provenance["precision"], provenance["memory_format"]) == ("fp32", "contiguous")
    assert provenance["threads"] == torch.get_num_threads()
    for clock in ("seconds", "cpu_seconds"):
        assert (history[clock] > 0).all()
        assert summary["time"][clock] == pytest.approx(history[clock].sum(), abs=0.06)
    # The last epoch is the selected one, so the history ends with the reported score.
    assert history["mean_iou"].iloc[-1] == pytest.approx(summary["scores"]["val"]["mean_iou"], rel=1e-5)


def test_a_run_repeats_bit_for_bit(finished, tmp_path):
    experiment, folder, _ = finished
    train(experiment, tmp_path / "again")
    assert_same_weights(weights(folder), weights(tmp_path / "again"))
    one, other = (runs.read_history(f).drop(columns=runs.CLOCKED) for f in (folder, tmp_path / "again"))
    assert one.equals(other)


@pytest.mark.parametrize("ema_decay", [None, 0.9])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_stopped_run_goes_on_to_the_same_weights(tiny, change, tmp_path, ema_decay, optimizer):
    experiment = change(change(tiny, "training", ema_decay=ema_decay), "optimizer", name=optimizer)
    train(experiment, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(experiment, tmp_path / "stopped", observers=[StopAfter(2)])
    assert not (tmp_path / "stopped" / "summary.json").exists()
    summary = train(experiment, tmp_path / "stopped", resume=True)
    assert_same_weights(weights(tmp_path / "whole"), weights(tmp_path / "stopped"))
    one, other = (runs.read_history(tmp_path / f).drop(columns=runs.CLOCKED) for f in ("whole", "stopped"))
    assert one.equals(other)
    assert summary["scores"] == runs.read_summary(tmp_path / "whole")["scores"]


def test_it_learns(tiny, change, tmp_path):
    experiment = change(change(tiny, "training", epochs=30, evaluate_every=30), "optimizer", lr=0.01)
    train(experiment, tmp_path / "run")
    counts = class_frequencies(create_dataset("street_scenes", "train", tiny.data.root)).pixels
    share = counts[counts > 0] / counts.sum()
    knows_only_how_common_classes_are = -(share * np.log(share)).sum()
    assert runs.read_history(tmp_path / "run")["loss"].iloc[-1] < 0.9 * knows_only_how_common_classes_are


def assert_close_weights(one, other):
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=0, atol=1e-5)


def test_accumulation_does_not_change_the_step(gentle, change, tmp_path):
    # Instance normalisation knows no batch, so the parts of a batch are independent.
    train(gentle, tmp_path / "whole")
    train(change(gentle, "training", accumulation=3), tmp_path / "parts")
    assert_close_weights(weights(tmp_path / "whole"), weights(tmp_path / "parts"))


def test_watching_does_not_change_the_run(tiny, change, tmp_path):
    class Watcher(Observer):
        def step(self, progress):
            progress.predict(np.full((64, 128, 3), 200, np.uint8))

    options = {**tiny.model.options, "norm": "batch"}
    experiment = change(change(tiny, "model", options=options), "training", ema_decay=0.9, evaluate_every=3)
    train(experiment, tmp_path / "alone")
    train(experiment, tmp_path / "watched", observers=[Watcher()])
    assert_same_weights(weights(tmp_path / "alone"), weights(tmp_path / "watched"))


def test_measuring_the_number_format_leaves_the_run_as_it_is(tiny, change, tmp_path, monkeypatch):
    monkeypatch.setenv("SEGLAB_CACHE", str(tmp_path / "cache"))  # nothing is remembered
    experiment = change(tiny, "training", epochs=1, memory_format="auto", ema_decay=0.9)
    formats = []
    step = Learner.step

    def watched(self, batch):
        formats.append(self.execution.memory_format)
        # Weights and optimizer are in the format that is measured.
        channels_last = [p.is_contiguous(memory_format=torch.channels_last) for p in self.model.parameters()
                         if p.ndim == 4 and min(p.shape[1:]) > 1]  # fmt: skip
        assert set(channels_last) == {self.execution.memory_format == "channels_last"}
        return step(self, batch)

    monkeypatch.setattr(Learner, "step", watched)
    summary = train(experiment, tmp_path / "run")
    assert formats[:8] == ["contiguous", "contiguous", "channels_last", "channels_last"] * 2
    monkeypatch.undo()
    chosen = summary["provenance"]["memory_format"]
    train(change(experiment, "training", memory_format=chosen), tmp_path / "fixed")
    assert_same_weights(weights(tmp_path / "run"), weights(tmp_path / "fixed"))


def test_resume_keeps_the_number_format_and_tells_changes(tiny, change, tmp_path, monkeypatch):
    said = []

    class Listener(Observer):
        def message(self, text):
            said.append(text)

    formats = iter(["channels_last", "contiguous"])
    monkeypatch.setattr(
        "seglab.trainers.loop.choose_execution", lambda device, *_: Execution(device, "fp32", next(formats))
    )
    experiment = change(tiny, "training", memory_format="auto")
    monkeypatch.setattr(runs, "code_revision", lambda: "one")
    with pytest.raises(KeyboardInterrupt):
        train(experiment, tmp_path / "run", observers=[StopAfter(1)])
    monkeypatch.setattr(runs, "code_revision", lambda: "another")
    with pytest.raises(KeyboardInterrupt):
        train(experiment, tmp_path / "run", resume=True, observers=[Listener(), StopAfter(2)])
    summary = train(experiment, tmp_path / "run", resume=True, observers=[Listener()])
    provenance = summary["provenance"]
    assert provenance["memory_format"] == "channels_last"
    assert provenance["resumed_at_steps"] == [2, 4]
    assert sum("another code revision" in text for text in said) == 1
    assert provenance["code_revision"] == "another"
    assert provenance["sittings"] == [{"until_step": 2, "code_revision": "one"}]


def test_a_damaged_checkpoint_leaves_room_for_two_good_ones(tiny, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(tiny, tmp_path / "run", observers=[StopAfter(1)])
    kept = tmp_path / "run" / "checkpoints"
    damaged = kept / f"step-00000099-{'0' * 16}.pt"
    damaged.write_bytes(b"later than all that the training writes from now on")
    train(tiny, tmp_path / "run", resume=True)
    assert not damaged.exists()
    assert sorted(path.name[:13] for path in kept.glob("step-*")) == ["step-00000005", "step-00000006"]


def test_the_best_epoch_is_one_of_the_head_that_is_kept(tiny, change):
    phases = PhaseConfig("encoder", 2, head="aux"), PhaseConfig("decoder", 2)
    experiment = replace(change(tiny, "training", epochs=4), phases=phases)
    history = [{"epoch": n, "mean_iou": score} for n, score in ((1, 0.9), (2, 0.8), (3, None), (4, 0.1))]
    assert record.best_epoch(experiment, history[:3]) == 0
    assert record.best_epoch(experiment, history) == 4
    assert record.best_epoch(change(tiny, "training", epochs=4), history) == 1


def test_an_epoch_without_a_finite_step_has_a_line(tiny):
    row = {"loss": None, "mean_iou": None, "seconds": 1.0, "images_per_second": 2.0}
    progress = Progress(tiny, Path("run"), CITYSCAPES, steps_per_epoch=2, epoch=1, history=[row])
    assert "loss none was finite" in epoch_line(progress)


def test_best_weights_are_those_of_the_best_epoch(tiny, change, tmp_path):
    experiment = change(tiny, "training", select="best", epochs=4)
    summary = train(experiment, tmp_path / "run")
    history = runs.read_history(tmp_path / "run")
    best = history["mean_iou"].max()
    assert summary["scores"]["val"]["mean_iou"] == pytest.approx(best, rel=1e-5)
    # Of equally good epochs the last one is kept.
    assert summary["selected_epoch"] == history.loc[history["mean_iou"] == best, "epoch"].max()
    confusion = evaluate(tmp_path / "run").confusion
    np.testing.assert_array_equal(confusion, runs.read_confusion(tmp_path / "run", "val")[0])


def test_evaluation_can_be_rarer_than_epochs(tiny, change, tmp_path):
    train(change(tiny, "training", evaluate_every=2), tmp_path / "run")
    assert list(runs.read_history(tmp_path / "run")["mean_iou"].notna()) == [False, True, True]


def test_nan_stops_the_run_and_keeps_the_last_good_checkpoint(tiny, change, tmp_path):
    # The first step makes the weights so large that no later loss is a number.
    experiment = change(change(tiny, "training", max_bad_steps=3, batch_size=1), "optimizer", lr=1e30)
    with pytest.raises(DivergedError, match=r"3 steps in a row, the last loss nan at step 4, in epoch 1"):
        train(experiment, tmp_path / "run")
    state, _ = checkpoints.load_newest(tmp_path / "run" / "checkpoints")
    assert state["steps"] == 1 and all(w.isfinite().all() for w in state["weights"].values())


def test_existing_folder_is_refused_untouched(finished):
    experiment, folder, _ = finished
    before = {path: path.read_bytes() for path in folder.glob("*.*")}
    with pytest.raises(RunError, match=r"exists already.*--out.*--resume"):
        train(experiment, folder)
    assert {path: path.read_bytes() for path in folder.glob("*.*")} == before


def test_resume_refuses_what_it_cannot_continue(finished, change, tmp_path):
    experiment, folder, _ = finished
    with pytest.raises(RunError, match="has ended"):
        train(experiment, folder, resume=True)
    with pytest.raises(RunError, match="another experiment"):
        train(change(experiment, "training", epochs=9), folder, resume=True)
    with pytest.raises(RunError, match=r"config\.yaml is missing"):
        train(experiment, tmp_path / "nowhere", resume=True)


@pytest.mark.parametrize(
    ("section", "fields", "error", "reason"),
    [
        ("data", {"root": "/nowhere"}, DataError, "/nowhere"),
        ("data", {"name": "camvit"}, ConfigError, "did you mean camvid"),
        ("data", {"report_splits": ("tset",)}, ConfigError, "tset"),
        ("model", {"name": "minihrnet"}, ConfigError, "minihrnet"),
        ("model", {"options": {"norm": "layer"}}, ConfigError, "norm"),
        ("training", {"batch_size": 64}, ConfigError, r"training\.batch_size"),
        ("training", {"precision": "fp16"}, ConfigError, r"training\.precision"),
    ],
)
def test_nothing_is_written_when_the_experiment_cannot_run(
    tiny, change, tmp_path, section, fields, error, reason
):
    with pytest.raises(error, match=reason):
        train(change(tiny, section, **fields), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_nothing_is_written_when_tensorboard_is_missing(tiny, change, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigError, match=r"training\.tensorboard: the package is not installed"):
        train(change(tiny, "training", tensorboard=True), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_tensorboard_events_hold_the_history(tiny, change, tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    train(change(tiny, "training", tensorboard=True), tmp_path / "run")
    events = accumulator.EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    history = runs.read_history(tmp_path / "run")
    assert [e.value for e in events.Scalars("loss")] == pytest.approx(list(history["loss"]), rel=1e-5)
