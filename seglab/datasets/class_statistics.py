"""What a split is made of: how often, in which pictures, with which others, and where each class is.

The counts are integers, so they can be drawn, compared and turned into weights without the pictures. They
are kept together with the digest of the data they were counted from, and are counted anew only where that
has changed: the study's as `results/datasets/<name>.json`, those of other data beside the data.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np

from seglab.config import LossConfig
from seglab.datasets import own
from seglab.datasets.base import SegmentationDataset, num_cores
from seglab.datasets.statistics import (
    ClassFrequencies,
    check_labelled,
    count_ids,
    frequency_weights,
    sum_up,
)
from seglab.errors import DataError
from seglab.runs import workspace, write_text

GRID = (12, 24)  # rows and columns of the position maps
_VERSION = 1


@dataclass(frozen=True)
class ClassStatistics:
    """Counts over the masks of one split; class `k` is the train id `k`.

    Args:
        digest: Of the pictures and masks, `SegmentationDataset.digest`.
        frequencies: Pixels and pictures of each class.
        cooccurrence: int64 (K, K), pictures in which both classes occur; on the diagonal those with the one.
        positions: int64 (K, rows, columns), pixels of each class in each cell of a grid over the picture, a
            pixel belonging to the cell in which its centre lies.
    """

    digest: str
    frequencies: ClassFrequencies
    cooccurrence: np.ndarray
    positions: np.ndarray

    @property
    def heat_maps(self) -> np.ndarray:
        """Share of the labelled pixels of each cell that are of a class.

        float64 (K, rows, columns), in [0, 1]; NaN in a cell without a labelled pixel.
        """
        labelled = self.positions.sum(0)
        shares = np.full(self.positions.shape, np.nan)
        return np.divide(self.positions, labelled, out=shares, where=labelled > 0)


def class_statistics(dataset: SegmentationDataset) -> ClassStatistics:
    """Counts a split; only masks are read.

    Raises:
        DataError: If a mask cannot be read, or no pixel belongs to a class.
    """
    num_classes = dataset.labels.num_classes
    counts, positions = [], np.zeros((num_classes, *GRID), np.int64)
    with ThreadPoolExecutor(num_cores()) as pool:
        for count, cells in pool.map(lambda i: _count(dataset.read_mask(i)), range(len(dataset))):
            counts.append(count)
            positions += cells[:, :num_classes].T.reshape(positions.shape)
    check_labelled(dataset, np.stack(counts))
    present = np.array([count[:num_classes] > 0 for count in counts], np.int64)
    return ClassStatistics(dataset.digest(), sum_up(counts, num_classes), present.T @ present, positions)


def _count(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of every train id, (256,), and the same for each cell, (cells, 256)."""
    rows, columns = (
        (2 * np.arange(size) + 1) * cells // (2 * size) for size, cells in zip(mask.shape, GRID, strict=True)
    )
    cell = rows[:, None] * GRID[1] + columns
    cells = np.bincount((cell * 256 + mask).reshape(-1), minlength=GRID[0] * GRID[1] * 256)
    return count_ids(mask), cells.reshape(-1, 256)


def committed(name: str) -> Path:
    """Where the study keeps the statistics of a data set."""
    return workspace() / "results" / "datasets" / f"{name}.json"


def kept(name: str, root: Path | None = None) -> Path:
    """Where `seglab data statistics` keeps the counts of a data set.

    Args:
        name: As for `create_dataset`; your own data's lie beside its YAML file.
        root: The folder of other files under the same name, in which their counts then lie.
    """
    if root is None and not name.lower().endswith(own.ENDINGS):
        return committed(name)
    folder = Path(name).parent if root is None else root
    return folder.expanduser() / f"{Path(name).stem}.statistics.json"


def save_statistics(
    path: Path, name: str, classes: Iterable[str], splits: dict[str, ClassStatistics]
) -> None:
    """Writes the statistics of a data set; the same counts give the same bytes.

    Args:
        path: File to write; its folder is made where it is missing.
        name: The data set's name.
        classes: Class names in train-id order.
        splits: Statistics by split.
    """
    record = {
        "version": _VERSION,
        "name": name,
        "classes": list(classes),
        "splits": {
            split: {
                "digest": one.digest,
                "num_images": one.frequencies.num_images,
                "ignored": one.frequencies.ignored,
                "pixels": one.frequencies.pixels.tolist(),
                "images": one.frequencies.images.tolist(),
                "cooccurrence": one.cooccurrence.tolist(),
                "positions": one.positions.tolist(),
            }
            for split, one in splits.items()
        },
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, _readable_json(record) + "\n")


def load_statistics(path: Path | str, of: SegmentationDataset | None = None) -> dict[str, ClassStatistics]:
    """Reads what `save_statistics` wrote: statistics by split.

    Args:
        path: The file.
        of: A split of the data set that it must be of.

    Raises:
        DataError: If the file is missing, is none of these, or is of another data set or of other classes.
    """
    try:
        record = json.loads(Path(path).read_text(encoding="utf-8"))
        if record["version"] != _VERSION:
            raise ValueError
        name, classes = record["name"], tuple(record["classes"])
        splits = {
            split: ClassStatistics(
                one["digest"],
                ClassFrequencies(
                    *(np.array(one[key], np.int64) for key in ("pixels", "images")),
                    one["ignored"],
                    one["num_images"],
                ),
                *(np.array(one[key], np.int64) for key in ("cooccurrence", "positions")),
            )
            for split, one in record["splits"].items()
        }
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; `seglab data statistics NAME` counts a data set") from None
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(f"{path}: not a file of class statistics; delete it and count anew") from None
    if of is not None and (name, classes) != (of.name, of.labels.classes):
        raise DataError(
            f"{path}: counts of {name} with the classes {', '.join(classes)}; allowed are counts of "
            f"{of.name} with {', '.join(of.labels.classes)}: delete the file, or name another one (--out)"
        )
    return splits


def known_or_counted(
    path: Path, datasets: Iterable[SegmentationDataset], say: Callable[[str], None] = lambda text: None
) -> dict[str, ClassStatistics]:
    """The statistics of some splits: from the file where it is of the same data, else counted and written.

    Args:
        path: The data set's file, `kept`.
        datasets: Labelled splits of one data set.
        say: Told which splits are counted.

    Raises:
        DataError: If a mask cannot be read, or the file is damaged or of other classes.
    """
    datasets = list(datasets)
    known = load_statistics(path, datasets[0]) if path.exists() else {}
    splits = {}
    for dataset in datasets:
        one = known.get(dataset.split)
        if one is None or one.digest != dataset.digest():
            say(f"counting {dataset.name} {dataset.split}")
            one = class_statistics(dataset)
        splits[dataset.split] = one
    if any(known.get(split) is not one for split, one in splits.items()):
        save_statistics(path, datasets[0].name, datasets[0].labels.classes, known | splits)
    return splits


def frequency_table(classes: Iterable[str], splits: dict[str, ClassStatistics]) -> str:
    """For people: of each class its share of the labelled pixels and of the pictures, four splits a block."""
    names, lines = list(splits), []
    for block in (names[start : start + 4] for start in range(0, len(names), 4)):
        lines.append(f"{'':16}" + "".join(f"{split:>22}" for split in block))
        lines.append(f"{'class':16}" + f"{'pixels':>12}{'pictures':>10}" * len(block))
        for k, name in enumerate(classes):
            cells = ""
            for f in (splits[split].frequencies for split in block):
                share = f.pixels[k] / max(1, f.pixels.sum())
                cells += f"{share:12.3%}{f.images[k] / max(1, f.num_images):10.1%}"
            lines.append(f"{name:16}{cells}")
    return "\n".join(lines)


def weight_ratios(frequencies: ClassFrequencies) -> dict[str, float]:
    """How far each formula of `frequency_weights` parts the classes: largest over smallest weight.

    Only classes that occur count; the order is that of `LossConfig.class_weights`.
    """
    ratios = {}
    for method in get_args(get_type_hints(LossConfig)["class_weights"]):
        if method not in ("none", "hrnet"):  # these do not depend on the data
            weights = frequency_weights(method, frequencies)
            ratios[method] = float(weights.max() / weights[weights > 0].min())
    return ratios


def _readable_json(value: object, depth: int = 0) -> str:
    """JSON with an entry a line, and the innermost lists on one line each."""
    pad = "\n" + " " * (depth + 1)
    if isinstance(value, dict):
        items = [f"{json.dumps(key)}: {_readable_json(item, depth + 1)}" for key, item in value.items()]
        return "{" + pad + ("," + pad).join(items) + pad[:-1] + "}"
    if isinstance(value, list) and value and isinstance(value[0], list):
        return (
            "[" + pad + ("," + pad).join(_readable_json(item, depth + 1) for item in value) + pad[:-1] + "]"
        )
    return json.dumps(value, ensure_ascii=False, separators=(",", ":") if isinstance(value, list) else None)
