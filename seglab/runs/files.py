"""The files of a run, written and read: history, confusion matrices, counts of single pictures, summary."""

from __future__ import annotations

import csv
import io
import json
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seglab.errors import RunError
from seglab.runs.disk import write_bytes, write_text

WEIGHTS = "weights.safetensors"
# Columns of `history.csv` that a clock measured; the others are the same when a run is repeated.
CLOCKED = ["seconds", "cpu_seconds", "images_per_second"]


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
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([list(classes), *confusion.tolist()])
    write_text(folder / f"confusion_{split}.csv", text.getvalue())


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
    except (ValueError, OverflowError, csv.Error):
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
        summary = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{folder}: this run has not ended (summary.json is missing)") from None
    except ValueError:
        summary = None
    if not summary or not isinstance(summary, dict):
        raise RunError(f"{path}: damaged (not a JSON object with entries)")
    return summary
