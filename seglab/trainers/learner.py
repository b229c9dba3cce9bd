"""A network while it learns: one optimizer step, and the state that a checkpoint holds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from seglab.config import Experiment, PhaseConfig
from seglab.evaluation.execution import Execution
from seglab.models.base import SegmentationModel
from seglab.trainers.objectives import Objective
from seglab.trainers.optimizers import build_optimizer, moving_average
from seglab.trainers.phases import FirstAuxHead, Timetable, TrainedHeads, freeze, train_mode
from seglab.trainers.processes import Processes
from seglab.trainers.schedules import lr_factor


class Learner:
    """Everything that changes while a network learns.

    Each phase has an optimizer of its own (`begin`); weights and moving average go on.

    Args:
        experiment: Optimizer, schedule and loop.
        model: The network on the CPU; it is moved to the execution's device.
        objectives: What is minimised in each phase.
        execution: Device and number format.
        processes: Those that train together.
        timetable: Which step belongs to which phase.
        first_step: Step to begin with.
    """

    def __init__(
        self,
        experiment: Experiment,
        model: SegmentationModel,
        objectives: Sequence[Objective],
        execution: Execution,
        processes: Processes,
        timetable: Timetable,
        first_step: int = 0,
    ) -> None:
        self.experiment, self.execution, self.processes = experiment, execution, processes
        self.timetable = timetable
        self.model = execution.place(model)
        self.objectives = [objective.to(execution.device) for objective in objectives]
        decay = experiment.training.ema_decay
        self.average = None if decay is None else moving_average(self.model, decay)
        self.steps = first_step
        self.skipped = self.skipped_in_a_row = 0
        self.fixed_lr: float | None = None  # stands in for the schedule's in a learning-rate range test
        self.begin(timetable.phase_of_step(first_step))

    def begin(self, number: int) -> None:
        """Begins a phase: what learns, with which optimizer."""
        self.phase_number = number
        freeze(self.model, self.phase.freeze)
        train_mode(self.model, self.phase.freeze)
        self._buffers = list(self.model.buffers())
        self._kept_buffers = [buffer.clone() for buffer in self._buffers]
        self.objective = self.objectives[number]
        heads = TrainedHeads(self.model, self.phase)
        # An auxiliary head that is not trained takes no part in the loss, which must be told.
        self.trained = self.processes.wrap(heads, some_unused=self.model.has_aux and not heads.with_aux)
        cuda = self.execution.device.type == "cuda" and self.processes.world_size == 1
        self._to_be_recorded = cuda and self.experiment.training.cuda_graphs
        self.optimizer = build_optimizer(
            self.model, self.experiment.optimizer, self.phase.lr, self.phase.weight_decay
        )
        # Half-precision gradients underflow unless the loss is scaled up (Micikevicius et al. 2018,
        # arXiv 1710.03740, section 3.2); with the other formats the scaler passes everything through.
        half = self.execution.precision == "fp16"
        self.scaler = torch.amp.GradScaler(self.execution.device.type, enabled=half)

    def move(self, execution: Execution) -> None:
        """Goes on under another execution. The optimizer is new: its state has the layout of the weights."""
        self.execution = execution
        execution.place(self.model)
        if self.average is not None:
            execution.place(self.average)
        self.begin(self.phase_number)

    @property
    def phase(self) -> PhaseConfig:
        """The phase that has begun."""
        return self.timetable.plan[self.phase_number]

    @property
    def evaluated(self) -> SegmentationModel:
        """The network whose answers count: the moving average where there is one."""
        return self.model if self.average is None else self.average.module

    @property
    def scored(self) -> nn.Module:
        """What is scored in this phase: `evaluated`, or its auxiliary head while that alone is trained."""
        return FirstAuxHead(self.evaluated) if self.phase.head == "aux" else self.evaluated

    @property
    def lr(self) -> float:
        """Learning rate of the next step."""
        if self.fixed_lr is not None:
            return self.fixed_lr
        # Once the run has ended there is no next step; the last rate stands.
        step = min(self.steps, self.timetable.steps - 1)
        number = self.timetable.phase_of_step(step)
        phase, first = self.timetable.plan[number], self.timetable.first_step(number)
        per_epoch = self.timetable.steps_per_epoch
        factor = lr_factor(self.experiment.schedule, step - first, phase.epochs * per_epoch, per_epoch)
        return phase.lr * factor

    def step(self, batch: dict[str, Any]) -> float:
        """Takes one optimizer step.

        The loss of each part of the batch is divided by the divisors of the *whole* batch, over all parts and
        processes, so that sharing a batch out does not change its gradient. A step whose loss or gradient is
        not finite is left out: weights, statistics and optimizer stay as they are.

        Args:
            batch: `image` uint8 (N,3,H,W) and `mask` uint8 (N,H,W).

        Returns:
            The loss of the whole batch.
        """
        # Dropout draws from the global generator: seed, step and rank alone decide what it draws.
        torch.manual_seed(self._step_seed())
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr
        if not self.model.training:  # it was scored since; visiting every layer at every step takes time
            train_mode(self.model, self.phase.freeze)
        _copy(self._buffers, self._kept_buffers)

        loss = self.processes.sum(self._backward(batch))
        self.scaler.unscale_(self.optimizer)
        norm = self._clip()
        # The one place in a step that waits for the device: whether the step counts must be known before it
        # changes anything.
        loss, norm = torch.stack([loss, norm]).tolist()
        if math.isfinite(loss) and math.isfinite(norm):
            self.scaler.step(self.optimizer)
            if self.average is not None:
                self.average.update_parameters(self.model)
            self.skipped_in_a_row = 0
        else:
            _copy(self._kept_buffers, self._buffers)
            self.skipped += 1
            # The gradients of a loss that is scaled up overflow now and then; once it is not (the scale is 1
            # without a scaler, too), they have no such excuse.
            overflow = math.isfinite(loss) and self.scaler.get_scale() > 1
            self.skipped_in_a_row += not overflow
        self.scaler.update()  # scales less after infinite gradients
        self.optimizer.zero_grad(set_to_none=True)
        self.steps += 1
        return loss

    def _backward(self, batch: dict[str, Any]) -> Tensor:
        """Adds up the gradients of the batch's parts; returns this process's share of the loss."""
        mask = batch["mask"].to(self.execution.device, torch.int64, non_blocking=True)
        divisors = self.processes.sum(self.objective.divisors(mask))
        total = torch.zeros((), device=self.execution.device)
        accumulation = self.experiment.training.accumulation
        for part, part_mask in zip(batch["image"].chunk(accumulation), mask.chunk(accumulation), strict=True):
            image = self.execution.image(part, self.experiment.data)
            if self._to_be_recorded:
                self._record(image)
            with self.execution.autocast():
                heads = self.trained(image)
            main, *aux = (
                self.objective.combine(self.objective(logits, part_mask), divisors) for logits in heads
            )
            loss = main + self.phase.loss.aux_weight * sum(aux)
            # Data-parallel training averages the gradients of the processes where their sum is wanted.
            self.scaler.scale(loss * self.processes.world_size).backward()
            total += loss.detach()
        return total

    def _record(self, image: Tensor) -> None:
        """Records forward and backward pass as CUDA graphs, for images of this shape.

        These networks are thousands of small kernels, and starting one takes the processor longer than the
        GPU needs for it; a graph starts them all at once.
        """
        # The recording has a stream of its own, which autograd remarks on at each backward pass of the trial.
        if hasattr(torch.autograd.graph, "set_warn_on_accumulate_grad_stream_mismatch"):
            torch.autograd.graph.set_warn_on_accumulate_grad_stream_mismatch(False)
        kept = [buffer.clone() for buffer in self.model.buffers()]  # the trial passes move the statistics
        with self.execution.autocast(cache_enabled=False):
            self.trained = torch.cuda.make_graphed_callables(self.trained, (image,), allow_unused_input=True)
        for before, buffer in zip(kept, self.model.buffers(), strict=True):
            buffer.copy_(before)
        self._to_be_recorded = False

    def _clip(self) -> Tensor:
        """The norm of the gradient, which is then limited where the experiment says so."""
        parameters = [p for p in self.model.parameters() if p.grad is not None]
        limit = self.experiment.training.clip_norm
        if limit is None:
            return nn.utils.get_total_norm([p.grad for p in parameters])
        return nn.utils.clip_grad_norm_(parameters, limit)

    def share_buffers(self) -> None:
        """Gives every process rank 0's normalisation statistics, which are what is scored and saved."""
        self.processes.share_buffers(self.model)
        if self.average is not None:
            self.processes.share_buffers(self.average)

    def state_dict(self) -> dict[str, Any]:
        """The state, to go on from (`load_state_dict`), and under `weights` those that are evaluated."""
        return {
            "steps": self.steps,
            "skipped": self.skipped,
            "skipped_in_a_row": self.skipped_in_a_row,
            "phase": self.phase_number,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "weights": self.evaluated.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes over a state that `state_dict` gave."""
        self.steps = state["steps"]
        self.skipped, self.skipped_in_a_row = state["skipped"], state["skipped_in_a_row"]
        self.begin(state["phase"])
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])

    def _step_seed(self) -> int:
        sequence = np.random.SeedSequence((self.experiment.seed, self.steps, self.processes.rank))
        return int(sequence.generate_state(1, np.uint64)[0] >> 1)


def _copy(source: list[Tensor], target: list[Tensor]) -> None:
    """Copies tensors in place, all at once: one by one takes ten times as long."""
    if source:
        torch._foreach_copy_(target, source)
