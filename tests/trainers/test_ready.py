"""A trained network is taken where there is one, and made once where there is none."""

import shutil

import pytest

from seglab import runs
from seglab.checkpoints import WEIGHTS
from seglab.trainers.ready import ready_run, runs_with_weights, trained_once


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEGLAB_RUN", raising=False)
    return tmp_path


def test_is_trained_once(workspace, tiny, change):
    experiment = change(tiny, "training", epochs=1)
    folder = trained_once(experiment)
    assert folder.is_relative_to(workspace / "runs")
    summary = (folder / "summary.json").read_bytes()
    assert trained_once(experiment) == folder
    assert (folder / "summary.json").read_bytes() == summary
    assert trained_once(change(tiny, "training", epochs=2)) != folder

    (folder / "summary.json").unlink()  # as after an interruption
    assert runs.read_summary(trained_once(experiment))["scores"]

    # a run of the study goes before one that is trained here, the wanted network's before another's
    for name in ("another", "wanted"):
        shutil.copytree(folder, workspace / "results" / "street_scenes" / name / "seed0")
        config = workspace / "results" / "street_scenes" / name / "seed0" / "config.yaml"
        config.write_text(config.read_text().replace("name: tiny", f"name: {name}"))
    another, wanted = runs_with_weights("street_scenes")
    assert ready_run("street_scenes", "wanted") == wanted
    (wanted / WEIGHTS).unlink()
    assert ready_run("street_scenes", "wanted") == another


def test_the_variable_names_another_run(workspace, monkeypatch):
    (workspace / "seglab" / "runs").mkdir(parents=True)
    (workspace / "seglab" / "runs" / "__init__.py").touch()
    (workspace / "notebooks").mkdir()
    monkeypatch.chdir(workspace / "notebooks")  # as where a notebook runs
    for path in ("runs/mine", workspace / "runs" / "mine"):
        monkeypatch.setenv("SEGLAB_RUN", str(path))
        assert ready_run() == workspace / "runs" / "mine"
