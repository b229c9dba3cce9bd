"""What a learning-rate range test found, on disk and as numbers to read from it; no torch.

    <folder>/config.yaml    the complete Experiment whose first phase was run
             curve.csv      one row per step: `lr`, `loss`, `smoothed`

The test itself is `seglab.trainers.lr_range`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from seglab import runs
from seglab.config import Experiment
from seglab.errors import DiskError, RunError

SMOOTHING = 0.9
# The mean age of what a running mean of this smoothing holds, in steps: by so much it trails the loss.
TRAIL = round(SMOOTHING / (1 - SMOOTHING))


@dataclass(frozen=True)
class LrCurve:
    """The loss over the learning rate.

    Args:
        lr: float64 (N,), the rate of each step, growing by the same factor from step to step.
        loss: float64 (N,), the loss of each step's batch before the step was taken.
        smoothed: float64 (N,), its running mean.
    """

    lr: np.ndarray
    loss: np.ndarray
    smoothed: np.ndarray

    @property
    def suggestion(self) -> float | None:
        """The rate at which the loss falls most steeply; None if it never falls."""
        # Until the running mean holds its share of steps, it moves with every single batch.
        slope = np.diff(self.smoothed)[TRAIL:]
        if slope.size == 0 or slope.min() >= 0:
            return None
        return self._rate_at(TRAIL + 1 + int(slope.argmin()))

    @property
    def tenth_of_minimum(self) -> float | None:
        """A tenth of the rate at which the loss is lowest: the other usual choice, the more careful one.

        None if it is lowest at the very end, which says where the test ended and not where the loss turns.
        """
        lowest = int(self.smoothed.argmin())
        return None if lowest == self.smoothed.size - 1 else self._rate_at(lowest) / 10

    @property
    def marks(self) -> dict[str, float]:
        """The rates that the curve speaks for, by what they are."""
        marks = {"steepest": self.suggestion, "a tenth of the lowest": self.tenth_of_minimum}
        return {what: rate for what, rate in marks.items() if rate is not None}

    def _rate_at(self, step: int) -> float:
        """The rate that made the running mean what it is at a step."""
        return float(self.lr[max(0, step - TRAIL)])


def check_can_be_made(folder: Path | str) -> None:
    """Refuses the folder of a range test before minutes of work.

    Raises:
        RunError: If it exists already.
        DiskError: If it cannot be made.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True)
        folder.rmdir()
    except FileExistsError:
        raise RunError(
            f"{folder}: exists already, and range tests are never overwritten; allowed is another folder "
            "(--out)"
        ) from None
    except OSError as error:
        raise DiskError(f"{folder}: cannot be made ({error.strerror or error})") from None


def write(folder: Path | str, experiment: Experiment, curve: LrCurve) -> Path:
    """Makes the folder of a range test.

    Raises:
        RunError: If it exists already.
        DiskError: If it cannot be written.
    """
    folder = runs.create(folder, experiment)
    runs.write_text(folder / "curve.csv", pd.DataFrame(vars(curve)).to_csv(index=False, lineterminator="\n"))
    return folder


def read(folder: Path | str) -> tuple[Experiment, LrCurve]:
    """Reads what `write` wrote.

    Raises:
        RunError: If a file is missing or damaged.
    """
    path = Path(folder) / "curve.csv"
    try:
        table = pd.read_csv(path, dtype=str)  # pandas' own reading of numbers may miss the last bit
        columns = [table[column].to_numpy().astype(float) for column in ("lr", "loss", "smoothed")]
        if table.empty or not np.isfinite(columns).all():
            raise ValueError("no rows, or a cell that is no finite number")
        curve = LrCurve(*columns)
    except FileNotFoundError:
        raise RunError(f"{path}: there is no such file; `seglab lr-find` makes it") from None
    except (ValueError, KeyError) as error:  # pandas' own errors are ValueErrors
        raise RunError(f"{path}: damaged ({' '.join(str(error).split())})") from None
    return runs.read_experiment(folder), curve
