"""The learning-rate range test: a few steps at rates that grow from tiny to absurd.

Smith 2017, *Cyclical Learning Rates for Training Neural Networks*, arXiv 1506.01186, section 3.3. The rate
grows exponentially rather than linearly, so that every power of ten gets as many steps as the next.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from seglab import runs
from seglab.config import Experiment
from seglab.errors import ConfigError, DivergedError
from seglab.lr_curve import SMOOTHING, TRAIL, LrCurve
from seglab.trainers.kernels import kernels
from seglab.trainers.learner import Learner
from seglab.trainers.loop import Training
from seglab.trainers.processes import joined_processes

_DIVERGED = 4.0  # times the lowest smoothed loss so far


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
    with (
        joined_processes(experiment.training.device) as processes,
        kernels(experiment, processes.device),
        torch.random.fork_rng(_cuda_devices(processes.device)),
    ):
        training = Training(experiment, runs.default_folder(experiment), processes, [], resume=False)
        learner = training.new_learner(training.model, training.execution, processes)
        batches = training.phase_batches(0)
        endless = itertools.chain.from_iterable(batches.epoch(epoch) for epoch in itertools.count())
        return sweep_lr(learner, endless, first, last, steps)


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
                mean = SMOOTHING * mean + (1 - SMOOTHING) * loss
                losses.append(loss)
                # A running mean begins at 0; without this correction the first losses would look small.
                smoothed.append(mean / (1 - SMOOTHING ** len(losses)))
                if smoothed[-1] > _DIVERGED * min(smoothed):
                    break
    finally:
        learner.fixed_lr = None
        learner.load_state_dict(before)
    if len(losses) <= 2 * TRAIL:
        raise DivergedError(
            f"the loss diverged after {len(losses)} steps, at a learning rate of {rates[len(losses)]:.1e}, "
            "too early to read anything from; a smaller first rate or more steps may help"
        )
    return LrCurve(rates[: len(losses)], np.array(losses), np.array(smoothed))


def _check_range(first: float, last: float, steps: int) -> None:
    if not 0 < first < last < math.inf:
        raise ConfigError(f"first, last: got {first}, {last}; allowed are finite rates, 0 < first < last")
    if steps < 3 * TRAIL:
        raise ConfigError(f"steps: got {steps}; allowed are {3 * TRAIL} or more")


def _cuda_devices(device: torch.device) -> list[torch.device]:
    return [device] if device.type == "cuda" else []
