"""Somebody's own pictures, described by a small YAML file that lies beside them.

    name: garden
    images: photos                  # PNG or JPEG; folders count from this file
    masks: labels                   # PNG, with the names of the photographs
    classes:
      soil: {id: 0, color: [120, 80, 40]}
      plant: {id: 1, color: [0, 160, 0]}
    ignore: [255]
    splits: {train: 0.7, val: 0.15, test: 0.15}

Classes with an `id` say that the masks hold ids, as grey levels or as indices of a palette; classes with a
`color` alone, that they hold these colours; `ignore` lists more ids, or colours. `splits` is one of

    {train: 0.8, val: 0.2}                 shares, drawn once by `seed` and kept in <file>.splits.json
    {train: train.txt, val: val.txt}       files with the name of a picture on each line
    [train, val]                           folders of these names below `images` and `masks`

`image_suffix` and `mask_suffix` are what the names end with before the dot, where the two differ; then both
may lie in one folder.
"""

from __future__ import annotations

import colorsys
import hashlib
import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seglab.config import from_dict, from_yaml
from seglab.datasets.base import Sample, SegmentationDataset, pair
from seglab.errors import ConfigError, DataError
from seglab.labels import IGNORE_INDEX, LabelSpace
from seglab.runs import write_text

ENDINGS = (".yaml", ".yml")

_IMAGE_TYPES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True)
class _Class:
    """A class: the id that its pixels have in the masks, and its colour."""

    id: int | None = None
    color: tuple[int, int, int] | None = None


@dataclass(frozen=True)
class OwnData:
    """What the file says; the module describes its fields."""

    name: str
    images: str
    masks: str
    classes: dict[str, Any]
    splits: Any
    ignore: tuple[Any, ...] = ()
    seed: int = 0
    image_suffix: str = ""
    mask_suffix: str = ""

    def __post_init__(self) -> None:
        _check_name("name", self.name)
        kind = self.split_by
        for split in self.splits:
            _check_name("splits", split)
        if kind == "shares":
            shares = self.splits.values()
            if min(shares) <= 0 or not math.isclose(sum(shares), 1):
                raise ConfigError(f"splits: got {self.splits}; allowed are shares above 0 that add up to 1")

    @property
    def split_by(self) -> str:
        """What the splits are given as: `shares`, `files` or `folders`."""
        kinds = (("shares", dict, (int, float)), ("files", dict, str), ("folders", list, str))
        given = self.splits
        for kind, container, item in kinds:
            if isinstance(given, container) and given:
                values = given.values() if container is dict else given
                if all(isinstance(value, item) for value in values):
                    return kind
        raise ConfigError(
            f"splits: got {self.splits!r}; allowed are shares such as {{train: 0.8, val: 0.2}}, files such "
            "as {train: train.txt}, or a list of folders"
        )


def read(path: Path | str) -> OwnData:
    """Reads the description of a data set.

    Raises:
        DataError: If there is no such file.
        ConfigError: If it is no YAML, or a field is unknown, missing or out of range.
    """
    path = Path(path).expanduser()
    try:
        return from_yaml(OwnData, path)
    except OSError as error:
        where = f"; it was looked for from {Path.cwd()}, and a run's path counts from where it was trained"
        raise DataError(
            f"{path}: cannot be read ({error.strerror}); allowed is a data set's YAML"
            + where * (not path.is_absolute())
        ) from None


def label_space(path: Path | str) -> LabelSpace:
    """The classes of a data set that a YAML file describes, in its order.

    Raises:
        DataError, ConfigError: As `read`, or if ids or colours are missing, occur twice or are out of range.
    """
    data = read(path)
    try:
        return _label_space(data)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def _label_space(data: OwnData) -> LabelSpace:
    classes = {name: from_dict(_Class, c, f"classes.{name}") for name, c in data.classes.items()}
    if not 1 <= len(classes) <= IGNORE_INDEX:
        raise ConfigError(f"classes: got {len(classes)}; allowed are 1 to {IGNORE_INDEX}")
    with_id = [name for name, c in classes.items() if c.id is not None]
    with_color = [name for name, c in classes.items() if c.color is not None]
    if with_id and len(with_id) < len(classes):
        raise ConfigError(f"classes.{min(classes.keys() - with_id)}: has no id, and {with_id[0]} has one")
    if not with_id and len(with_color) < len(classes):
        raise ConfigError(f"classes.{min(classes.keys() - with_color)}: needs an id or a color")
    for name, c in classes.items():
        if c.color is not None and not all(0 <= number < 256 for number in c.color):
            raise ConfigError(f"classes.{name}.color: got {list(c.color)}; allowed are numbers from 0 to 255")
    colors = [c.color or _color(i) for i, c in enumerate(classes.values())]
    ids = [c.id for c in classes.values()] if with_id else colors
    ignored = [tuple(value) if isinstance(value, list) else value for value in data.ignore]
    for key in [*ids, *ignored]:
        numbers = key if isinstance(key, tuple) else (key,)
        if len(numbers) != (1 if with_id else 3) or not all(type(n) is int and 0 <= n < 256 for n in numbers):
            rule = "ids from 0 to 255" if with_id else "colours [R, G, B] of numbers from 0 to 255"
            raise ConfigError(f"classes, ignore: got {list(numbers)}; allowed are {rule}")
    if twice := [key for key in ids if [*ids, *ignored].count(key) > 1]:
        raise ConfigError(f"classes, ignore: {twice[0]} occurs twice; every id or color belongs to one class")
    table = {key: train_id for train_id, key in enumerate(ids)} | dict.fromkeys(ignored, IGNORE_INDEX)
    return LabelSpace(
        name=data.name,
        classes=tuple(classes),
        colors=tuple(colors),
        categories=tuple(classes),
        file_ids=table if with_id else {},
        source="its own description",
        file_colors=None if with_id else table,
    )


def open_split(path: Path | str, split: str, root: Path | str | None = None) -> SegmentationDataset:
    """Opens a split of a data set that a YAML file describes; no picture is read.

    Args:
        path: The YAML file.
        split: One of its splits.
        root: The folder from which the YAML's folders and files count; None takes the YAML's own.

    Raises:
        DataError: If folders, files, or the partners of pictures are missing; or if the splits were drawn
            from other pictures than there are now.
        ConfigError: As `read`.
    """
    path = Path(path).expanduser()
    data, labels = read(path), label_space(path)
    root = path.parent if root is None else Path(root).expanduser()
    images, masks = root / data.images, root / data.masks
    if data.split_by == "folders":
        samples = _pairs(data, images / split, masks / split)
    else:
        samples = _pairs(data, images, masks)
        by_name = {sample.name: sample for sample in samples}
        if data.split_by == "shares":
            shares = {split: float(share) for split, share in data.splits.items()}
            names = drawn_once(path.with_suffix(".splits.json"), list(by_name), shares, data.seed)[split]
        else:
            names = _listed(root / data.splits[split], by_name, data.image_suffix)
        samples = [by_name[name] for name in names]
    return SegmentationDataset(data.name, split, labels, samples, root)


def _pairs(data: OwnData, image_folder: Path, mask_folder: Path) -> list[Sample]:
    def images(taken: Iterable[Path] = ()) -> dict[str, Path]:
        return _files(image_folder, _IMAGE_TYPES, data.image_suffix, taken)

    def masks(taken: Iterable[Path] = ()) -> dict[str, Path]:
        return _files(mask_folder, (".png",), data.mask_suffix, taken)

    # In a common folder the longer ending takes its files first: `a_mask.png` ends like an image, too.
    if len(data.mask_suffix) > len(data.image_suffix):
        found = masks()
        return pair(images(found.values()), found, image_folder)
    found = images()
    return pair(found, masks(found.values()), image_folder)


def _files(folder: Path, types: tuple[str, ...], suffix: str, taken: Iterable[Path] = ()) -> dict[str, Path]:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; the description of the data set names it")
    found, taken = {}, set(taken)
    for path in sorted(folder.iterdir()):
        hidden = path.name.startswith(".")
        if hidden or path.suffix.lower() not in types or not path.stem.endswith(suffix) or path in taken:
            continue
        name = path.stem.removesuffix(suffix)
        if name in found:
            raise DataError(f"{path}: the same name as {found[name]}; names must differ within a folder")
        found[name] = path
    return found


def _listed(path: Path, known: dict[str, Sample], suffix: str) -> list[str]:
    """Names from a text file; a line may be the file name of a picture, too."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({getattr(error, 'strerror', error)})") from None
    names: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if not (text := line.strip()) or text.startswith("#"):
            continue
        file = Path(text)
        name = (file.stem if file.suffix.lower() in _IMAGE_TYPES else file.name).removesuffix(suffix)
        if name not in known:
            raise DataError(f"{path}, line {number}: {text!r} is no picture of the data set")
        if name in names:
            raise DataError(f"{path}, line {number}: {text!r} stands in line {names[name]} already")
        names[name] = number
    if not names:
        raise DataError(f"{path}: names no pictures")
    return list(names)


def drawn_once(path: Path, names: list[str], shares: dict[str, float], seed: int) -> dict[str, list[str]]:
    """The splits that are stored in a file; drawn and stored now if there are none yet.

    Args:
        path: The file.
        names: The names of all pictures.
        shares: Of each split, adding up to 1.
        seed: Seed of the draw.

    Returns:
        Sorted names by split.

    Raises:
        DataError: If what is stored was drawn otherwise or from other pictures, or these are too few.
    """
    if path.exists():
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            splits = stored["splits"]
            same_pictures = sorted(name for part in splits.values() for name in part) == sorted(names)
            same_draw = (stored["shares"], stored["seed"]) == (shares, seed)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise DataError(f"{path}: damaged; delete it to draw the splits again") from None
        if not (same_pictures and same_draw):
            what = "other shares or another seed" if same_pictures else "other pictures than there are now"
            raise DataError(
                f"{path}: the splits were drawn from {what}; scores on a new draw cannot be compared with "
                "old ones: delete the file if you want one"
            )
        return splits
    splits = draw_splits(names, shares, seed)
    if empty := [split for split, part in splits.items() if not part]:
        raise DataError(f"{path}: {len(names)} pictures are too few: nothing is left for {empty[0]}")
    record = {"seed": seed, "shares": shares, "splits": splits}
    write_text(path, json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    return splits


def draw_splits(names: Iterable[str], shares: dict[str, float], seed: int) -> dict[str, list[str]]:
    """Shares out names by lot.

    The lot of a name is a hash of it and the seed, so the draw is the same on every machine and in every
    version of every library.

    Args:
        names: All names, in any order.
        shares: Of each split, adding up to 1.
        seed: Another one gives another draw.

    Returns:
        Sorted names by split.
    """
    lots = sorted(names, key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest())
    splits, start, total = {}, 0, 0.0
    for split, share in shares.items():
        total += share
        end = round(total * len(lots))
        splits[split] = sorted(lots[start:end])
        start = end
    return splits


def _check_name(field: str, name: str) -> None:
    if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", str(name)) is None:
        raise ConfigError(f"{field}: got {name!r}; allowed are up to 100 of A-Z a-z 0-9 _ - .")


def _color(index: int) -> tuple[int, int, int]:
    """Colours for classes that come without: hues a golden section apart, so that neighbours differ."""
    red, green, blue = colorsys.hsv_to_rgb(index * 0.618034 % 1, 0.75, 0.9)
    return round(255 * red), round(255 * green), round(255 * blue)
