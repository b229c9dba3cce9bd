"""What a training writes down about itself: rows of the history, summary, provenance."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch

from seglab import metrics, runs
from seglab.analysis.complexity import model_complexity
from seglab.config import Experiment
from seglab.trainers.learner import Learner
from seglab.trainers.observers import Progress


def history_row(progress: Progress, phase: str, skipped: int) -> dict[str, Any]:
    """One row of `history.csv`, at the end of an epoch.

    Args:
        progress: The state of the training.
        phase: Name of the epoch's phase.
        skipped: Steps left out so far, because their loss or gradient was not finite.
    """
    confusion = progress.confusion
    return {
        "epoch": progress.epoch,
        "phase": phase,
        "step": progress.step,
        "lr": progress.lr,
        "loss": float(np.mean(progress.losses)) if progress.losses else None,
        "mean_iou": None if confusion is None else metrics.mean_iou(confusion),
        "pixel_accuracy": None if confusion is None else metrics.pixel_accuracy(confusion),
        "skipped_steps": skipped,
        "images_per_second": round(progress.images_per_second, 3),
        "seconds": round(progress.seconds, 3),
        "cpu_seconds": round(progress.cpu_seconds, 3),
    }


def summary(
    experiment: Experiment,
    progress: Progress,
    selected_epoch: int,
    confusions: dict[str, np.ndarray],
    picture_size: tuple[int, int],
) -> dict[str, Any]:
    """What `summary.json` holds, but for the provenance.

    Args:
        experiment: What was run.
        progress: Its end.
        selected_epoch: The epoch whose weights are the result.
        confusions: Confusion matrix of those weights by split.
        picture_size: Height and width of a picture.
    """
    history = progress.history
    return {
        "scores": {
            split: {
                "mean_iou": metrics.mean_iou(confusion),
                "classes": metrics.scored_classes(confusion),
                "pixel_accuracy": metrics.pixel_accuracy(confusion),
            }
            for split, confusion in confusions.items()
        },
        "selected_epoch": selected_epoch,
        "best_epoch": best_epoch(experiment, history),
        "cost": _cost(experiment, progress.labels.num_classes, picture_size),
        "time": {
            "seconds": round(sum(row["seconds"] for row in history), 1),
            "cpu_seconds": round(sum(row["cpu_seconds"] for row in history), 1),
            "images_per_second": float(np.median([row["images_per_second"] for row in history])),
            "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        },
    }


def best_epoch(experiment: Experiment, history: list[dict[str, Any]]) -> int:
    """The epoch with the highest mean IoU, of equally good ones the last; 0 if none was scored.

    Only epochs compete that score what is kept: those whose phase has the head of the last one.
    """
    heads = [phase.head for phase in experiment.plan for _ in range(phase.epochs)]
    competing = [row for row in history if heads[row["epoch"] - 1] == heads[-1]]
    scored = [row for row in competing if row["mean_iou"] is not None]
    if not scored:
        return 0
    return max(scored, key=lambda row: (row["mean_iou"], row["epoch"]))["epoch"]


def _cost(experiment: Experiment, num_classes: int, picture_size: tuple[int, int]) -> dict[str, Any]:
    """Parameters, and multiply-adds for a whole picture as the network sees it."""
    size = experiment.data.input_size or picture_size
    model = experiment.model.untrained
    cost = model_complexity(model.name, num_classes, size, **model.options)
    return {"params": cost.params, "macs": cost.macs, "input_size": list(size)}


def provenance(learner: Learner, data_digests: dict[str, str]) -> dict[str, Any]:
    """What is needed to judge and to repeat a run.

    Args:
        learner: Knows device, number format and processes.
        data_digests: Identity of what was read, by split.
    """
    execution = learner.execution
    cuda = execution.device.type == "cuda"
    return runs.provenance(
        learner.experiment,
        code_revision=runs.code_revision(),
        data_digests=data_digests,
        device=torch.cuda.get_device_name(execution.device) if cuda else "cpu",
        precision=execution.precision,
        memory_format=execution.memory_format,
        threads=torch.get_num_threads(),
        processes=learner.processes.world_size,
    )


# What bears on the result.
_DECISIVE = (
    "code_revision", "versions", "processor", "device", "precision", "memory_format", "threads", "processes",
    "data_digests",
)  # fmt: skip


def changes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What bears on the result and differs between two sittings of a run, or two trainings of one experiment.

    What only one of them recorded, as older runs did, says nothing.
    """
    return [name.replace("_", " ") for name in _changed(before, now)]


def _changed(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    known = [name for name in _DECISIVE if name in before and name in now]
    return [name for name in known if before[name] != now[name]]


def enter_sittings(provenance: dict[str, Any], before: dict[str, Any], step: int) -> list[str]:
    """Enters in the provenance of a resumed run where it was stopped, and what was another until then.

    Args:
        provenance: Of the sitting that begins. It gets `resumed_at_steps`; and, where something differed from
            one sitting to the next, `sittings`: what the earlier one had, and its last step, `until_step`.
        before: That of the sitting before.
        step: The steps that were taken before.

    Returns:
        What differs now, as `changes`.
    """
    provenance["resumed_at_steps"] = [*before.get("resumed_at_steps", []), step]
    sittings = list(before.get("sittings", []))
    if changed := _changed(before, provenance):
        sittings.append({"until_step": step, **{name: before[name] for name in changed}})
    if sittings:
        provenance["sittings"] = sittings
    return changes(before, provenance)
