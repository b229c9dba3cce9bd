"""Faults F1 to F4: a training is killed or failed by the disk at any instant, and ends as if undisturbed.

Power loss cannot be injected without a disk of one's own. What speaks for it is the order in which a file is
written, flushed to the disk, renamed, and the rename flushed, which is asserted here.
"""

import errno
import os
import resource
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from seglab import checkpoints, runs
from seglab.runs import disk
from seglab.trainers.loop import train
from seglab.trainers.observers import Observer

from .harness import (
    STEPS_PER_EPOCH,
    difference,
    exit_code,
    experiment,
    go,
    kill,
    outcome,
    reference,
    run,
    start,
    survivors,
)

PARTS = 4  # of a write, between which something can happen


class Disk:
    """Every operation on the disk by which seglab writes, with something happening before one of them.

    Args:
        action: What happens.
        at: Before which operation, counted from 0.
        log: File that gets one line per operation.
    """

    def __init__(self, action=None, at: int = -1, log: Path | None = None) -> None:
        self.action, self.at, self.log, self.done = action, at, log, 0
        self.open = open

    def install(self) -> None:
        os.fsync = self._before("fsync", os.fsync)
        os.replace = self._before("replace", os.replace)
        os.unlink = self._before("unlink", os.unlink)
        os.mkdir = self._before("mkdir", os.mkdir)
        os.rename = self._before("rename", os.rename)
        os.open = self._before("open folder", os.open)
        disk.open = self._opened  # in place of the built-in

    def _happen(self, operation: str) -> None:
        if self.log is not None:
            with self.open(self.log, "a", encoding="utf-8") as file:
                file.write(f"{operation}\n")
        self.done += 1
        if self.done - 1 == self.at:
            self.action()

    def _before(self, operation, function):
        def wrapped(*arguments, **options):
            self._happen(operation)
            return function(*arguments, **options)

        return wrapped

    @contextmanager
    def _opened(self, path, mode="r", **options):
        if mode != "wb":
            with self.open(path, mode, **options) as file:
                yield file
            return
        self._happen("open")
        with self.open(path, mode, buffering=0) as file:
            yield _Parts(file, self._happen)


class _Parts:
    """A file that is written in parts."""

    def __init__(self, file, happen) -> None:
        self._file, self._happen = file, happen

    def write(self, content) -> None:
        content = memoryview(content)
        for part in range(PARTS):
            self._happen("write")
            self._file.write(content[part * len(content) // PARTS : (part + 1) * len(content) // PARTS])

    def flush(self) -> None:
        self._happen("flush")

    def fileno(self) -> int:
        return self._file.fileno()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def go_with_disk(experiment, folder, action, at, log=None):
    disk = Disk(action, at, log)
    disk.install()
    go(experiment, folder)


# Nothing can be written without these; others may fail to no effect, such as making a folder that is there.
NEEDED = ("open", "write", "flush", "fsync", "replace", "rename")
# What one file takes; the folder is opened to flush the rename.
WRITTEN = ["open", *["write"] * PARTS, "flush", "fsync", "replace", "unlink", "open folder", "fsync"]


@pytest.fixture(scope="module")
def brief(scenes12, tmp_path_factory):
    """Three steps and three saves: experiment, outcome, and every operation on the disk from start to end."""
    folder = tmp_path_factory.mktemp("brief")
    short = experiment(scenes12, epochs=1, batch_size=4)
    reference(short, folder / "first")  # decodes the pictures
    assert run(go_with_disk, short, folder / "run", None, -1, folder / "log") == 0
    return short, outcome(folder / "run"), (folder / "log").read_text().split("\n")[:-1]


def test_a_file_is_on_the_disk_before_its_name_is(brief):
    operations = brief[2]
    start = 0
    written = 0
    while "open" in operations[start:]:
        start = operations.index("open", start)
        assert operations[start : start + len(WRITTEN)] == WRITTEN
        start += len(WRITTEN)
        written += 1
    # config.yaml, 3 + 1 checkpoints, history, weights, confusion matrix, single pictures, summary
    assert written == 10


def points(operations: list[str], every: int) -> range:
    return range(0, len(operations), every)


def test_f1_killed_at_every_operation_on_the_disk(faults, brief, tmp_path):
    short, expected, operations = brief

    def killed_and_resumed(at):
        folder = tmp_path / f"{at}"
        if run(go_with_disk, short, folder, die, at) != -signal.SIGKILL:
            return "not killed"
        saved = [name for name in map(str, folder.glob("checkpoints/step-*"))]
        if saved:
            state, damaged = checkpoints.load_newest(folder / "checkpoints")
            # A file that has its name is whole, so the newest one is loaded.
            if damaged or state["steps"] != max(int(name.split("step-")[1][:8]) for name in saved):
                return f"damaged: {damaged}"
        if (code := run(go, short, folder)) != 0:
            return f"exit {code} on resuming"
        return difference(expected, outcome(folder))

    every = faults.count(10, 1)
    survivors(faults, "F1", killed_and_resumed, [(at,) for at in points(operations, every)])


def full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def broken() -> None:
    raise OSError(errno.EIO, "Input/output error")


def go_with_limit(experiment, folder, limit_bytes):
    """As `go`, where no file may be longer (EFBIG)."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, before[1]))
    try:
        go(experiment, folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_f2_disk_full_or_broken_at_every_operation(faults, brief, tmp_path):
    short, expected, operations = brief
    every = faults.count(25, 1)

    def failed_and_resumed(function, *arguments):
        folder = tmp_path / "-".join([getattr(one, "__name__", str(one)) for one in arguments])
        log = folder.with_suffix(".log")
        code = run(function, short, folder, *arguments, log=log)
        if code == 0 and function is go_with_disk and operations[arguments[1]] not in NEEDED:
            return difference(expected, outcome(folder))
        if code != 4:
            return f"exit {code}"
        said = log.read_text(encoding="utf-8")
        if str(folder) not in said.replace(f".{folder.name}.", folder.name) or "\n" in said:
            return f"said {said!r}"
        # What failed in removing a temporary file leaves it; a resumed run removes it.
        if folder.exists():
            saved = list(folder.glob("checkpoints/step-*"))
            if saved and checkpoints.load_newest(folder / "checkpoints")[1]:
                return "damaged"
        if (code := run(go, short, folder)) != 0:
            return f"exit {code} on resuming"
        return difference(expected, outcome(folder))

    cases = [(go_with_disk, action, at) for action in (full, broken) for at in points(operations, every)]
    sizes = sorted(path.stat().st_size for path in _files_of(tmp_path / "sizes", short))
    limits = sorted({size - 1 for size in sizes} | {size // 2 for size in sizes})
    cases += [(go_with_limit, limit) for limit in limits[:: faults.count(8, 1)]]
    survivors(faults, "F2", failed_and_resumed, cases)


def _files_of(folder: Path, experiment) -> list[Path]:
    assert run(go, experiment, folder) == 0
    return [path for path in folder.rglob("*") if path.is_file() and path.stat().st_size > 0]


# --------------------------------------------------------------------------------- F3: random instants


@pytest.mark.parametrize("phases", [False, True])
def test_f3_killed_at_random_instants(faults, scenes12, tmp_path, phases):
    whole = experiment(scenes12, phases=phases)
    began = time.monotonic()
    expected = reference(whole, tmp_path / "reference")
    span = time.monotonic() - began

    def killed_often(seed):
        """Kills a run again and again until it has ended; answers the number of kills, and what is wrong."""
        rng = np.random.default_rng(seed)
        folder, kills = tmp_path / str(seed), 0
        while True:
            process = start(go, whole, folder)
            exit_code(process, rng.uniform(0, span))
            code = kill(process)
            if code == -signal.SIGKILL:
                kills += 1
            elif code == 0:
                return kills, difference(expected, outcome(folder))
            else:
                return kills, f"exit {code}"

    wanted, seed, injected, survived, failures = faults.count(2, 100), 0, 0, 0, []
    while injected < wanted:
        with ThreadPoolExecutor(2) as pool:
            for kills, wrong in pool.map(killed_often, seeds := range(seed, seed + 2)):
                injected += kills
                survived += 0 if wrong else kills
                if wrong:
                    failures.append(f"F3: killed_often, seeds {seeds}, phases {phases}: {wrong}")
        seed += 2
    faults.record("F3", injected, survived)
    assert not failures, "\n".join(failures)


# ------------------------------------------------------------------------------------ F4: planned stops


class StopAt(Observer):
    """Sends this process the signal that a scheduler sends, after certain steps."""

    def __init__(self, steps) -> None:
        self.steps = steps

    def step(self, progress):
        if progress.step in self.steps:
            os.kill(os.getpid(), signal.SIGTERM)


def go_with_stops(experiment, folder, steps):
    for _ in steps:
        try:
            train(experiment, folder, resume=folder.exists(), observers=[StopAt(steps)])
        except KeyboardInterrupt:
            continue
        return 1  # it did not stop
    train(experiment, folder, resume=True)
    return 0


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_f4_stopped_after_every_step(faults, scenes12, tmp_path, workers, precision):
    epochs = faults.count(2, 10)
    whole = experiment(scenes12, epochs=epochs, workers=workers, precision=precision)
    expected = reference(whole, tmp_path / "reference")

    def stopped_and_resumed(*steps):
        folder = tmp_path / str(steps[0])
        if (code := run(go_with_stops, whole, folder, steps)) != 0:
            return f"exit {code}"
        resumed = runs.read_summary(folder)["provenance"]["resumed_at_steps"]
        if resumed != list(steps):
            return f"resumed at {resumed}"
        return difference(expected, outcome(folder))

    steps = epochs * STEPS_PER_EPOCH
    every = steps // 3
    cases = [tuple(range(first, steps, every)) for first in range(1, every + 1, faults.count(4, 1))]
    survivors(faults, "F4", stopped_and_resumed, cases, at_once=4)  # loader processes wait for each other
    # Each run was stopped several times.
    faults.record("F4", *[sum(map(len, cases)) - len(cases)] * 2)
