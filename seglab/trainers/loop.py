"""The training loop: from an Experiment to a finished run folder, in the order in which things happen.

One code path serves the CPU, a GPU and several processes under `torchrun`. All randomness is a function of
the seed and of the epoch or step, so a resumed run ends with the weights of an uninterrupted one.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from seglab import checkpoints, metrics, runs
from seglab.analysis.complexity import model_complexity
from seglab.config import Experiment, config_hash
from seglab.datasets import SegmentationDataset, create_dataset
from seglab.datasets.cache import cached
from seglab.datasets.loading import TrainingBatches, evaluation_samples
from seglab.datasets.statistics import class_weights
from seglab.errors import CheckpointError, DivergedError
from seglab.evaluation.confusion import count_confusion
from seglab.evaluation.execution import Execution, choose_execution
from seglab.evaluation.inference import Predictor
from seglab.models import create_model
from seglab.trainers.learner import Learner
from seglab.trainers.objectives import Objective
from seglab.trainers.observers import Observer, Progress, TensorBoard
from seglab.trainers.processes import Processes, join_processes

# Steps between two looks at the loss: each look waits for the device.
READ_LOSS_EVERY = 10


def train(
    experiment: Experiment,
    folder: Path | str | None = None,
    *,
    resume: bool = False,
    observers: Sequence[Observer] = (),
) -> dict[str, Any]:
    """Trains a network and writes its run folder.

    Args:
        experiment: What to do.
        folder: The run folder, new unless `resume`; None takes `runs.default_folder`.
        resume: Go on from the newest checkpoint in `folder`; from the start if it has none yet.
        observers: Told of the progress, on the process of rank 0.

    Returns:
        The summary, as in `summary.json`.

    Raises:
        ConfigError, DataError: If the experiment or its data cannot be used; nothing is written then.
        RunError: If the folder exists, or, with `resume`, is missing, finished or of another experiment.
        DivergedError: If the loss became NaN or infinite.
    """
    folder = Path(folder) if folder is not None else runs.default_folder(experiment)
    runs.check_folder(folder, experiment, resume)
    data, training = experiment.data, experiment.training
    processes = join_processes(training.device)
    observers = list(observers) if processes.is_main else []

    # ---- data: opened, and found to be there, before anything is written
    # by one process first, so that only one decodes
    for turn in (True, False):
        if processes.is_main is turn:
            sets = {split: _open_split(experiment, split) for split in _splits(experiment)}
        processes.barrier()
    train_set = sets[data.train_split]
    labels = train_set.labels
    batches = TrainingBatches(
        train_set,
        data,
        experiment.augment,
        training.batch_size,
        experiment.seed,
        rank=processes.rank,
        world_size=processes.world_size,
        device_type=processes.device.type,
    )

    # ---- network: built on the CPU, so that the seed gives the same weights on every device
    torch.manual_seed(experiment.seed)
    model = create_model(experiment.model.name, labels.num_classes, **experiment.model.options)
    objective = Objective(experiment.loss, class_weights(experiment.loss, train_set))

    def build_learner(model: nn.Module, execution: Execution, processes: Processes) -> Learner:
        total_steps = training.epochs * len(batches)
        return Learner(experiment, model, objective, execution, processes, total_steps)

    def say(text: str) -> None:
        for observer in observers:
            observer.message(text)

    state = _checkpoint(folder, experiment) if resume else None
    if state is not None:
        execution = Execution(processes.device, **state["execution"])
    else:
        execution = _choose_execution(experiment, model, build_learner, batches, processes, say)
    say(f"running on {execution.describe()}")
    learner = build_learner(model, execution, processes)
    # now, because files may change while the training runs
    provenance = _provenance(learner, {split: dataset.digest() for split, dataset in sets.items()})

    # ---- the run folder: new, or continued from its newest checkpoint
    predictor = Predictor(learner.evaluated, execution, data, labels)
    progress = Progress(experiment, folder, labels, len(batches), predictor)
    if training.tensorboard and processes.is_main:
        observers.append(TensorBoard())
    if state is not None:
        learner.load_state_dict(state)
        progress.epoch, progress.step, progress.history = state["epoch"], state["steps"], state["history"]
        for change in _changes(state["provenance"], provenance):
            say(f"another {change} than before the stop: the result may differ from an uninterrupted run's")
        stops = state["provenance"].get("resumed_after_epochs", [])
        provenance["resumed_after_epochs"] = [*stops, progress.epoch]
        say(f"resumed after epoch {progress.epoch}")
    if processes.is_main and not resume:
        runs.create(folder, experiment)

    # ---- epochs
    for observer in observers:
        observer.start(progress)
    try:
        while progress.epoch < training.epochs:
            started = time.perf_counter()
            loss = _train_epoch(learner, batches, progress, observers)
            learner.share_buffers()
            progress.epoch += 1
            due = progress.epoch % training.evaluate_every == 0 or progress.epoch == training.epochs
            progress.confusion = _evaluate(learner, sets[data.eval_split]) if due else None
            progress.history.append(_history_row(progress, loss, time.perf_counter() - started))
            if processes.is_main:
                _save(learner, progress, provenance)
                runs.write_history(folder, progress.history)
            for observer in observers:
                observer.epoch(progress)
    finally:
        for observer in observers:
            observer.end(progress)

    # ---- scores of the selected weights, on every split that is to be reported
    if training.select == "best":
        processes.barrier()  # until rank 0 has written it
        best = checkpoints.load_newest(folder / "checkpoints", "best")
        learner.evaluated.load_state_dict(best["weights"])
    confusions = {split: _evaluate(learner, sets[split]) for split in data.report_splits}
    summary = _summary(learner, progress, confusions, train_set.read_mask(0).shape)
    summary["provenance"] = provenance
    if processes.is_main:
        for split, confusion in confusions.items():
            runs.write_confusion(folder, split, confusion, labels.classes)
        runs.write_summary(folder, summary)
    processes.leave()
    return summary


def _splits(experiment: Experiment) -> list[str]:
    data = experiment.data
    return list(dict.fromkeys([data.train_split, data.eval_split, *data.report_splits]))


def _open_split(experiment: Experiment, split: str) -> SegmentationDataset:
    dataset = create_dataset(experiment.data.name, split, experiment.data.root)
    return cached(dataset, experiment.data.cache_gib)


def _choose_execution(
    experiment: Experiment,
    model: nn.Module,
    build_learner: Callable[[nn.Module, Execution, Processes], Learner],
    batches: TrainingBatches,
    processes: Processes,
    say: Callable[[str], None],
) -> Execution:
    """Resolves `auto` by timing real steps on copies of the network; rank 0 decides for all processes."""
    chosen: list[Any] = [None]
    if processes.is_main:
        alone = Processes(processes.device)
        batch = next(batches.epoch(0))
        learners: dict[Execution, Learner] = {}

        def step(execution: Execution) -> None:
            if execution not in learners:
                learners.clear()  # one copy at a time
                learners[execution] = build_learner(copy.deepcopy(model), execution, alone)
            learners[execution].step(batch)

        shape = tuple(batch["mask"].shape)
        chosen = [choose_execution(alone.device, experiment.training, experiment.model, shape, step, say)]
    if processes.world_size > 1:
        torch.distributed.broadcast_object_list(chosen, src=0)
    return replace(chosen[0], device=processes.device)


def _train_epoch(
    learner: Learner, batches: TrainingBatches, progress: Progress, observers: Sequence[Observer]
) -> float:
    """Trains for one epoch and returns the mean loss of its steps."""
    losses: list[Tensor] = []
    started = time.perf_counter()
    for batch in batches.epoch(progress.epoch):
        progress.lr = learner.lr
        losses.append(learner.step(batch))
        progress.step = learner.steps
        if learner.steps % READ_LOSS_EVERY == 0 or len(losses) == 1:
            progress.loss = _finite(losses[-1], progress)
        pictures = len(losses) * learner.experiment.training.batch_size
        progress.images_per_second = pictures / (time.perf_counter() - started)
        for observer in observers:
            observer.step(progress)
    return _finite(torch.stack(losses).mean(), progress)


def _finite(loss: Tensor, progress: Progress) -> float:
    """Reads a loss, and stops the training if it is no number."""
    value = float(loss)
    if not math.isfinite(value):
        raise DivergedError(
            f"{progress.folder}: the loss became {value} by step {progress.step}, in epoch "
            f"{progress.epoch + 1}; the checkpoints of the epochs before are intact. A smaller optimizer.lr "
            "or training.clip_norm=1 may help"
        )
    return value


def _evaluate(learner: Learner, dataset: SegmentationDataset) -> np.ndarray:
    """The confusion matrix over a split, each picture counted once by one of the processes."""
    processes, config = learner.processes, learner.experiment
    samples = evaluation_samples(dataset, processes.rank, processes.world_size)
    confusion = count_confusion(
        learner.evaluated, samples, dataset.labels.num_classes, learner.execution, config.data
    )
    return processes.sum(confusion).cpu().numpy()


def _history_row(progress: Progress, loss: float, seconds: float) -> dict[str, Any]:
    confusion = progress.confusion
    return {
        "epoch": progress.epoch,
        "step": progress.step,
        "lr": progress.lr,
        "loss": loss,
        "mean_iou": None if confusion is None else metrics.mean_iou(confusion),
        "pixel_accuracy": None if confusion is None else metrics.pixel_accuracy(confusion),
        "images_per_second": round(progress.images_per_second, 3),
        "seconds": round(seconds, 3),
    }


def _save(learner: Learner, progress: Progress, provenance: dict[str, Any]) -> None:
    """Writes the `last` checkpoint, and the `best` one unless an earlier epoch scored higher."""
    folder = progress.folder / "checkpoints"
    state = {"config_hash": config_hash(progress.experiment), "epoch": progress.epoch, **learner.state_dict()}
    scores = [row["mean_iou"] for row in progress.history if row["mean_iou"] is not None]
    if progress.confusion is not None and not scores[-1] < max(scores):
        best = {key: state[key] for key in ("config_hash", "epoch", "weights")}
        checkpoints.save(folder, "best", progress.step, best, keep=1)
    execution = {"precision": learner.execution.precision, "memory_format": learner.execution.memory_format}
    last = {**state, "history": progress.history, "execution": execution, "provenance": provenance}
    checkpoints.save(folder, "last", progress.step, last, keep=2)


def _checkpoint(folder: Path, experiment: Experiment) -> dict[str, Any] | None:
    """The newest checkpoint of a run that is to be resumed; None if it was stopped before its first."""
    if not any((folder / "checkpoints").glob("last-*.pt")):
        return None
    state = checkpoints.load_newest(folder / "checkpoints", "last")
    if state["config_hash"] != config_hash(experiment):
        raise CheckpointError(f"{folder}: the newest checkpoint is of another experiment than config.yaml")
    return state


def _changes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What bears on the result and differs between two sessions of a run."""
    names = ("code_revision", "versions", "processor", "device", "threads", "processes", "data_digests")
    return [name.replace("_", " ") for name in names if before[name] != now[name]]


def _summary(
    learner: Learner,
    progress: Progress,
    confusions: dict[str, np.ndarray],
    picture_size: tuple[int, int],
) -> dict[str, Any]:
    """What `summary.json` holds, but for the provenance."""
    experiment, history = learner.experiment, progress.history
    scored = [row for row in history if row["mean_iou"] is not None]
    best = max(scored, key=lambda row: (row["mean_iou"], row["epoch"]))
    speeds = [row["images_per_second"] for row in history]
    return {
        "scores": {
            split: {
                "mean_iou": metrics.mean_iou(confusion),
                "classes": metrics.scored_classes(confusion),
                "pixel_accuracy": metrics.pixel_accuracy(confusion),
            }
            for split, confusion in confusions.items()
        },
        "selected_epoch": (best if experiment.training.select == "best" else history[-1])["epoch"],
        "best_epoch": best["epoch"],
        "cost": _cost(experiment, progress.labels.num_classes, picture_size),
        "time": {
            "seconds": round(sum(row["seconds"] for row in history), 1),
            "images_per_second": float(np.median(speeds)),
            "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        },
    }


def _cost(experiment: Experiment, num_classes: int, picture_size: tuple[int, int]) -> dict[str, Any]:
    """Parameters, and multiply-adds for a whole picture as the network sees it."""
    size = experiment.data.input_size or picture_size
    cost = model_complexity(experiment.model.name, num_classes, size, **experiment.model.options)
    return {"params": cost.params, "macs": cost.macs, "input_size": list(size)}


def _provenance(learner: Learner, data_digests: dict[str, str]) -> dict[str, Any]:
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
