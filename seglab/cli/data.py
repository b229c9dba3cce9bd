"""Verbs about data sets."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from seglab.cli.app import Device, app
from seglab.errors import ConfigError, DataError

Action = Literal["list", "make", "download", "verify", "check", "convert", "statistics"]


@app.command
def data(
    action: Positional[Action],
    names: Annotated[Positional[tuple[str, ...]], arg(metavar="[NAME ...]")] = (),
    /,
    *,
    root: Path | None = None,
    out: Path | None = None,
) -> None:
    """Finds, fetches, checks and counts data sets.

    list: which there are, and where. make: paints the embedded ones. download: camvid, or cityscapes with
    your own account. verify: whether the files are those that were published. check: reads every file, looks
    for mistakes and leaks. convert: writes Cityscapes' train ids. statistics: counts the classes, and keeps
    the counts.

    Args:
        action: What to do.
        names: Data sets, or YAML files that describe your own; by default all for `list`, cityscapes for
            `convert`, and else the embedded one.
        root: The data set's folder, where it is not below SEGLAB_DATA.
        out: For `check`: a JSON file for everything that was found. For `statistics`: the file of the counts;
            by default the study's, and for your own data or another --root one beside the data.
    """
    if root is not None and (action in ("list", "make") or len(names) != 1):
        raise ConfigError("--root: is the folder of one data set; name that one, and neither list nor make")
    if out is not None and (action not in ("check", "statistics") or len(names) != 1):
        raise ConfigError("--out: is for `check` and `statistics` of one data set")
    default = {"list": (), "convert": ("cityscapes",)}.get(action, ("street_scenes",))
    _ACTIONS[action](names or default, root, out)


def _list(names: tuple[str, ...], root: Path | None, out: Path | None) -> None:
    from seglab.datasets import inventory

    print(inventory.listing(names))


def _make(names: tuple[str, ...], root: Path | None, out: Path | None) -> None:
    from seglab.datasets import inventory

    print(inventory.make(names))


def _download(names: tuple[str, ...], root: Path | None, out: Path | None) -> None:
    from seglab.datasets.downloads import download

    for name in names:
        print(download(name, root, _say))


def _verify(names: tuple[str, ...], root: Path | None, out: Path | None) -> None:
    from seglab.datasets.inventory import verify

    problems = [problem for name in names for problem in verify(name, root)]
    for problem in problems:
        print(problem)
    if problems:
        raise DataError(f"{len(problems)} files differ, listed above")
    print(f"{', '.join(names)}: every file is as it was published")


def _check(names: tuple[str, ...], root: Path | None, out: Path | None) -> None:
    from seglab.datasets.checks import diagnose

    errors = 0
    for name in names:
        diagnosis = diagnose(name, root, _say)
        print(diagnosis)
        errors += diagnosis.errors
        if out is not None:
            diagnosis.write(out)
    if errors:
        raise DataError(f"{errors} errors found, listed above")


def _convert(names: tuple[str, ...], root: Path | None, out: Path | None) -> None:
    from seglab.datasets import cityscapes

    if names != ("cityscapes",):
        raise ConfigError(f"seglab data convert: got {' '.join(names)}; allowed is cityscapes")
    written, present = cityscapes.convert(root)
    print(f"{written} files written, {present} were there")


def _statistics(names: tuple[str, ...], root: Path | None, out: Path | None) -> None:
    from seglab.datasets import create_dataset, dataset_info
    from seglab.datasets.class_statistics import (
        frequency_table,
        kept,
        known_or_counted,
        weight_ratios,
    )

    for name in names:
        info, path = dataset_info(name), out or kept(name, root)
        splits = [create_dataset(name, split, root) for split in info.splits]
        labelled = [dataset for dataset in splits if dataset.labelled]
        counted = known_or_counted(path, labelled, _say)
        print(frequency_table(info.labels.classes, counted))
        ratios = weight_ratios(counted[labelled[0].split].frequencies)
        print(f"largest class weight over smallest, from {labelled[0].split}:")
        print("\n".join(f"{method:16}{ratio:12.2f}" for method, ratio in ratios.items()))
        print(path)


_ACTIONS = {
    "list": _list,
    "make": _make,
    "download": _download,
    "verify": _verify,
    "check": _check,
    "convert": _convert,
    "statistics": _statistics,
}


def _say(text: str) -> None:
    print(text, file=sys.stderr)


@app.command
def submit(
    run: Annotated[Positional[Path], arg(metavar="RUN")],
    /,
    *,
    split: str = "test",
    out: Path = Path("submission.zip"),
    device: Device = "auto",
) -> None:
    """Predicts a split of Cityscapes as its evaluation server wants it; scores it where the truth is known.

    Args:
        run: Run folder of a network with the classes of Cityscapes.
        split: Split of the run's data set. Other splits than test are scored by the official script.
        out: Zip file to write.
        device: Where to compute.
    """
    from seglab import runs
    from seglab.datasets import create_dataset
    from seglab.datasets.archives import unpack
    from seglab.datasets.cityscapes_server import official_scores, write_predictions
    from seglab.evaluation.inference import load_predictor

    experiment = runs.read_experiment(run)
    dataset = create_dataset(experiment.data.name, split, experiment.data.root)
    print(write_predictions(dataset, load_predictor(run, device), out))
    if dataset.labelled:
        with tempfile.TemporaryDirectory() as folder:
            print(official_scores(dataset, unpack(out, Path(folder, "predictions"))))
