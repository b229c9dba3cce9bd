"""What the study expected before its first run, and what the runs say to it. No torch.

The expectations stand in notebook 04, in words; here they are as differences whose sign can be looked at.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from seglab import comparison
from seglab.differences import SeedSpread, comparison_spread, points
from seglab.evidence import LARGE, SMALL
from seglab.results import Results

CONTROL = "hrnetv2_w18"  # of approach 3: as many parameters


def expectations(results: Results) -> pd.DataFrame:
    """What was expected of the comparison before its first run, and what the runs say to it so far.

    An expectation is about the sign of a difference between two mean scores on CamVid's test split; its 95 %
    interval is that of `seed_differences`. Where several networks could stand for one side, it is the best.
    The last column leaves out what was trained on a GPU.

    Raises:
        MissingResults: If the comparison has no run.
    """
    made, rows = results.study(comparison.STUDY, "seglab study-full"), []
    for text, (expected, one, other) in _EXPECTATIONS.items():
        pair = [side(results) if callable(side) else side for side in (one, other)]
        row = {"we expected": text, "difference": " - ".join(f"`{name}`" for name in pair if name)}
        found = _difference(made, pair, comparison_spread(results))
        if found is None:
            row |= {"points": "-", "95 % interval": "-", "seeds": "-", "so far": "the runs are not there yet"}
        else:
            value, low, high, seeds = found
            row |= {
                "points": points(value),
                "95 % interval": f"{points(low)} to {points(high)}",
                "seeds": seeds,
                "so far": _so_far(expected, low, high),
            }
        here = _difference(made[~made["on_gpu"]], pair, comparison_spread(results, with_gpu=False))
        row["on processors alone"] = "-"
        if here is not None:
            value, low, high, _ = here
            row["on processors alone"] = f"{points(value)} ({points(low)} to {points(high)})"
        rows.append(row)
    return pd.DataFrame(rows)


def _difference(
    made: pd.DataFrame, pair: list[str | None], spread: SeedSpread | None
) -> tuple[float, float, float, str] | None:
    """Difference of two means, its interval, and the seeds behind both; None where runs are missing."""
    groups = made.groupby("name")["scores.test.mean_iou"]
    mean, seeds = groups.mean(), groups.count()
    if spread is None or not all(name in mean for name in pair):
        return None
    value, numbers = mean[pair[0]] - mean[pair[1]], seeds[pair].tolist()
    return value, *spread.interval(value, *numbers), " and ".join(map(str, numbers))


def _best(results: Results, chosen: pd.Series) -> str | None:
    """The network with the highest mean among those of the comparison that a mask picks."""
    scores = results.comparison[chosen].groupby("name")["scores.test.mean_iou"].mean()
    return None if scores.empty else scores.idxmax()


def _best_pretrained(results: Results) -> str | None:
    return _best(results, results.comparison["pretrained"])


def _best_from_chance(results: Results) -> str | None:
    return _best(results, ~results.comparison["pretrained"])


def _best_of_small(results: Results) -> str | None:
    """Of those from chance with at most a tenth of the largest network's parameters."""
    table, tenth = results.comparison, results.network(LARGE)["params"] / 10
    return _best(results, ~table["pretrained"] & (table["cost.params"] <= tenth))


def _so_far(expected: tuple[int, ...], low: float, high: float) -> str:
    """What an interval says to the signs that were expected of a difference; 0 is level."""
    seen = 1 if low > 0 else -1 if high < 0 else 0
    if seen == 0:
        return "nothing speaks against it" if 0 in expected else "not decided"
    return "holds" if seen in expected else "does not hold"


# By what is expected: the signs of the difference that would agree, and the two sides of it.
_EXPECTATIONS: dict[str, tuple[tuple[int, ...], str | Callable, str | Callable]] = {
    "pretraining beats architecture": ((1,), _best_pretrained, _best_from_chance),
    "the largest does not stand out from those with a tenth of its parameters": (
        (-1, 0), LARGE, _best_of_small,
    ),
    "approach 3 and its control are level": ((0,), SMALL, CONTROL),
    "batch normalisation is no worse in approach 3": ((0, 1), "a3_norm_batch", SMALL),
    "strong class weights cost mean IoU": ((-1,), "a3_weights_inverse", SMALL),
}  # fmt: skip
