"""Run folders: written once, read back, read as one table."""

import math
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

import seglab
from seglab import runs
from seglab.config import Experiment
from seglab.errors import RunError

EXPERIMENT = Experiment("study", "name", seed=3)


def test_a_folder_is_made_once(tmp_path):
    folder = runs.create(tmp_path / "a" / "run", EXPERIMENT)
    assert runs.read_experiment(folder) == EXPERIMENT
    with pytest.raises(RunError, match="never overwritten"):
        runs.create(folder, Experiment("other", "name"))
    assert runs.read_experiment(folder) == EXPERIMENT


def test_quick_runs_never_land_in_results(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert runs.default_folder(EXPERIMENT) == tmp_path / "results" / "study" / "name" / "seed3"
    quick = Experiment("study", "name", "quick")
    assert runs.default_folder(quick) == tmp_path / "runs" / "quick" / "study" / "name" / "seed0"


def test_quick_runs_are_refused_below_results(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    quick = Experiment("study", "name", "quick")
    for place in ("results/mine", tmp_path / "results", "runs/../results/mine"):
        with pytest.raises(RunError, match="quick runs never enter"):
            runs.check_folder(Path(place), quick, resume=False)
        runs.check_folder(Path(place), EXPERIMENT, resume=False)
    runs.check_folder(Path("runs/results/mine"), quick, resume=False)


def test_workspace_is_the_checkout_around_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "seglab" / "runs").mkdir(parents=True)
    (tmp_path / "seglab" / "runs" / "__init__.py").touch()
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert runs.workspace() == tmp_path


def test_the_revision_is_that_of_this_code(tmp_path, monkeypatch):
    def git(*arguments):
        who = ["-c", "user.name=n", "-c", "user.email=e@x"]
        done = subprocess.run(["git", "-C", str(tmp_path), *who, *arguments], capture_output=True, check=True)
        return done.stdout.decode().strip()

    package = tmp_path / "env" / "seglab"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    monkeypatch.setattr(seglab, "__file__", str(package / "__init__.py"))
    (tmp_path / "thesis.txt").write_text("somebody's own")
    git("init", "-q")
    git("add", "thesis.txt")
    git("commit", "-qm", "theirs")
    assert runs.code_revision() == "unknown"
    git("add", "env")
    git("commit", "-qm", "a checkout")
    assert runs.code_revision() == git("rev-parse", "--short=12", "HEAD")
    (package / "__init__.py").write_text("edited")
    assert runs.code_revision().endswith("+changes")


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", "3", "[1]"])
def test_a_damaged_summary_is_named(tmp_path, text):
    (tmp_path / "summary.json").write_text(text)
    with pytest.raises(RunError, match=r"summary\.json: damaged"):
        runs.read_summary(tmp_path)


def test_numbered_folder_skips_what_exists(tmp_path):
    assert runs.numbered_folder(tmp_path) == tmp_path / "run01"
    (tmp_path / "run01").mkdir()
    assert runs.numbered_folder(tmp_path) == tmp_path / "run02"


def test_history_and_confusion_round_trip(tmp_path):
    rows = [{"epoch": 1, "loss": 0.123456789, "mean_iou": None}, {"epoch": 2, "loss": 0.1, "mean_iou": 0.5}]
    runs.write_history(tmp_path, rows)
    assert (tmp_path / "history.csv").read_text() == "epoch,loss,mean_iou\n1,0.123457,\n2,0.1,0.5\n"
    history = runs.read_history(tmp_path)
    assert list(history["epoch"]) == [1, 2] and math.isnan(history["mean_iou"][0])

    confusion = np.array([[2**40, 1], [0, 7]])
    names = ("traffic light", 'b, or "not b"')
    runs.write_confusion(tmp_path, "val", confusion, names)
    found, classes = runs.read_confusion(tmp_path, "val")
    np.testing.assert_array_equal(found, confusion)
    assert classes == names
    assert runs.splits(tmp_path) == ["val"]


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,2\n", "a,b\n1,2\n3,x\n", "a,b\n1,2\n3,-4\n", f"a,b\n1,2\n3,{2**70}\n", "", "a,b\n1,2\n3\n"
    ],
)  # fmt: skip
def test_damaged_confusion_is_named(tmp_path, text):
    (tmp_path / "confusion_val.csv").write_text(text)
    with pytest.raises(RunError, match=r"confusion_val\.csv: not a square matrix"):
        runs.read_confusion(tmp_path, "val")


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(RunError, match="not evaluated on the split 'test'"):
        runs.read_confusion(tmp_path, "test")
    with pytest.raises(RunError, match="has not ended"):
        runs.read_summary(tmp_path)
    with pytest.raises(RunError, match=r"config\.yaml is missing"):
        runs.read_experiment(tmp_path)


def test_failed_write_leaves_the_old_file_and_no_rest(tmp_path, monkeypatch):
    path = tmp_path / "file.txt"
    runs.write_text(path, "old")

    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        runs.write_text(path, "new")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_load_reads_finished_runs_as_one_table(tmp_path):
    for seed, score in ((0, 0.25), (1, 0.5)):
        folder = runs.create(tmp_path / "study" / f"seed{seed}", Experiment("study", "name", seed=seed))
        runs.write_summary(folder, {"scores": {"val": {"mean_iou": score}}, "best_epoch": 9})
    runs.create(tmp_path / "study" / "running", EXPERIMENT)  # no summary yet
    table = runs.load(tmp_path)
    assert list(table["seed"]) == [0, 1]
    assert list(table["scores.val.mean_iou"]) == [0.25, 0.5]
    assert list(table["best_epoch"]) == [9, 9]
    assert set(table["model"]) == {"minihrnet_a3"}
    assert runs.load(tmp_path / "nothing").empty


@pytest.mark.parametrize(
    ("provenance", "expected"),
    [
        ({"device": "cpu"}, False),
        ({"device": "Some GPU"}, True),
        ({"device": "cpu", "sittings": [{"until_step": 9, "device": "Some GPU"}]}, True),
        ({"device": "cpu", "sittings": [{"until_step": 9, "versions": {}}]}, False),
        ({"device": "unknown"}, False),  # imported
        ({}, False),
    ],
)
def test_a_run_is_of_a_gpu_if_any_part_of_it_is(tmp_path, provenance, expected):
    runs.write_summary(runs.create(tmp_path / "run", EXPERIMENT), {"provenance": provenance})
    assert runs.load(tmp_path)["on_gpu"].tolist() == [expected]
