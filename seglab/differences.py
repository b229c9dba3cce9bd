"""Which differences between networks are more than chance? Two answers, for two kinds of chance. No torch.

Another seed gives other weights, another draw of test pictures other scores, and neither covers the other.
Of the pairs that do not differ, one in twenty is outside its 95 % interval by chance alone.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from seglab import metrics, runs
from seglab.metrics.intervals import paired_bootstrap
from seglab.results import MissingResults


def seed_differences(table: pd.DataFrame, column: str, level: float = 0.95) -> pd.DataFrame:
    """Differences between mean scores, with the intervals that the spread over the seeds gives.

    One seed too few says nothing about its own spread, so a single standard deviation is assumed for all and
    pooled over those with several seeds; the intervals are Student's.

    Args:
        table: Rows of `Results.runs`, all of one study; those without the score are left out.
        column: The score, such as `scores.test.mean_iou`.
        level: Coverage in (0, 1).

    Returns:
        One row per pair, the better one first: `better`, `worse`, `value`, `low`, `high`.

    Raises:
        MissingResults: If no run has the score, there is no pair, or nothing with two seeds.
    """
    if column not in table:
        raise MissingResults(f"no run has {column!r}", "seglab study-full")
    groups = table.dropna(subset=column).groupby("name")[column]
    mean, number = groups.mean().sort_values(ascending=False, kind="stable"), groups.count()
    degrees = int((number - 1).sum())
    if len(mean) < 2 or not degrees:
        raise MissingResults("no two networks, or none with two seeds", "seglab study-full")
    variance = (groups.var() * (number - 1)).sum() / degrees
    rows = []
    for better, worse in combinations(mean.index, 2):
        error = np.sqrt(variance * (1 / number[better] + 1 / number[worse]))
        half = stats.t.ppf((1 + level) / 2, degrees) * error
        value = mean[better] - mean[worse]
        rows.append((better, worse, value, value - half, value + half))
    return _pairs(rows)


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
