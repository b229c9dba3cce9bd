"""The learning-rate range test: a few steps at rates that grow from tiny to absurd.

Smith 2017, *Cyclical Learning Rates for Training Neural Networks*, arXiv 1506.01186, section 3.3. The rate
grows exponentially rather than linearly, so that every power of ten gets as many steps as the next.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from seglab import runs
from seglab.config import Experiment
from seglab.errors import ConfigError, DivergedError
from seglab.trainers.learner import Learner
from seglab.trainers.loop import Training
from seglab.trainers.processes import join_processes

_SMOOTHING = 0.9
# The mean age of what a running mean of this smoothing holds, in steps: by so much it trails the loss.
_TRAIL = round(_SMOOTHING / (1 - _SMOOTHING))
_DIVERGED = 4.0  # times the lowest smoothed loss so far


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
        slope = np.diff(self.smoothed)[_TRAIL:]
        if slope.size == 0 or slope.min() >= 0:
            return None
        return self._rate_at(_TRAIL + 1 + int(slope.argmin()))

    @property
    def tenth_of_minimum(self) -> float:
        """A tenth of the rate at which the loss is lowest: the other usual choice, the more careful one."""
        return self._rate_at(int(self.smoothed.argmin())) / 10

    def _rate_at(self, step: int) -> float:
        """The rate that made the running mean what it is at a step."""
        return float(self.lr[max(0, step - _TRAIL)])


def find_lr(experiment: Experiment, *, first: float = 1e-6, last: float = 1.0, steps: int = 100) -> LrCurve:
    """Runs the range test on the first phase of an experiment: its network, data, objective, number format.

    Nothing is written but what a training keeps in the cache folder. Under `torchrun` all processes take part
    and get the same answer.

    Args:
        experiment: What would be trained.
        first: Rate of the first step.
        last: Rate of the last step.
        steps: Number of steps.

    Raises:
        ConfigError, DataError: If the range, the experiment or its data cannot be used.
        DivergedError: If the loss grew beyond all bounds before there was a curve to read.
    """
    _check_range(first, last, steps)
    processes = join_processes(experiment.training.device)
    try:
        with torch.random.fork_rng(_cuda_devices(processes.device)):
            training = Training(experiment, runs.default_folder(experiment), processes, [], resume=False)
            learner = training.new_learner(training.model, training.execution, processes)
            batches = training.phase_batches(0)
            endless = itertools.chain.from_iterable(batches.epoch(epoch) for epoch in itertools.count())
            return sweep_lr(learner, endless, first, last, steps)
    finally:
        processes.leave()


def sweep_lr(
    learner: Learner, batches: Iterable[dict[str, Any]], first: float, last: float, steps: int
) -> LrCurve:
    """Takes steps at growing rates, then puts the learner and the random state back, bit for bit.

    It ends early where the loss is not finite, or smoothed is more than four times the lowest so far.

    Args:
        learner: In the phase that is asked about.
        batches: At least `steps`, as `Learner.step` takes them.
        first: Rate of the first step.
        last: Rate of the last step.
        steps: Number of steps.

    Raises:
        ConfigError: If the range is not one.
        DivergedError: If it ended before there was a curve to read.
    """
    _check_range(first, last, steps)
    before = copy.deepcopy(learner.state_dict())
    losses: list[float] = []
    smoothed: list[float] = []
    rates = np.geomspace(first, last, steps)
    mean = 0.0
    try:
        with torch.random.fork_rng(_cuda_devices(learner.execution.device)):
            for rate, batch in zip(rates, batches, strict=False):
                learner.fixed_lr = float(rate)
                loss = learner.step(batch)
                if not math.isfinite(loss):
                    break
                mean = _SMOOTHING * mean + (1 - _SMOOTHING) * loss
                losses.append(loss)
                # A running mean begins at 0; without this correction the first losses would look small.
                smoothed.append(mean / (1 - _SMOOTHING ** len(losses)))
                if smoothed[-1] > _DIVERGED * min(smoothed):
                    break
    finally:
        learner.fixed_lr = None
        learner.load_state_dict(before)
    if len(losses) <= 2 * _TRAIL:
        raise DivergedError(
            f"the loss diverged after {len(losses)} steps, at a learning rate of {rates[len(losses)]:.1e}, "
            "too early to read anything from; a smaller first rate or more steps may help"
        )
    return LrCurve(rates[: len(losses)], np.array(losses), np.array(smoothed))


def _check_range(first: float, last: float, steps: int) -> None:
    if not 0 < first < last < math.inf:
        raise ConfigError(f"first, last: got {first}, {last}; allowed are finite rates, 0 < first < last")
    if steps < 3 * _TRAIL:
        raise ConfigError(f"steps: got {steps}; allowed are {3 * _TRAIL} or more")


def _cuda_devices(device: torch.device) -> list[torch.device]:
    return [device] if device.type == "cuda" else []
