"""A few pictures of a run with truth and prediction, kept beside its scores; no torch.

    <run>/samples_<split>.npz    names, pictures as JPEG, masks and predictions of train ids

With them a figure can show what a network sees where there are neither weights nor data. They are made by
`seglab samples RUN`, and only of pictures that may be passed on.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from seglab import runs
from seglab.errors import RunError
from seglab.labels import IGNORE_INDEX, LABEL_SPACES, LabelSpace

_QUALITY = 85  # of the JPEG


@dataclass(frozen=True)
class Sample:
    """One picture of a split.

    Args:
        name: Its name in the data set.
        image: uint8 (H,W,3) RGB.
        mask: uint8 (H,W) of train ids, the truth.
        prediction: uint8 (H,W) of train ids.
    """

    name: str
    image: np.ndarray
    mask: np.ndarray
    prediction: np.ndarray


def write(folder: Path | str, split: str, samples: Iterable[Sample], labels: LabelSpace) -> Path:
    """Writes `samples_<split>.npz`; equal samples give equal bytes.

    Raises:
        RunError: If it exists already.
        DiskError: If it cannot be written.
    """
    path = _path(folder, split)
    check_absent(folder, split)
    samples = tuple(samples)
    arrays = {"labels": np.array(labels.name), "names": np.array([sample.name for sample in samples])}
    for number, sample in enumerate(samples):
        arrays[f"image{number}"] = np.frombuffer(_jpeg(sample.image), np.uint8)
        arrays[f"mask{number}"] = sample.mask
        arrays[f"prediction{number}"] = sample.prediction
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    runs.write_bytes(path, buffer.getvalue())
    return path


def check_absent(folder: Path | str, split: str) -> None:
    """Refuses to make samples a second time.

    Raises:
        RunError: If there are some.
    """
    path = _path(folder, split)
    if path.exists():
        raise RunError(f"{path}: exists already and is not overwritten; allowed is to remove it first")


def splits(folder: Path | str) -> list[str]:
    """The splits of which a run keeps samples, sorted."""
    return sorted(path.stem.removeprefix("samples_") for path in Path(folder).glob("samples_*.npz"))


def read(folder: Path | str, split: str) -> tuple[list[Sample], LabelSpace]:
    """Reads what `write` wrote; the pictures are as JPEG left them.

    Raises:
        RunError: If there is no such file, or it is damaged.
    """
    path = _path(folder, split)
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            samples = [
                Sample(
                    str(name), _pixels(file[f"image{number}"]), file[f"mask{number}"],
                    file[f"prediction{number}"],
                )
                for number, name in enumerate(file["names"])
            ]  # fmt: skip
            labels = LABEL_SPACES[str(file["labels"])]
        _check(samples, labels)
        return samples, labels
    except FileNotFoundError:
        raise RunError(
            f"{path}: no samples; `seglab samples {folder} --split {split}` writes them where the run's "
            "weights are"
        ) from None
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise RunError(f"{path}: damaged ({error})") from None


def _check(samples: list[Sample], labels: LabelSpace) -> None:
    """Raises a ValueError unless there are pictures, each with masks of its size and ids of the classes."""
    if not samples:
        raise ValueError("no pictures")
    allowed = [*range(labels.num_classes), IGNORE_INDEX]
    for sample in samples:
        for what, ids in (("mask", sample.mask), ("prediction", sample.prediction)):
            if ids.dtype != np.uint8 or ids.shape != sample.image.shape[:2]:
                raise ValueError(f"{what} of {sample.name}: {ids.dtype} {ids.shape}, not as its picture")
            if not np.isin(ids, allowed).all():
                raise ValueError(f"{what} of {sample.name}: ids that are none of {labels.name}'s classes")


def _path(folder: Path | str, split: str) -> Path:
    return Path(folder) / f"samples_{split}.npz"


def _jpeg(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


def _pixels(jpeg: np.ndarray) -> np.ndarray:
    with Image.open(io.BytesIO(jpeg.tobytes()), formats=["JPEG"]) as image:
        return np.asarray(image.convert("RGB"))
