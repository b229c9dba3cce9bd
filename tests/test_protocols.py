"""Scores that were not reached on the same data are not set side by side."""

import json
from dataclasses import replace

import pytest

from seglab import runs
from seglab.config import DataConfig, Experiment, PhaseConfig
from seglab.errors import RunError


@pytest.fixture
def finished(tmp_path):
    """Makes the record of a run on CamVid."""

    def finished(name, digests, /, **data):
        experiment = Experiment("study", name, "full", data=replace(DataConfig("camvid"), **data))
        folder = runs.create(tmp_path / name, experiment)
        runs.write_summary(folder, {"provenance": {"data_digests": digests}})
        return folder

    return finished


DIGESTS = {"train": "aa", "val": "bb", "test": "cc"}


def test_equal_protocols_are_compared(finished):
    first, second = (finished(name, DIGESTS) for name in ("one", "two"))
    later = finished("three", {"train": "aa"})  # scored on test when it had ended
    for other in (second, later):
        runs.check_same_protocol(first, other, "test")
    evaluation = second / "evaluations" / "test-flip"
    evaluation.mkdir(parents=True)
    (evaluation / "summary.json").write_text(json.dumps({}))
    runs.check_same_protocol(first, evaluation, "test")


@pytest.mark.parametrize(
    ("digests", "data", "what"),
    [
        ({**DIGESTS, "trainval": "dd"}, {"train_split": "trainval"}, "training split is trainval"),
        ({**DIGESTS, "train": "xx"}, {}, "digest of train is xx"),
        ({**DIGESTS, "test": "xx"}, {}, "digest of test is xx"),
        (DIGESTS, {"name": "cityscapes"}, "data set is cityscapes"),
    ],
)
def test_other_protocols_are_refused(finished, digests, data, what):
    first, second = finished("one", DIGESTS), finished("two", digests, **data)
    with pytest.raises(RunError, match=what):
        runs.check_same_protocol(first, second, "test")
    if "test is" in what:
        runs.check_same_protocol(first, second, "val")


def test_a_phase_with_another_split_is_another_protocol(finished, tmp_path):
    """As where one phase of a training draws its pictures anew."""
    first = finished("one", DIGESTS)
    phases = (PhaseConfig("low", 20, train_split="redrawn"), PhaseConfig("full", 30))
    leak = runs.create(tmp_path / "leak", replace(runs.read_experiment(first), phases=phases))
    runs.write_summary(leak, {"provenance": {"data_digests": {**DIGESTS, "redrawn": "dd"}}})
    with pytest.raises(RunError, match=r"training split is redrawn and train, that of .* is train;"):
        runs.check_same_protocol(first, leak, "test")
    runs.check_same_protocol(leak, leak, "test")


def test_a_run_without_digests_of_its_splits_is_compared_by_names(tmp_path):
    """As the first committed runs are, which recorded one digest over all splits."""
    folders = []
    for seed in (0, 1):
        folder = runs.create(tmp_path / f"seed{seed}", replace(Experiment("s", "network"), seed=seed))
        runs.write_summary(folder, {"provenance": {"data_digest": f"{seed}"}})
        folders.append(folder)
    runs.check_same_protocol(*folders, "test")
    other = runs.create(tmp_path / "other", replace(Experiment("s", "network"), data=DataConfig("camvid")))
    runs.write_summary(other, {"provenance": {"data_digest": "0"}})
    with pytest.raises(RunError, match="data set is camvid"):
        runs.check_same_protocol(folders[0], other, "test")
