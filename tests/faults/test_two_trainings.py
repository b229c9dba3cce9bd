"""Fault F17: two trainings in one folder."""

import fcntl

import pytest

from seglab import checkpoints
from seglab.trainers.loop import train

from .harness import (
    difference,
    experiment,
    go,
    kill,
    outcome,
    reference,
    run,
    start,
    survivors,
    wait,
    wait_until,
)

BUSY = 5


@pytest.fixture(scope="module")
def short(scenes12):
    return experiment(scenes12, epochs=4)


@pytest.fixture(scope="module")
def expected(short, tmp_path_factory):
    return reference(short, tmp_path_factory.mktemp("reference") / "run")


def begin(experiment, folder):
    train(experiment, folder)


def resume(experiment, folder):
    train(experiment, folder, resume=True)


def has_saved(folder) -> bool:
    return checkpoints.exist(folder / "checkpoints")


def test_f17_of_two_that_begin_one_trains(faults, short, expected, tmp_path):
    def one_trains(case):
        folder = tmp_path / f"begin{case}"
        processes = [start(begin, short, folder) for _ in range(2)]
        codes = sorted(wait(process) for process in processes)
        if codes != [0, BUSY]:
            return f"exits {codes}"
        return difference(expected, outcome(folder))

    survivors(faults, "F17", one_trains, [(case,) for case in range(faults.count(2, 20))], at_once=1)


def test_f17_the_lock_goes_with_its_holder(faults, short, expected, tmp_path):
    def passed_on(case):
        folder = tmp_path / f"holder{case}"
        holder = start(begin, short, folder)
        if not wait_until(lambda: has_saved(folder)):
            return "did not begin"
        while_held = run(resume, short, folder)
        kill(holder)
        if while_held != BUSY or (code := run(go, short, folder)) != 0:
            return f"exit {while_held} beside the holder, {code} after it"
        return difference(expected, outcome(folder))

    survivors(faults, "F17", passed_on, [(case,) for case in range(faults.count(2, 20))], at_once=1)


def without_lock(function, *arguments):
    """As on a file system that ignores locks."""
    fcntl.flock = lambda *_: None
    function(*arguments)


def test_f17_without_locks_no_checkpoint_is_damaged(faults, short, expected, tmp_path):
    def undamaged(case):
        folder = tmp_path / f"unlocked{case}"
        first = start(without_lock, begin, short, folder)
        if not wait_until(lambda: has_saved(folder)):
            return "did not begin"
        second = start(without_lock, resume, short, folder)
        codes = [wait(first), wait(second)]
        # Each may find that the other has removed its files, or has ended.
        if not set(codes) <= {0, 4, BUSY, 7}:
            return f"exits {codes}"
        if checkpoints.load_newest(folder / "checkpoints")[1]:
            return "damaged"
        if (code := run(go, short, folder)) != 0:
            return f"exits {codes}, then {code}"
        return difference(expected, outcome(folder))

    survivors(faults, "F17", undamaged, [(case,) for case in range(faults.count(2, 20))], at_once=1)
