"""How sure a score is: the bootstrap over pictures (Efron and Tibshirani 1993, chapters 13 and 16).

Pixels of one picture depend on each other, pictures much less, so pictures are what is drawn. A split that
consists of a few drives, as CamVid's does, has fewer independent parts than pictures: then the intervals
here are too narrow. So they are where pictures are few, and below `MIN_PICTURES` there are none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from seglab.errors import DataError

# With fewer the interval is far too narrow: of two equal networks one then seems to be better too often.
MIN_PICTURES = 10
# For people, below a table of intervals.
CAVEAT = (
    "Intervals take pictures as independent; frames of one video are not, and true intervals are then wider. "
    f"Fewer than {MIN_PICTURES} pictures give none."
)

Score = Callable[[np.ndarray], "float | np.ndarray"]


@dataclass(frozen=True)
class Interval:
    """A score with its confidence interval; floats, or arrays (K,) for a score with one value per class."""

    value: float | np.ndarray
    low: float | np.ndarray
    high: float | np.ndarray


def bootstrap(
    confusions: np.ndarray, score: Score, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> Interval:
    """The percentile interval of a score over pictures drawn with replacement.

    Args:
        confusions: int (N, K, K), the matrix of each picture.
        score: Takes a stack (B, K, K) and returns (B,) or (B, K); the functions of `seglab.metrics` do.
        level: Coverage in (0, 1).
        resamples: How many sets of N pictures are drawn.
        seed: Of the draw.

    Returns:
        The score of all pictures, and the interval's ends; NaN where a class is in no picture, and the ends
        of fewer than `MIN_PICTURES` pictures.

    Raises:
        DataError: If there is no picture.
    """
    drawn = score(_resample(confusions, resamples, seed))
    return Interval(score(confusions.sum(0)), *_ends(drawn, level, len(confusions)))


def paired_bootstrap(
    first: np.ndarray,
    second: np.ndarray,
    score: Score,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """As `bootstrap`, for `score(second) - score(first)` on the same pictures, drawn together.

    What makes a picture hard makes it hard for both; drawn together this cancels out, so that the interval is
    narrower than those of the two scores suggest.

    Raises:
        DataError: If the two were not counted on the same truth.
    """
    if first.shape != second.shape or (first.sum(2) != second.sum(2)).any():
        raise DataError("the two were not scored on the same pictures and masks, so they cannot be paired")
    value = score(second.sum(0)) - score(first.sum(0))
    drawn = score(_resample(second, resamples, seed)) - score(_resample(first, resamples, seed))
    return Interval(value, *_ends(drawn, level, len(first)))


def _resample(confusions: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Sums of pictures drawn with replacement, float64 (resamples, K, K), whole numbers below 2^53."""
    number, *shape = confusions.shape
    if number == 0:
        raise DataError("there is no picture to draw from")
    times = np.random.default_rng(seed).multinomial(number, np.full(number, 1 / number), resamples)
    sums = times.astype(np.float64) @ confusions.reshape(number, -1).astype(np.float64)
    return sums.reshape(resamples, *shape)


def _ends(drawn: np.ndarray, level: float, pictures: int) -> tuple:
    """The two quantiles, over the draws in which the score exists."""
    empty = np.isnan(drawn).all(0) | (pictures < MIN_PICTURES)
    ends = np.nanquantile(np.where(empty, 0.0, drawn), [(1 - level) / 2, (1 + level) / 2], axis=0)
    return tuple(np.where(empty, np.nan, end)[()] for end in ends)
