"""Many runs as one table, and which of them answer the same question."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seglab.errors import RunError
from seglab.runs.files import has_images, read_confusion, read_images, read_summary
from seglab.runs.folders import read_experiment


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
        One row per run: study, name, seed, profile, model, data, pretrained (whether a part of the network
        did not start from chance), on_gpu (whether a GPU made it, or a part of it), folder, and the scalar
        entries of `summary.json` with their sections joined by dots (`scores.mean_iou`, `cost.params`, …).
    """
    rows = []
    for folder in find(root):
        experiment, summary = read_experiment(folder), read_summary(folder)
        rows.append(
            {
                "study": experiment.study,
                "name": experiment.name,
                "seed": experiment.seed,
                "profile": experiment.profile,
                "model": experiment.model.name,
                "data": experiment.data.name,
                "pretrained": bool(experiment.model.options.get("pretrained", False)),
                "on_gpu": _on_gpu(summary.get("provenance", {})),
                "folder": folder.as_posix(),
                **_flatten(summary),
            }
        )
    return pd.DataFrame(rows)


def _on_gpu(provenance: dict[str, Any]) -> bool:
    sittings = [provenance, *provenance.get("sittings", [])]
    # Imported runs were trained nobody knows where.
    return any(one.get("device", "cpu") not in ("cpu", "unknown") for one in sittings)


def check_same_protocol(first: Path | str, second: Path | str, split: str) -> None:
    """Refuses two runs whose scores on a split do not answer the same question.

    Who trains on `trainval` instead of `train` has seen more, and so has who was given other pictures under
    the same name: the difference of the scores would not be that of the networks.

    Args:
        first: Run folder, or folder of an evaluation in one.
        second: Likewise.
        split: The split that both were scored on.

    Raises:
        RunError: If data set, training split (of any phase) or the pictures of either are not the same.
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
    experiment = read_experiment(run)
    trained = sorted({phase.train_split for phase in experiment.plan})
    # the oldest runs recorded one digest over all splits, which says nothing about one of them
    known = read_summary(run)["provenance"].get("data_digests", {})
    digests = {f"digest of {one}": known[one] for one in (*trained, split) if one in known}
    return {"data set": experiment.data.name, "training split": " and ".join(trained)} | digests


def plain_record(run: Path | str, split: str) -> Path:
    """The folder with a run's scores on a split, picture by picture where there are any.

    It is the run's own; the first runs kept no single pictures, and have them in a later evaluation.
    """
    later = Path(run) / "evaluations" / f"{split}-plain"
    return later if not has_images(run, split) and later.is_dir() else Path(run)


def paired_confusions(first: Path | str, second: Path | str, split: str) -> tuple[np.ndarray, np.ndarray]:
    """The confusion matrices of the same pictures by two runs, or evaluations of runs: int64 (N,K,K) each.

    Raises:
        RunError: If one has no scores of single pictures, or they are of other classes or pictures, or of
            another protocol.
    """
    check_same_protocol(first, second, split)
    folders = [plain_record(folder, split) for folder in (first, second)]
    one, two = (read_images(folder, split) for folder in folders)
    classes = [read_confusion(folder, split)[1] for folder in folders]
    if classes[0] != classes[1]:
        raise RunError(f"{second}: its classes are not those of {first}; only equal ones can be compared")
    if one.names != two.names:
        raise RunError(f"{second}: its pictures of {split!r} are not those of {first}")
    return one.confusions, two.confusions


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
