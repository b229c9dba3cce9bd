"""Who watches a training: the terminal, TensorBoard, a notebook."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from seglab.config import Experiment
from seglab.errors import ConfigError
from seglab.labels import LabelSpace


@dataclass
class Progress:
    """The state of a training as its observers see it.

    Args:
        experiment: What is being run.
        folder: Its run folder.
        labels: The classes.
        steps_per_epoch: Optimizer steps in an epoch.
        predict: Predicts one picture (uint8 (H,W,3)) with the current weights, uint8 (H,W) of train ids; set
            before each epoch.
        epoch: Epochs done.
        batch: Batches done of the current epoch.
        step: Optimizer steps done.
        losses: Loss of each step of the current epoch that was not left out.
        seconds: Time spent on the current epoch.
        cpu_seconds: Processor time spent on it, of all threads of the main process; what loader processes
            take is counted when they have ended.
        loss: Loss of the last step that was not left out, NaN before.
        lr: Learning rate of the last step.
        images_per_second: Training speed of the current epoch.
        history: One row per finished epoch, as in `history.csv`.
        confusion: Confusion matrix of the last evaluation, int64 (K,K), or None.
        best: Number and weights of the epoch with the best score, where that is to be selected.
    """

    experiment: Experiment
    folder: Path
    labels: LabelSpace
    steps_per_epoch: int
    predict: Callable[[np.ndarray], np.ndarray] | None = None
    epoch: int = 0
    batch: int = 0
    step: int = 0
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    loss: float = float("nan")
    lr: float = float("nan")
    images_per_second: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
    confusion: np.ndarray | None = None
    best: dict[str, Any] | None = None


class Observer:
    """Told what happens; each method may be left out."""

    def message(self, text: str) -> None:
        """Something worth a line, such as the chosen number format."""

    def start(self, progress: Progress) -> None:
        """Training begins, or goes on after a resume."""

    def step(self, progress: Progress) -> None:
        """An optimizer step is done."""

    def epoch(self, progress: Progress) -> None:
        """An epoch is done and recorded in the history."""

    def end(self, progress: Progress) -> None:
        """Training has ended, in whatever way."""


class Terminal(Observer):
    """A progress bar with images/s and the time left, and a line per epoch; plain lines in a log file."""

    def __init__(self) -> None:
        self.bar: tqdm | None = None

    def message(self, text: str) -> None:
        tqdm.write(text, file=sys.stderr)

    def start(self, progress: Progress) -> None:
        self.message(f"{progress.folder}: {progress.experiment.training.epochs} epochs")
        self.bar = tqdm(
            total=progress.experiment.training.epochs * progress.steps_per_epoch,
            initial=progress.step,
            unit="step",
            dynamic_ncols=True,
            disable=not sys.stderr.isatty(),
        )

    def step(self, progress: Progress) -> None:
        now = f"loss {progress.loss:.3f}, {progress.images_per_second:.1f} images/s"
        self.bar.set_postfix_str(now, refresh=False)
        self.bar.update()

    def epoch(self, progress: Progress) -> None:
        self.message(epoch_line(progress))

    def end(self, progress: Progress) -> None:
        self.bar.close()


class TensorBoard(Observer):
    """Writes the history as TensorBoard scalars into the run folder.

    Raises:
        ConfigError: If the `tensorboard` package is missing.
    """

    def __init__(self) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise ConfigError(
                "training.tensorboard: the package is not installed; pip install 'seglab[tensorboard]'"
            ) from None
        self.open = SummaryWriter

    def start(self, progress: Progress) -> None:
        self.writer = self.open(str(progress.folder / "tensorboard"))

    def epoch(self, progress: Progress) -> None:
        for name, value in progress.history[-1].items():
            if isinstance(value, int | float):
                self.writer.add_scalar(name, value, progress.epoch)
        self.writer.flush()

    def end(self, progress: Progress) -> None:
        self.writer.close()


def epoch_line(progress: Progress) -> str:
    """One line about the last epoch, for people."""
    row = progress.history[-1]
    left = tqdm.format_interval((progress.experiment.training.epochs - progress.epoch) * row["seconds"])
    loss = "none was finite" if row["loss"] is None else f"{row['loss']:.4f}"
    scores = "" if row["mean_iou"] is None else f"mean IoU {row['mean_iou']:.3f}  "
    return (
        f"epoch {progress.epoch:3d}/{progress.experiment.training.epochs}  loss {loss}  {scores}"
        f"{row['images_per_second']:.1f} images/s  {left} left"
    )
