"""The training loop: from an Experiment to a finished run folder, in the order in which things happen.

One code path serves the CPU, a GPU and several processes under `torchrun`. All randomness is a function of
the seed and of the epoch or step, so a run that is killed at any instant and resumed ends with the weights of
an uninterrupted one.
"""

from __future__ import annotations

import copy
import math
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seglab import checkpoints, runs
from seglab.config import Experiment
from seglab.datasets import SegmentationDataset, create_dataset
from seglab.datasets.cache import cached
from seglab.datasets.loading import TrainingBatches, evaluation_samples
from seglab.datasets.statistics import class_weights
from seglab.errors import ConfigError, DataError, DivergedError
from seglab.evaluation.confusion import count_images
from seglab.evaluation.execution import Execution, check_precision, choose_execution
from seglab.evaluation.inference import Predictor
from seglab.models import create_model
from seglab.models.base import SegmentationModel
from seglab.trainers import record
from seglab.trainers.interruption import Interrupted, StopRequest
from seglab.trainers.kernels import kernels
from seglab.trainers.learner import Learner
from seglab.trainers.objectives import Objective
from seglab.trainers.observers import Observer, Progress, TensorBoard
from seglab.trainers.phases import Timetable, check_plan, slow_starts
from seglab.trainers.processes import Processes, joined_processes
from seglab.trainers.saving import Saver, newest_state, restore


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
        ConfigError, DataError: If the experiment or its data cannot be used; nothing is written then. A
            picture that turns out damaged in mid-epoch is a DataError, too; the state before it is saved.
        RunError: If the folder exists; or, with `resume`, is missing, finished or of another experiment; or
            if another training is at work in it.
        DivergedError: If loss or gradient was not finite for too many steps in a row.
        DiskError: If a file cannot be written; what was saved before is intact.
        Interrupted: After Ctrl-C or SIGTERM, once the step is finished and saved.
    """
    folder = Path(folder) if folder is not None else runs.default_folder(experiment)
    runs.check_folder(folder, experiment, resume)
    device = experiment.training.device
    with joined_processes(device, agreed=(Interrupted,)) as processes, ExitStack() as stack:
        observers = list(observers) if processes.is_main else []
        if experiment.training.tensorboard and processes.is_main:
            observers.append(TensorBoard())  # before anything is written: its package may be missing
        claim = runs.claimed(folder, experiment, resume) if processes.is_main else nullcontext()
        stack.enter_context(kernels(experiment, processes.device))
        if resume:
            stack.enter_context(claim)
        training = Training(experiment, folder, processes, observers, resume)
        if not resume:
            stack.enter_context(claim)
        return training.run(stack.enter_context(StopRequest()))


class Training:
    """A training that is ready to run: data opened, network built, number format chosen, nothing written.

    Args:
        experiment: What to do.
        folder: The run folder.
        processes: Those that train together.
        observers: Told of the progress.
        resume: Whether to go on from the folder's newest checkpoint.
    """

    def __init__(
        self,
        experiment: Experiment,
        folder: Path,
        processes: Processes,
        observers: list[Observer],
        resume: bool,
    ) -> None:
        self.experiment, self.folder = experiment, folder
        self.processes, self.observers = processes, observers
        data = experiment.data
        trained = [phase.train_split for phase in experiment.plan]
        names = dict.fromkeys([data.train_split, *trained, data.eval_split, *data.report_splits])
        for turn in (True, False):  # by one process first, so that only one decodes
            if processes.is_main is turn:
                self.sets = {split: _open_split(experiment, split) for split in names}
            processes.barrier()
        self.train_set, self.labels = self.sets[data.train_split], self.sets[data.train_split].labels

        # Built on the CPU, so that the seed gives the same weights on every device.
        torch.manual_seed(experiment.seed)
        self.model = _build_model(experiment, self.labels.num_classes, processes)
        check_plan(experiment.plan, self.model, experiment.model)
        self._made: dict[int, TrainingBatches] = {}
        self.batches = self.phase_batches(len(experiment.plan) - 1)
        sizes = {split: len(self.sets[split]) for split in trained}
        if len(set(sizes.values())) > 1:
            raise ConfigError(f"phases.train_split: got splits of {sizes} pictures; allowed are equal sizes")
        self.timetable = Timetable(experiment.plan, len(self.batches))
        self.objectives = [
            Objective(phase.loss, class_weights(phase.loss, self.train_set)) for phase in experiment.plan
        ]

        self.state = newest_state(experiment, folder, self.say, processes.is_main) if resume else None
        self.execution = self._execution()
        self.say(f"running on {self.execution.describe()}")
        for line in slow_starts(self.timetable, experiment.schedule):
            self.say(line)

    def run(self, stop: StopRequest) -> dict[str, Any]:
        """Trains from the start or the checkpoint to the end; returns the summary."""
        learner = self.new_learner(self.model, self.execution, self.processes)
        # now, because files may change while the training runs
        digests = {split: dataset.digest() for split, dataset in self.sets.items()}
        provenance = record.provenance(learner, digests)
        progress = Progress(self.experiment, self.folder, self.labels, len(self.batches))
        if self.state is not None:
            restore(self.state, learner, progress, provenance, self.say)
            self.state = None  # its tensors take memory
            if self.processes.is_main:  # rows after the checkpoint are made again
                runs.write_history(self.folder, progress.history)
        saver = Saver(learner, progress, provenance, self.processes.is_main)

        for observer in self.observers:
            observer.start(progress)
        try:
            while progress.epoch < self.timetable.epochs:
                phase = self.timetable.phase_of_epoch(progress.epoch)
                if phase != learner.phase_number:
                    learner.begin(phase)
                progress.predict = self._predictor(learner)
                self._train_epoch(learner, progress, saver, stop)
                self._end_epoch(learner, progress, saver, stop)
            return self._finish(learner, progress, saver, stop)
        finally:
            for observer in self.observers:
                observer.end(progress)

    # ------------------------------------------------------------------------------------- an epoch

    def _train_epoch(self, learner: Learner, progress: Progress, saver: Saver, stop: StopRequest) -> None:
        """Trains to the end of the current epoch, from wherever in it the training stands."""
        batches = self.phase_batches(learner.phase_number)
        before, seconds = time.perf_counter(), progress.seconds
        cpu_before, cpu_seconds = _cpu_clock(), progress.cpu_seconds
        try:
            for batch in batches.epoch(progress.epoch, start=progress.batch):
                progress.lr = learner.lr
                loss = learner.step(batch)
                progress.batch += 1
                progress.step = learner.steps
                if math.isfinite(loss):
                    progress.loss = loss
                    progress.losses.append(loss)
                progress.seconds = seconds + time.perf_counter() - before
                progress.cpu_seconds = cpu_seconds + _cpu_clock() - cpu_before
                pictures = progress.batch * self.experiment.training.batch_size
                progress.images_per_second = pictures / progress.seconds
                for observer in self.observers:
                    observer.step(progress)
                if learner.skipped_in_a_row >= self.experiment.training.max_bad_steps:
                    raise self._diverged(loss, progress)
                stopping, due = self.processes.any(bool(stop), saver.due())
                if stopping:
                    raise self._interrupted(saver, stop)
                if due:
                    saver.save()
        except DataError:
            if stop:  # the signal reached the loader processes, too
                raise self._interrupted(saver, stop) from None
            saver.save()  # the steps up to the picture that cannot be read
            raise

    def _end_epoch(self, learner: Learner, progress: Progress, saver: Saver, stop: StopRequest) -> None:
        """Scores the epoch and writes it down."""
        started, cpu_started, training = time.perf_counter(), _cpu_clock(), self.experiment.training
        learner.share_buffers()
        done, eval_split = progress.epoch + 1, self.experiment.data.eval_split
        due = done % training.evaluate_every == 0 or done == self.timetable.epochs
        try:
            progress.confusion = self._evaluate(learner, eval_split, stop).confusions.sum(0) if due else None
        except _Stopped:
            raise self._interrupted(saver, stop) from None
        progress.epoch += 1
        progress.seconds += time.perf_counter() - started
        progress.cpu_seconds += _cpu_clock() - cpu_started
        progress.history.append(record.history_row(progress, learner.phase.name, learner.skipped))
        wanted = training.select == "best" and due
        if wanted and record.best_epoch(self.experiment, progress.history) == progress.epoch:
            weights = {name: tensor.clone() for name, tensor in learner.evaluated.state_dict().items()}
            progress.best = {"epoch": progress.epoch, "weights": weights}
        progress.batch, progress.losses, progress.seconds, progress.cpu_seconds = 0, [], 0.0, 0.0
        if self.processes.is_main:
            runs.write_history(self.folder, progress.history)
        for observer in self.observers:
            observer.epoch(progress)
        if saver.due() or progress.epoch == self.timetable.epochs:
            saver.save()

    def _finish(
        self, learner: Learner, progress: Progress, saver: Saver, stop: StopRequest
    ) -> dict[str, Any]:
        """Scores the selected weights on every split that is to be reported, and writes the results."""
        selected = progress.epoch
        if progress.best is not None:
            selected = progress.best["epoch"]
            learner.evaluated.load_state_dict(progress.best["weights"])
        dtype = getattr(torch, self.experiment.training.weights)
        learner.evaluated.to(dtype).to(torch.float32)  # scored as it is kept
        try:
            counts = {
                split: self._evaluate(learner, split, stop) for split in self.experiment.data.report_splits
            }
        except _Stopped:
            raise self._interrupted(None, stop) from None  # the last epoch is saved, and rounded now
        confusions = {split: images.confusions.sum(0) for split, images in counts.items()}
        size = self.train_set.read_mask(0).shape
        summary = record.summary(self.experiment, progress, selected, confusions, size)
        summary["provenance"] = saver.provenance
        if self.processes.is_main:
            checkpoints.save_weights(self.folder, learner.evaluated, dtype)
            for split, images in counts.items():
                runs.write_confusion(self.folder, split, confusions[split], self.labels.classes)
                runs.write_images(self.folder, split, images)
            runs.write_summary(self.folder, summary)
        return summary

    def _evaluate(self, learner: Learner, split: str, stop: StopRequest) -> runs.ImageCounts:
        """The confusion matrices of a split's pictures, each counted once by one of the processes."""
        dataset, processes = self.sets[split], self.processes

        def samples() -> Iterator[tuple]:
            for sample in evaluation_samples(dataset, processes.rank, processes.world_size):
                if stop:
                    raise _Stopped
                yield sample

        own, stopped = None, False
        try:
            own = count_images(
                learner.scored, samples(), self.labels.num_classes, learner.execution, self.experiment.data
            )
        except _Stopped:
            stopped = True
        if processes.any(stopped)[0]:
            raise _Stopped
        counts = np.empty((len(dataset), *own.shape[1:]), np.int64)
        for rank, part in enumerate(processes.gather(own)):
            counts[rank :: processes.world_size] = part
        return runs.ImageCounts(tuple(dataset.names), counts)

    # ------------------------------------------------------------------------------ parts of a training

    def say(self, text: str) -> None:
        """Tells the observers."""
        for observer in self.observers:
            observer.message(text)

    def phase_batches(self, phase: int) -> TrainingBatches:
        """The batches of a phase, at its input size."""
        experiment, processes = self.experiment, self.processes
        if phase not in self._made:
            self._made.clear()  # and with it the loader processes of the phase before
            self._made[phase] = TrainingBatches(
                self.sets[experiment.plan[phase].train_split],
                replace(experiment.data, input_size=experiment.plan[phase].input_size),
                experiment.augment,
                experiment.training.batch_size,
                experiment.seed,
                rank=processes.rank,
                world_size=processes.world_size,
                device_type=processes.device.type,
            )
        return self._made[phase]

    def new_learner(
        self, model: SegmentationModel, execution: Execution, processes: Processes, first_step: int = 0
    ) -> Learner:
        """A network that learns as the experiment says, from a step on; arguments as of `Learner`."""
        return Learner(
            self.experiment, model, self.objectives, execution, processes, self.timetable, first_step
        )

    def _predictor(self, learner: Learner) -> Predictor:
        return Predictor(learner.scored, learner.execution, self.experiment.data, self.labels)

    def _execution(self) -> Execution:
        """Device and number format: a resumed run's own, or the experiment's.

        `auto` is resolved by timing real steps of the last phase on a copy of the network; rank 0 decides for
        all processes.
        """
        processes, experiment = self.processes, self.experiment
        if self.state is not None:
            kept = Execution(processes.device, **self.state["execution"])
            check_precision(kept.precision, kept.device)
            return kept
        chosen: list[Any] = [None]
        if processes.is_main:
            alone = Processes(processes.device)
            batch = next(self.batches.epoch(0))
            first_step = self.timetable.first_step(len(experiment.plan) - 1)
            learner: Learner | None = None

            def step(execution: Execution) -> None:
                nonlocal learner
                if learner is None:  # one copy for all candidates: a large network has no room for more
                    learner = self.new_learner(copy.deepcopy(self.model), execution, alone, first_step)
                elif execution != learner.execution:
                    learner.move(execution)
                learner.step(batch)

            shape = tuple(batch["mask"].shape)
            chosen = [
                choose_execution(alone.device, experiment.training, experiment.model, shape, step, self.say)
            ]
        if processes.world_size > 1:
            torch.distributed.broadcast_object_list(chosen, src=0)
        return replace(chosen[0], device=processes.device)

    # --------------------------------------------------------------------------------- stop and go on

    def _interrupted(self, saver: Saver | None, stop: StopRequest) -> Interrupted:
        """Saves, unless that was done already, and says how to go on."""
        saved = saver is None or saver.save()
        done = "stopped and saved" if saved else "stopped, and the last good checkpoint is there"
        # The other processes may have been told by this one.
        return Interrupted(
            f"{done}; to go on: seglab train --resume {self.folder}", stop.number or signal.SIGTERM
        )

    def _diverged(self, loss: float, progress: Progress) -> DivergedError:
        limit = self.experiment.training.max_bad_steps
        rate = self.experiment.lr_field(self.timetable.phase_of_epoch(progress.epoch))
        return DivergedError(
            f"{self.folder}: loss or gradient was not finite in {limit} steps in a row, the last loss {loss} "
            f"at step {progress.step}, in epoch {progress.epoch + 1}; they were left out, and the last "
            f"checkpoint is intact. A smaller {rate} or training.clip_norm=1 may help"
        )


def _cpu_clock() -> float:
    """Processor time in seconds of this process, its threads, and the loader processes that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


class _Stopped(Exception):
    """A signal came during an evaluation."""


def _open_split(experiment: Experiment, split: str) -> SegmentationDataset:
    dataset = create_dataset(experiment.data.name, split, experiment.data.root)
    return cached(dataset, experiment.data.cache_gib)


def _build_model(experiment: Experiment, num_classes: int, processes: Processes) -> SegmentationModel:
    model = create_model(experiment.model.name, num_classes, **experiment.model.options)
    if experiment.training.sync_batchnorm:
        if processes.world_size > 1 and processes.device.type != "cuda":
            raise ConfigError("training.sync_batchnorm: got true for processes on the CPU; allowed is false")
        if processes.world_size > 1:
            model = torch.nn.SyncBatchNorm.convert_sync_batchnorm(model)
    return model
