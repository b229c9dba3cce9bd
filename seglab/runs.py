"""Run folders: what a training leaves behind, in small text files that outlive weights and data.

    <folder>/config.yaml             the complete Experiment
             history.csv             one row per epoch
             confusion_<split>.csv   integer confusion matrix, class names as header
             images_<split>.npz      the same for each picture, with a row of ignored pixels
             samples_<split>.npz     a few pictures with truth and prediction (`seglab.samples`), where made
             repeated.json           whether a second training gave the same (`seglab.repeats`), where tried
             weights.safetensors     the network that was scored
             summary.json            scores, cost, times and provenance; its presence says that the run ended
             checkpoints/            training state and best weights; not part of the record

A folder is made once and never overwritten. `load` reads any number of them as one table.
"""

from __future__ import annotations

import csv
import errno
import importlib.metadata
import io
import json
import os
import platform
import shutil
import subprocess
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout

import seglab
from seglab.config import Experiment, config_hash, read_yaml, to_yaml
from seglab.errors import DiskError, RunError

SCHEMA_VERSION = 1
WEIGHTS = "weights.safetensors"
# Columns of `history.csv` that a clock measured; the others are the same when a run is repeated.
CLOCKED = ["seconds", "cpu_seconds", "images_per_second"]


def workspace() -> Path:
    """The folder of `results/` and `runs/`: the checkout around the current folder, or that folder itself."""
    here = Path.cwd()
    return next((f for f in (here, *here.parents) if (f / "seglab" / "runs.py").is_file()), here)


def default_folder(experiment: Experiment) -> Path:
    """Where a run belongs: `results/<study>/<name>/seed<k>`, and below `runs/quick/` for quick runs.

    A quick run can thus never be taken for a result of the study.
    """
    top = Path("runs", "quick") if experiment.profile == "quick" else Path("results")
    return workspace() / top / experiment.study / experiment.name / f"seed{experiment.seed}"


def check_folder(folder: Path, experiment: Experiment, resume: bool) -> None:
    """Refuses a folder before any work is done.

    Raises:
        RunError: If a new run's folder exists; or if one that is to be resumed is missing, has ended, or
            is of another experiment.
    """
    if not resume:
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
        raise _not_written(saved, error) from None
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
        _sync_folder(folder.parent)
    except DiskError:
        raise
    except OSError as error:
        another = error.errno in (errno.EEXIST, errno.ENOTEMPTY)  # somebody was faster
        raise (_exists(folder) if another else _not_written(folder, error)) from None
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


# ------------------------------------------------------------------------------------ small text files


def write_text(path: Path, text: str) -> None:
    """Writes a file in UTF-8, as `write_bytes` does."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Writes a file so that a reader sees the old content or the new one, never a part, also after a crash.

    A process that is killed meanwhile leaves a hidden `.*.tmp` beside it.

    Raises:
        DiskError: If it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        try:
            with open(temporary, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except OSError as error:
        raise _not_written(path, error, len(content)) from None


def _not_written(path: Path, error: OSError, size: int | None = None) -> DiskError:
    what = "" if size is None else f", {size} bytes"
    reason = error.strerror or error
    return DiskError(f"{path}: cannot be written{what} ({reason}); what was there before is intact")


def _sync_folder(folder: Path) -> None:
    """Makes the renames in it durable, where the system lets a folder be synchronised."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_history(folder: Path, rows: list[Mapping[str, Any]]) -> None:
    """Writes `history.csv`, one row per epoch, empty cells where a quantity was not measured."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    table.writerows([_cell(row.get(column)) for column in columns] for row in rows)
    write_text(folder / "history.csv", text.getvalue())


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def read_history(folder: Path | str) -> pd.DataFrame:
    """Reads `history.csv`: one row per epoch.

    Raises:
        RunError: If no epoch has ended yet, or the file is damaged.
    """
    path = Path(folder) / "history.csv"
    try:
        return pd.read_csv(path)
    except FileNotFoundError:
        raise RunError(f"{folder}: no epoch of this run has ended (history.csv is missing)") from None
    except ValueError as error:  # pandas' own errors are ValueErrors
        raise RunError(f"{path}: damaged ({' '.join(str(error).split())})") from None


def write_confusion(folder: Path, split: str, confusion: np.ndarray, classes: Iterable[str]) -> None:
    """Writes `confusion_<split>.csv`: class names as header, then one row per true class."""
    rows = [",".join(classes), *(",".join(map(str, row)) for row in confusion.tolist())]
    write_text(folder / f"confusion_{split}.csv", "\n".join(rows) + "\n")


def splits(folder: Path | str) -> list[str]:
    """The splits that a run was scored on."""
    return sorted(p.stem.removeprefix("confusion_") for p in Path(folder).glob("confusion_*.csv"))


def read_confusion(folder: Path | str, split: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Reads a confusion matrix, int64 (K, K), and its class names.

    Raises:
        RunError: If the run has none for this split, or the file is no square matrix of counts.
    """
    path = Path(folder) / f"confusion_{split}.csv"
    try:
        with open(path, encoding="utf-8", newline="") as file:
            classes, *rows = csv.reader(file)
        confusion = np.array(rows, dtype=np.int64)
        if confusion.shape != (len(classes), len(classes)) or (confusion < 0).any():
            raise ValueError
    except FileNotFoundError:
        raise RunError(f"{path}: this run was not evaluated on the split {split!r}") from None
    except ValueError:
        raise RunError(f"{path}: not a square matrix of counts under a header of class names") from None
    return confusion, tuple(classes)


@dataclass(frozen=True)
class ImageCounts:
    """The confusion matrices of the single pictures of a split.

    Args:
        names: N names of pictures.
        counts: int64 (N,K+1,K); rows are the true classes and, last, the ignored pixels.
    """

    names: tuple[str, ...]
    counts: np.ndarray

    @property
    def confusions(self) -> np.ndarray:
        """int64 (N,K,K), without the ignored pixels."""
        return self.counts[:, :-1]


def write_images(folder: Path, split: str, images: ImageCounts) -> None:
    """Writes `images_<split>.npz`: the cells that are not 0, by flat index. Equal counts give equal bytes."""
    flat = images.counts.ravel()
    (index,) = np.nonzero(flat)
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        names=np.array(images.names, dtype=np.str_),
        shape=np.array(images.counts.shape),
        steps=np.diff(index, prepend=0).astype(np.uint32),  # small numbers, which compress well
        counts=flat[index].astype(np.uint32),
    )
    write_bytes(folder / f"images_{split}.npz", buffer.getvalue())


def has_images(folder: Path | str, split: str) -> bool:
    """Whether there are confusion matrices of single pictures."""
    return (Path(folder) / f"images_{split}.npz").is_file()


def read_images(folder: Path | str, split: str) -> ImageCounts:
    """Reads what `write_images` wrote.

    Raises:
        RunError: If there is no such file, or it is damaged.
    """
    path = Path(folder) / f"images_{split}.npz"
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            flat = np.zeros(file["shape"].prod(), np.int64)
            flat[file["steps"].astype(np.int64).cumsum()] = file["counts"]
            return ImageCounts(tuple(map(str, file["names"])), flat.reshape(file["shape"]))
    except FileNotFoundError:
        raise RunError(
            f"{path}: no confusion matrices of single pictures; `seglab evaluate {folder} --split {split}` "
            "writes them where the run's weights are"
        ) from None
    except (ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise RunError(f"{path}: damaged ({error})") from None


def write_summary(folder: Path, summary: Mapping[str, Any]) -> None:
    """Writes `summary.json`, last of all files, so that its presence means a finished run."""
    write_text(folder / "summary.json", json.dumps(summary, indent=1) + "\n")


def read_summary(folder: Path | str) -> dict[str, Any]:
    """Reads `summary.json`.

    Raises:
        RunError: If the run has not ended yet, or the file is damaged.
    """
    path = Path(folder) / "summary.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{folder}: this run has not ended (summary.json is missing)") from None
    except ValueError:
        raise RunError(f"{path}: not a JSON file") from None


# ---------------------------------------------------------------------------------- many runs, one table


def find(root: Path | str = "results") -> list[Path]:
    """All finished run folders below `root`, sorted."""
    finished = (path.parent for path in Path(root).rglob("summary.json"))
    return sorted(folder for folder in finished if (folder / "config.yaml").exists())


def evaluations(folder: Path | str) -> list[Path]:
    """The folders of a run's further evaluations: other splits, other data, other ways of asking; sorted."""
    return sorted(path.parent for path in Path(folder).glob("evaluations/*/summary.json"))


def load(root: Path | str = "results") -> pd.DataFrame:
    """Reads every finished run below `root` as one table.

    Returns:
        One row per run: study, name, seed, profile, model, data, folder, and the scalar entries of
        `summary.json` with their sections joined by dots (`scores.mean_iou`, `cost.params`, …).
    """
    rows = []
    for folder in find(root):
        experiment = read_experiment(folder)
        rows.append(
            {
                "study": experiment.study,
                "name": experiment.name,
                "seed": experiment.seed,
                "profile": experiment.profile,
                "model": experiment.model.name,
                "data": experiment.data.name,
                "folder": folder.as_posix(),
                **_flatten(read_summary(folder)),
            }
        )
    return pd.DataFrame(rows)


def check_same_protocol(first: Path | str, second: Path | str, split: str) -> None:
    """Refuses two runs whose scores on a split do not answer the same question.

    Who trains on `trainval` instead of `train` has seen more, and so has who was given other pictures under
    the same name: the difference of the scores would not be that of the networks.

    Args:
        first: Run folder, or folder of an evaluation in one.
        second: Likewise.
        split: The split that both were scored on.

    Raises:
        RunError: If data set, training split or the pictures of either split are not the same.
    """
    one, two = _protocol(first, split), _protocol(second, split)
    for what in (key for key in one if key in two):
        if one[what] != two[what]:
            raise RunError(
                f"{second}: its {what} is {two[what]}, that of {first} is {one[what]}; only scores of one "
                "protocol can be compared"
            )


def _protocol(folder: Path | str, split: str) -> dict[str, str]:
    folder = Path(folder)
    places = folder, folder.parent.parent  # of the evaluation <run>/evaluations/<name>
    run = next((place for place in places if (place / "config.yaml").exists()), folder)
    data = read_experiment(run).data
    # the oldest runs recorded one digest over all splits, which says nothing about one of them
    known = read_summary(run)["provenance"].get("data_digests", {})
    digests = {f"digest of {one}": known[one] for one in (data.train_split, split) if one in known}
    return {"data set": data.name, "training split": data.train_split} | digests


def over_seeds(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Mean and spread of a score over the runs that differ in their seed alone.

    Args:
        table: From `load`.
        column: The score, such as `scores.test.mean_iou`.

    Returns:
        One row per study, name, profile and data set: `mean`, `std` (of single runs, n-1 in the divisor; NaN
        for one seed), `min`, `max` and `seeds`, their number.
    """
    groups = table.groupby(["study", "name", "profile", "data"], sort=False)[column]
    return groups.agg(["mean", "std", "min", "max", "count"]).rename(columns={"count": "seeds"}).reset_index()


def _flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}.")
        elif not isinstance(value, list):
            flat[f"{prefix}{key}"] = value
    return flat


# ------------------------------------------------------------------------------------------- provenance


def provenance(experiment: Experiment, **facts: Any) -> dict[str, Any]:
    """What is needed to judge and to repeat a run: code, versions, machine, and the given facts."""
    packages = ("torch", "torchvision", "numpy", "pillow")
    return {
        "schema_version": SCHEMA_VERSION,
        "config_hash": config_hash(experiment),
        "versions": {"seglab": seglab.__version__, "python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in packages},
        "system": platform.system(),
        "processor": processor(),
        **facts,
    }


def code_revision() -> str:
    """The git commit of the code, with `+changes` if it was edited since; `unknown` outside a checkout."""
    here = Path(__file__).resolve().parent

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(here), *arguments], capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", str(here))
        return git("rev-parse", "--short=12", "HEAD") + ("+changes" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def processor() -> str:
    """The processor's name as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
