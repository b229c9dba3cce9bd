"""A network while it learns: one optimizer step, and the state that a checkpoint holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from seglab.config import Experiment
from seglab.evaluation.execution import Execution
from seglab.trainers.objectives import Objective
from seglab.trainers.optimizers import build_optimizer, moving_average
from seglab.trainers.processes import Processes
from seglab.trainers.schedules import lr_factor


class Learner:
    """Everything that changes while a network learns.

    Args:
        experiment: Optimizer, schedule, loss and loop.
        model: The network on the CPU; it is moved to the execution's device.
        objective: What is minimised.
        execution: Device and number format.
        processes: Those that train together.
        total_steps: Optimizer steps of the whole run.
    """

    def __init__(
        self,
        experiment: Experiment,
        model: nn.Module,
        objective: Objective,
        execution: Execution,
        processes: Processes,
        total_steps: int,
    ) -> None:
        self.experiment, self.execution, self.processes = experiment, execution, processes
        self.total_steps = total_steps
        self.model = execution.place(model)
        self.trained = processes.wrap(self.model)
        self.objective = objective.to(execution.device)
        self.optimizer = build_optimizer(self.model, experiment.optimizer)
        # Half-precision gradients underflow unless the loss is scaled up (Micikevicius et al. 2018,
        # arXiv 1710.03740, section 3.2); with the other formats the scaler passes everything through.
        self.scaler = torch.amp.GradScaler(execution.device.type, enabled=execution.precision == "fp16")
        decay = experiment.training.ema_decay
        self.average = None if decay is None else moving_average(self.model, decay)
        self.steps = 0

    @property
    def evaluated(self) -> nn.Module:
        """The network whose answers count: the moving average where there is one."""
        return self.model if self.average is None else self.average.module

    @property
    def lr(self) -> float:
        """Learning rate of the next step."""
        config = self.experiment
        # Once the run has ended there is no next step; the last rate stands.
        step = min(self.steps, self.total_steps - 1)
        return config.optimizer.lr * lr_factor(config.schedule, step, self.total_steps)

    def step(self, batch: dict[str, Any]) -> Tensor:
        """Takes one optimizer step.

        The sums of each part of the batch are divided by the divisors of the *whole* batch, over all parts
        and processes, so that sharing a batch out does not change its gradient.

        Args:
            batch: `image` uint8 (N,3,H,W) and `mask` uint8 (N,H,W).

        Returns:
            The loss of the whole batch, a float32 scalar on the device; reading it waits for the device.
        """
        # Dropout draws from the global generator: seed, step and rank alone decide what it draws.
        torch.manual_seed(self._step_seed())
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr
        self.trained.train()

        mask = batch["mask"].to(self.execution.device, torch.int64, non_blocking=True)
        divisors = self.processes.sum(self.objective.divisors(mask))
        total = torch.zeros((), device=self.execution.device)
        accumulation = self.experiment.training.accumulation
        for part, part_mask in zip(batch["image"].chunk(accumulation), mask.chunk(accumulation), strict=True):
            image = self.execution.image(part, self.experiment.data)
            with self.execution.autocast():
                logits = self.trained(image)
            loss = self.objective.combine(self.objective(logits, part_mask), divisors)
            # Data-parallel training averages the gradients of the processes where their sum is wanted.
            self.scaler.scale(loss * self.processes.world_size).backward()
            total += loss.detach()

        self.scaler.unscale_(self.optimizer)
        if (limit := self.experiment.training.clip_norm) is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), limit)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update_parameters(self.model)
        self.steps += 1
        return self.processes.sum(total)

    def share_buffers(self) -> None:
        """Gives every process rank 0's normalisation statistics, which are what is scored and saved."""
        self.processes.share_buffers(self.model)
        if self.average is not None:
            self.processes.share_buffers(self.average)

    def state_dict(self) -> dict[str, Any]:
        """The state, to go on from (`load_state_dict`), and under `weights` those that are evaluated."""
        return {
            "steps": self.steps,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "weights": self.evaluated.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes over a state that `state_dict` gave."""
        self.steps = state["steps"]
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])

    def _step_seed(self) -> int:
        sequence = np.random.SeedSequence((self.experiment.seed, self.steps, self.processes.rank))
        return int(sequence.generate_state(1, np.uint64)[0] >> 1)
