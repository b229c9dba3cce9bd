"""Whether a run repeats: what is the same, to the digit, when its config.yaml is trained once more. No torch.

    <run>/repeated.json    what was compared, how it came out, and the provenance of the second training

The files themselves are not kept twice.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seglab import runs
from seglab.errors import RunError

SAME = "same"
COMPARED = ("history", "confusion matrices", "weights")  # weights where both have them
_FILE = "repeated.json"


@dataclass(frozen=True)
class Repeat:
    """How a second training compares with the first.

    Args:
        compared: Kind of record -> "same", or the first difference in words.
        provenance: Of the second training, as in `summary.json`.
    """

    compared: dict[str, str]
    provenance: dict[str, Any]

    @property
    def same(self) -> bool:
        """Whether nothing that was compared differs."""
        return set(self.compared.values()) == {SAME}


def compare(run: Path | str, again: Path | str) -> Repeat:
    """Holds a finished run against a second training of the same experiment.

    Compared are the history, but for what a clock measured; the confusion matrices of every picture, on the
    splits that the training reports; and the weights, bit for bit, where both have them.

    Raises:
        RunError: If one of them has not ended, is damaged, or is of another experiment.
    """
    run, again = Path(run), Path(again)
    provenance = [runs.read_summary(folder)["provenance"] for folder in (run, again)]
    experiment = runs.read_experiment(run)
    if runs.read_experiment(again) != experiment:
        raise RunError(f"{again}: its config.yaml is of another experiment than that of {run}")
    outcomes = [_history(run, again), _counts(run, again, experiment.data.report_splits)]
    weights = [folder / runs.WEIGHTS for folder in (run, again)]
    if all(path.is_file() for path in weights):
        one, other = (path.read_bytes() for path in weights)
        outcomes.append(SAME if one == other else "other bytes")
    return Repeat(dict(zip(COMPARED, outcomes, strict=False)), provenance[1])


def _history(run: Path, again: Path) -> str:
    one, other = (runs.read_history(f).drop(columns=runs.CLOCKED, errors="ignore") for f in (run, again))
    if len(one) != len(other):
        return f"{len(one)} epochs and {len(other)}"
    columns = [name for name in one.columns if name in other.columns]
    if not {"epoch", "loss"} <= set(columns):
        raise RunError(f"{run / 'history.csv'}: damaged (no columns epoch and loss, or not in {again})")
    unequal = one[columns].ne(other[columns]) & ~(one[columns].isna() & other[columns].isna())
    if not unequal.any(axis=None):
        return SAME
    row = int(unequal.any(axis=1).to_numpy().argmax())
    name = columns[int(unequal.iloc[row].to_numpy().argmax())]
    return f"other from epoch {one['epoch'][row]} on: {name} {one[name][row]} and {other[name][row]}"


def _counts(run: Path, again: Path, splits: tuple[str, ...]) -> str:
    for split in splits:
        if all(runs.has_images(folder, split) for folder in (run, again)):
            one, other = (runs.read_images(folder, split).counts for folder in (run, again))
        else:  # the first runs kept the sums alone
            one, other = (runs.read_confusion(folder, split)[0] for folder in (run, again))
        if one.shape != other.shape:
            return f"{split}: of other pictures"
        if (one != other).any():
            counted_otherwise = -(-int(np.abs(one - other).sum()) // 2)  # a pixel leaves a cell for another
            return f"{split}: {counted_otherwise:,} of {one.sum():,} pixels counted otherwise"
    return SAME


def write(run: Path | str, repeat: Repeat) -> Path:
    """Writes `repeated.json`; an earlier one is replaced, since the code has gone on.

    Raises:
        DiskError: If it cannot be written.
    """
    path = Path(run) / _FILE
    runs.write_text(path, json.dumps(asdict(repeat), indent=1) + "\n")
    return path


def read(run: Path | str) -> Repeat | None:
    """What `write` wrote; None for a run that nobody has repeated.

    Raises:
        RunError: If the file is damaged.
    """
    path = Path(run) / _FILE
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return Repeat(dict(record["compared"]), dict(record["provenance"]))
    except (ValueError, TypeError, LookupError):
        raise RunError(f"{path}: damaged; `seglab repeat {run}` makes it anew") from None
