"""Runs compared class by class on the same pictures, from their records alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seglab import metrics, runs
from seglab.errors import DataError, RunError
from seglab.metrics.intervals import Interval, paired_bootstrap


@dataclass(frozen=True)
class Comparison:
    """What a run does better or worse than another on the same pictures.

    Args:
        classes: K names.
        first: float64 (K,), IoU of each class of the one run.
        first_mean: Its mean IoU.
        iou: Difference of each class's IoU, second minus first.
        mean_iou: Difference of the mean IoU.
    """

    classes: tuple[str, ...]
    first: np.ndarray
    first_mean: float
    iou: Interval
    mean_iou: Interval


def compare(first: Path | str, second: Path | str, split: str) -> Comparison:
    """Compares two runs, or evaluations of runs, on a split.

    Args:
        first: Run folder, or folder of an evaluation.
        second: Likewise.
        split: A split that both were scored on.

    Raises:
        RunError: If one has no scores of single pictures, or they are of other classes, pictures or masks, or
            of another protocol (`runs.check_same_protocol`).
    """
    pair = runs.paired_confusions(first, second, split)
    classes = runs.read_confusion(runs.plain_record(first, split), split)[1]
    base = pair[0].sum(0)
    try:
        return Comparison(
            classes,
            metrics.iou(base),
            metrics.mean_iou(base),
            paired_bootstrap(*pair, metrics.iou),
            paired_bootstrap(*pair, metrics.mean_iou),
        )
    except DataError as error:
        raise RunError(f"{first}, {second}: {error}") from None


def comparison_table(folders: Sequence[Path | str], split: str) -> str:
    """The first run's IoU in per cent, and the differences of the others from it in points, as text.

    A star marks a difference whose 95 % confidence interval leaves out 0. Among many classes one in twenty
    does so by chance.
    """
    found = [compare(folders[0], other, split) for other in folders[1:]]
    lines = [f"[{number}] {folder}" for number, folder in enumerate(folders)]
    header = f"{'class':16} {'[0] IoU %':>9}"
    lines.append(header + "".join(f"   {f'[{n}] - [0], 95 % interval':<26}" for n in range(1, len(folders))))
    base = found[0]
    rows = [(name, base.first[k], [(c.iou, k) for c in found]) for k, name in enumerate(base.classes)]
    for name, value, differences in rows:
        cells = (_difference(d.value[k], d.low[k], d.high[k]) for d, k in differences)
        lines.append(f"{name:16} {_points(value, 9)}" + "".join(cells))
    cells = (_difference(c.mean_iou.value, c.mean_iou.low, c.mean_iou.high) for c in found)
    lines.append(f"{'mean':16} {_points(base.first_mean, 9)}" + "".join(cells))
    return "\n".join(lines)


def _difference(value: float, low: float, high: float) -> str:
    star = "*" if low > 0 or high < 0 else " "
    return f"   {_points(value, 6, '+')}{star} [{_points(low, 6, '+')}, {_points(high, 6, '+')}]  "


def _points(share: float, width: int, sign: str = "") -> str:
    return "-".rjust(width) if np.isnan(share) else f"{100 * share:{sign}{width}.2f}"
