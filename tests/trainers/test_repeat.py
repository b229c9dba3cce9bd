"""A run is trained once more and compared: what is the same is said to be, and what is not is named."""

import json
import re
import signal

import numpy as np
import pytest

from seglab import cli, repeats, runs
from seglab.errors import ConfigError, RunError
from seglab.trainers.interruption import Interrupted
from seglab.trainers.loop import train
from seglab.trainers.observers import Observer
from seglab.trainers.repeat import repeat


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The current folder, which is no checkout: `runs/repeats` is made in it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(tiny, home):
    train(tiny, home / "run")
    return home / "run"


def test_a_run_repeats_and_says_so(run, home, capsys):
    assert cli.main(["repeat", str(run)]) == 0
    assert capsys.readouterr().out == "history: same\nconfusion matrices: same\nweights: same\n"
    record = repeats.read(run)
    assert record.same
    assert record.provenance["config_hash"] == runs.read_summary(run)["provenance"]["config_hash"]
    assert list((home / "runs" / "repeats" / "tests").iterdir()) == []
    assert cli.main(["repeat", str(run)]) == 0  # as often as one likes


def edit_history(run):
    text = (run / "history.csv").read_text().splitlines()
    cells = text[2].split(",")  # the second epoch's
    column = text[0].split(",").index("loss")
    cells[column] = "9.5"
    (run / "history.csv").write_text("\n".join([*text[:2], ",".join(cells), *text[3:]]) + "\n")


def edit_counts(run):
    images = runs.read_images(run, "test")
    counts = images.counts.copy()
    true, predicted = np.argwhere(counts[0] > 1)[0]
    counts[0, true, predicted] -= 1
    counts[0, true, (predicted + 1) % counts.shape[2]] += 1
    runs.write_images(run, "test", runs.ImageCounts(images.names, counts))


def gain_a_pixel(run):
    images = runs.read_images(run, "test")
    counts = images.counts.copy()
    counts.ravel()[counts.argmax()] += 1
    runs.write_images(run, "test", runs.ImageCounts(images.names, counts))


def edit_weights(run):
    content = bytearray((run / runs.WEIGHTS).read_bytes())
    content[-1] ^= 1
    (run / runs.WEIGHTS).write_bytes(content)


@pytest.mark.parametrize(
    "edit, what, outcome",
    [
        (edit_history, "history", r"other from epoch 2 on: loss 9\.5 and \d\.\d+"),
        (edit_counts, "confusion matrices", r"test: 1 of 16,384 pixels counted otherwise"),
        (gain_a_pixel, "confusion matrices", r"test: 1 of 16,385 pixels counted otherwise"),
        (edit_weights, "weights", "other bytes"),
    ],
)
def test_a_difference_is_named_recorded_and_kept_to_look_at(run, home, capsys, edit, what, outcome):
    edit(run)
    assert cli.main(["repeat", str(run)]) == RunError.exit_code
    said = capsys.readouterr()
    assert "does not repeat; the second training is " in said.err
    found = repeats.read(run)
    assert not found.same
    assert [name for name, said in found.compared.items() if said != "same"] == [what]
    assert re.fullmatch(outcome, found.compared[what])
    (again,) = (home / "runs" / "repeats" / "tests").iterdir()
    made = (again / "summary.json").read_bytes()
    assert repeat(run)[0] == found  # what has ended is not trained again
    assert (again / "summary.json").read_bytes() == made


def test_what_changed_since_then_is_named(run, capsys):
    edit_weights(run)
    summary = runs.read_summary(run)
    summary["provenance"] |= {"threads": 7, "processor": "an abacus"}
    (run / "summary.json").write_text(json.dumps(summary))
    assert cli.main(["repeat", str(run)]) == RunError.exit_code
    assert "; what differs from then: processor, threads;" in capsys.readouterr().err


def test_what_changed_while_the_first_training_was_stopped_is_named(run, capsys):
    edit_weights(run)
    summary = runs.read_summary(run)
    threads = summary["provenance"]["threads"]
    sittings = [{"until_step": 2, "threads": 7}, {"until_step": 4, "threads": threads}]
    summary["provenance"] |= {"resumed_at_steps": [2, 4], "sittings": sittings}
    (run / "summary.json").write_text(json.dumps(summary))
    assert cli.main(["repeat", str(run)]) == RunError.exit_code
    assert "; what differs from then: threads up to step 2;" in capsys.readouterr().err


def test_a_stopped_repeat_goes_on(run, home):
    class Stop(Observer):
        def step(self, progress):
            if progress.step == 3:
                signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Interrupted, match=f"to go on: seglab repeat {run}") as stopped:
        repeat(run, [Stop()])
    assert stopped.value.exit_code == 143 and repeats.read(run) is None
    found, *_ = repeat(run)
    assert found.same and found.provenance["resumed_at_steps"] == [3]


def test_old_runs_are_compared_by_what_they_kept(run):
    """They have the sums of the confusion matrices alone, no weights, and no processor times."""
    for split in ("val", "test"):
        (run / f"images_{split}.npz").unlink()
    (run / runs.WEIGHTS).unlink()
    history = runs.read_history(run).drop(columns="cpu_seconds")
    history.to_csv(run / "history.csv", index=False)
    found, *_ = repeat(run)
    assert found.same and set(found.compared) == {"history", "confusion matrices"}


def test_refusals(run, home, tiny, change, monkeypatch):
    with pytest.raises(RunError, match=r"nothing: this run has not ended"):
        repeat(home / "nothing")
    other = change(tiny, "optimizer", lr=0.5)
    train(other, home / "other")
    with pytest.raises(RunError, match="of another experiment"):
        repeats.compare(run, home / "other")
    (run / "repeated.json").write_text("{}")
    with pytest.raises(RunError, match=r"repeated\.json: damaged; `seglab repeat"):
        repeats.read(run)
    (run / "confusion_val.csv").unlink()
    (run / "images_val.npz").unlink()
    with pytest.raises(RunError, match="not evaluated on the split 'val'"):
        repeat(run)  # before anything is trained
    assert not (home / "runs").exists()
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="several processes"):
        repeat(run)
