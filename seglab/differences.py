"""Which differences between networks are more than chance? Two answers, for two kinds of chance. No torch.

Another seed gives other weights, another draw of test pictures other scores, and neither covers the other.
Of the pairs that do not differ, one in twenty is outside its 95 % interval by chance alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import pandas as pd
from scipy import stats

from seglab import comparison, metrics, runs
from seglab.metrics.intervals import paired_bootstrap
from seglab.results import MissingResults, Results

LEVEL = 0.95  # of the intervals over seeds


@dataclass(frozen=True)
class SeedSpread:
    """How far the scores of seeds lie apart: one standard deviation, assumed to be that of every network.

    One seed says nothing about its own spread. So a single deviation is pooled over all networks with several
    seeds, and the intervals are Student's. That all have this one spread is an assumption, which two or three
    seeds of each cannot test.

    Args:
        deviation: Standard deviation of the score of one seed.
        degrees: Degrees of freedom behind it, at least 1.
    """

    deviation: float
    degrees: int

    def interval(self, value: float, seeds: int, other_seeds: int) -> tuple[float, float]:
        """The ends of the interval of a difference between two means, by the seeds behind each."""
        error = self.deviation * math.sqrt(1 / seeds + 1 / other_seeds)
        half = float(stats.t.ppf((1 + LEVEL) / 2, self.degrees)) * error
        return value - half, value + half

    def __str__(self) -> str:
        degrees = f"{self.degrees} degree{'s' * (self.degrees > 1)} of freedom"
        return f"a seed's standard deviation: {100 * self.deviation:.2f} points, {degrees}"


def seed_spread(table: pd.DataFrame, column: str) -> SeedSpread:
    """Pools the spread over the seeds.

    Args:
        table: Rows of `Results.runs`, all of one study; those without the score are left out.
        column: The score, such as `scores.test.mean_iou`.

    Raises:
        MissingResults: If no run has the score, or nothing two seeds.
    """
    if column not in table:
        raise MissingResults(f"no run has {column!r}", "seglab study-full")
    groups = table.groupby("name")[column]
    degrees = (groups.count() - 1).clip(lower=0)
    if not degrees.sum():
        raise MissingResults("no network has two seeds", "seglab study-full")
    variance = (groups.var() * degrees).sum() / degrees.sum()
    return SeedSpread(math.sqrt(variance), int(degrees.sum()))


def seed_differences(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Differences between mean scores, with the 95 % intervals that the spread over the seeds gives.

    Args:
        table: Rows of `Results.runs`, all of one study; those without the score are left out.
        column: The score, such as `scores.test.mean_iou`.

    Returns:
        One row per pair, the better one first: `better`, `worse`, `value`, `low`, `high`.

    Raises:
        MissingResults: If no run has the score, there is no pair, or nothing with two seeds.
    """
    spread = seed_spread(table, column)
    groups = table.dropna(subset=column).groupby("name")[column]
    mean, number = groups.mean().sort_values(ascending=False, kind="stable"), groups.count()
    if len(mean) < 2:
        raise MissingResults("no two networks", "seglab study-full")
    rows = []
    for better, worse in combinations(mean.index, 2):
        value = mean[better] - mean[worse]
        rows.append((better, worse, value, *spread.interval(value, number[better], number[worse])))
    return _pairs(rows)


def ablation_differences(results: Results) -> pd.DataFrame:
    """What each change to approach 3 adds to its mean IoU on CamVid's test split.

    Returns:
        One row per change that was trained, by name in the plan's order: `value`, and the ends of its 95 %
        interval, `low` and `high`, which are NaN as long as no network of the comparison has two seeds.

    Raises:
        MissingResults: If there is no change, or no run of approach 3 itself.
    """
    table, column = results.ablations, "scores.test.mean_iou"
    base, spread = table["name"].iloc[0], comparison_spread(results)
    groups = table.groupby("name")[column]
    mean, number = groups.mean(), groups.count()
    rows = {}
    for name in (one.name for one in comparison.ablations() if one.name in mean.index):
        value = mean[name] - mean[base]
        ends = spread.interval(value, number[name], number[base]) if spread else (math.nan, math.nan)
        rows[name] = (value, *ends)
    return pd.DataFrame(rows, index=["value", "low", "high"]).T


def comparison_spread(results: Results, *, with_gpu: bool = True) -> SeedSpread | None:
    """The spread over the seeds of the comparison's networks; None as long as none has two.

    Args:
        results: The folder of results.
        with_gpu: Whether runs of a GPU count.
    """
    try:
        table = results.comparison
        return seed_spread(table if with_gpu else table[~table["on_gpu"]], "scores.test.mean_iou")
    except MissingResults:
        return None


def picture_differences(table: pd.DataFrame, split: str) -> pd.DataFrame:
    """Differences between the mean IoU of single runs, with 95 % intervals over the pictures of a split.

    It is the paired bootstrap that `seglab compare` prints. It says whether other test pictures would have
    given another answer about *these weights*, and nothing about other seeds.

    Args:
        table: Rows of `Results.runs`, all of one study; of each name the first seed is taken.
        split: That all were scored on, picture by picture.

    Returns:
        As `seed_differences`.

    Raises:
        MissingResults: If there is no pair.
        RunError: If two runs are of different protocols, or one has no scores of single pictures.
    """
    folders = table.sort_values("seed").drop_duplicates("name").set_index("name")["folder"]
    if len(folders) < 2:
        raise MissingResults("no two networks", "seglab study-full")
    score = {name: metrics.mean_iou(runs.read_confusion(one, split)[0]) for name, one in folders.items()}
    rows = []
    for better, worse in combinations(sorted(score, key=lambda name: -score[name]), 2):
        pair = runs.paired_confusions(folders[worse], folders[better], split)
        found = paired_bootstrap(*pair, metrics.mean_iou)
        rows.append((better, worse, found.value, found.low, found.high))
    return _pairs(rows)


def _pairs(rows: list[tuple]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["better", "worse", "value", "low", "high"])


def points(fraction: float) -> str:
    """A difference of scores in points, with its sign; what rounds to nothing has a plus."""
    return f"{round(100 * fraction, 1) + 0.0:+.1f}"
