"""Where runs lie, and who may work in a folder: it is made once and never overwritten."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from seglab.config import Experiment, config_hash, read_yaml, to_yaml
from seglab.errors import DiskError, RunError
from seglab.runs.disk import not_written, sync_folder, write_text


def workspace() -> Path:
    """The folder of `results/` and `runs/`: the checkout around the current folder, or that folder itself."""
    here = Path.cwd()
    return next((f for f in (here, *here.parents) if (f / "seglab" / "runs" / "__init__.py").is_file()), here)


def default_folder(experiment: Experiment) -> Path:
    """Where a run belongs: `results/<study>/<name>/seed<k>`, and below `runs/quick/` for quick runs.

    A quick run can thus never be taken for a result of the study.
    """
    top = Path("runs", "quick") if experiment.profile == "quick" else Path("results")
    return workspace() / top / experiment.study / experiment.name / f"seed{experiment.seed}"


def check_folder(folder: Path, experiment: Experiment, resume: bool) -> None:
    """Refuses a folder before any work is done.

    Raises:
        RunError: If a new run's folder exists, or a quick run would lie among the results; or if one that is
            to be resumed is missing, has ended, or is of another experiment.
    """
    if not resume:
        results = workspace() / "results"
        if experiment.profile == "quick" and folder.resolve().is_relative_to(results.resolve()):
            raise RunError(
                f"{folder}: quick runs never enter {results}; allowed are another folder (--out), and "
                "--profile laptop or full"
            )
        if folder.exists():
            raise _exists(folder)
        return
    if config_hash(read_experiment(folder)) != config_hash(experiment):
        raise RunError(f"{folder}: its config.yaml is of another experiment; resume it without overrides")
    if (folder / "summary.json").exists():
        raise RunError(f"{folder}: this run has ended; there is nothing to resume")


def _exists(folder: Path) -> RunError:
    return RunError(
        f"{folder}: this run exists already, and runs are never overwritten; allowed are another folder "
        "(--out), another --seed or name=, or --resume"
    )


@contextmanager
def claimed(folder: Path, experiment: Experiment, resume: bool) -> Iterator[None]:
    """Makes a new run's folder, or takes an existing one, and keeps every other training out of it.

    The system drops the lock when the process ends, in whatever way. What a killed process was writing is
    removed.

    Raises:
        RunError: If a new run's folder exists, or another process has the folder.
        DiskError: If the folder cannot be written.
    """
    if not resume:
        create(folder, experiment)
    saved = folder / "checkpoints"
    lock = FileLock(saved / ".lock")
    try:
        saved.mkdir(exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise RunError(f"{folder}: another training is at work in it; wait for its end") from None
    except OSError as error:
        raise not_written(saved, error) from None
    try:
        for rest in (*folder.glob(".*.tmp"), *saved.glob(".*.tmp")):
            rest.unlink(missing_ok=True)
        yield
    finally:
        lock.release()


def create(folder: Path | str, experiment: Experiment) -> Path:
    """Makes a new run folder and records the experiment in it.

    The folder appears with its record by one rename: without it, nobody could begin there or go on.

    Raises:
        RunError: If the folder exists already.
        DiskError: If it cannot be written.
    """
    folder = Path(folder)
    if folder.exists():  # a rename would replace an empty one
        raise _exists(folder)
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        unfinished.mkdir(parents=True, exist_ok=True)
        write_text(unfinished / "config.yaml", to_yaml(experiment))
        unfinished.rename(folder)
        sync_folder(folder.parent)
    except DiskError:
        raise
    except OSError as error:
        another = error.errno in (errno.EEXIST, errno.ENOTEMPTY)  # somebody was faster
        raise (_exists(folder) if another else not_written(folder, error)) from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def numbered_folder(parent: Path | str) -> Path:
    """The first of `parent/run01`, `parent/run02`, … that does not exist."""
    number = 1
    while (folder := Path(parent) / f"run{number:02d}").exists():
        number += 1
    return folder


def read_experiment(folder: Path | str) -> Experiment:
    """Reads the experiment that a run folder records.

    Raises:
        RunError: If the folder or its config.yaml is missing.
    """
    path = Path(folder) / "config.yaml"
    if not path.is_file():
        raise RunError(f"{folder}: no run folder (config.yaml is missing); `seglab train` makes one")
    return read_yaml(path)
