"""The state of a training on disk: written now and then, and found again."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seglab import checkpoints
from seglab.config import Experiment, config_hash
from seglab.errors import CheckpointError
from seglab.trainers import record
from seglab.trainers.learner import Learner
from seglab.trainers.observers import Progress


class Saver:
    """Writes checkpoints of a training: now and then, and when it is asked to.

    Args:
        learner: Weights, optimizer and the rest that changes with a step.
        progress: Where in the run that is.
        provenance: How it was made.
        is_main: Whether this process is the one that writes.
    """

    # What a checkpoint holds of the progress.
    PROGRESS = (
        "epoch", "batch", "losses", "seconds", "cpu_seconds", "loss", "lr", "images_per_second", "history",
        "best",
    )  # fmt: skip

    def __init__(
        self, learner: Learner, progress: Progress, provenance: dict[str, Any], is_main: bool
    ) -> None:
        self.learner, self.progress, self.provenance, self.is_main = learner, progress, provenance, is_main
        self.saved = time.monotonic()

    def due(self) -> bool:
        """Whether the last checkpoint is old enough for another one."""
        every_s = self.progress.experiment.training.save_every_s
        return self.is_main and time.monotonic() - self.saved >= every_s

    def save(self) -> bool:
        """Writes a checkpoint, unless the last steps were left out: the weights may be beyond repair.

        Returns:
            Whether the state is on the disk, as far as this process writes at all.
        """
        if self.learner.skipped_in_a_row:
            return False
        if not self.is_main:
            return True
        execution = self.learner.execution
        state = {
            "config_hash": config_hash(self.progress.experiment),
            "execution": {"precision": execution.precision, "memory_format": execution.memory_format},
            "provenance": self.provenance,
            **{name: getattr(self.progress, name) for name in self.PROGRESS},
            **self.learner.state_dict(),
        }
        checkpoints.save(self.progress.folder / "checkpoints", self.learner.steps, state)
        self.saved = time.monotonic()
        return True


def newest_state(
    experiment: Experiment, run: Path, say: Callable[[str], None], is_main: bool
) -> dict[str, Any] | None:
    """The newest usable state of a run that is to be resumed; None if it has none yet.

    Damaged ones that are passed over are removed: `checkpoints.save` would take them for newer than what the
    training writes from now on, and keep them in the place of good ones.

    Args:
        experiment: What the run should be of.
        run: Its folder.
        say: Told of damaged checkpoints that are passed over.
        is_main: Whether this process is the one that writes; it has claimed the folder.

    Raises:
        CheckpointError: If there are checkpoints, but all are damaged, or the newest good one is of another
            experiment or of another release of seglab.
    """
    folder = run / "checkpoints"
    if not checkpoints.exist(folder):
        return None
    state, damaged = checkpoints.load_newest(folder)
    if state.get("config_hash") != config_hash(experiment):
        raise CheckpointError(
            f"{run}: the newest checkpoint is of another experiment than config.yaml, or of a release of "
            "seglab whose experiments have other fields"
        )
    if missing := sorted({"execution", "provenance", *Saver.PROGRESS} - state.keys()):
        raise CheckpointError(
            f"{run}: the newest checkpoint is of another release of seglab: it lacks {', '.join(missing)}"
        )
    for path in damaged:
        say(f"{path} is damaged and removed; going on from the checkpoint before it")
        if is_main:
            path.unlink(missing_ok=True)
    return state


def restore(
    state: dict[str, Any],
    learner: Learner,
    progress: Progress,
    provenance: dict[str, Any],
    say: Callable[[str], None],
) -> None:
    """Brings a training to where a state was saved.

    Args:
        state: From `newest_state`.
        learner: Takes over weights, optimizer and the rest.
        progress: Takes over where in the run that is.
        provenance: Of the sitting that begins; the earlier ones are entered.
        say: Told where the training goes on, and what is another than before.

    Raises:
        CheckpointError: If the state does not fit the network.
    """
    try:
        learner.load_state_dict(state)
    except (LookupError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"{progress.folder}: the newest checkpoint does not fit the network; it is of another release of "
            f"seglab, or was altered ({' '.join(str(error).split())})"
        ) from None
    for name in Saver.PROGRESS:
        setattr(progress, name, state[name])
    progress.step = learner.steps
    for change in record.enter_sittings(provenance, state["provenance"], progress.step):
        say(f"another {change} than before the stop: the result may differ from an uninterrupted run's")
    say(f"resumed after step {progress.step}, in epoch {progress.epoch + 1}")
