"""One step: what is left out where numbers are none, and for how long that is ordinary."""

import math

import pytest
import torch

from seglab.evaluation.execution import Execution
from seglab.models import create_model
from seglab.trainers.learner import Learner
from seglab.trainers.objectives import Objective
from seglab.trainers.phases import Timetable
from seglab.trainers.processes import Processes

CPU = torch.device("cpu")
BATCH = {
    "image": torch.arange(2 * 3 * 32 * 32).reshape(2, 3, 32, 32).to(torch.uint8),
    "mask": torch.arange(2 * 32 * 32).reshape(2, 32, 32).remainder(3).to(torch.uint8),
}
HALVINGS = 16  # from torch's first scale, 2^16, to 1


@pytest.fixture
def learner(tiny, change):
    """With statistics of batches, and with a moving average."""
    experiment = change(tiny, "training", ema_decay=0.9)
    torch.manual_seed(0)
    model = create_model("minihrnet_a3", 3, **{**tiny.model.options, "norm": "batch"})

    def learner(precision):
        return Learner(
            experiment,
            model,
            [Objective(experiment.plan[0].loss)],
            Execution(CPU, precision),
            Processes(CPU),
            Timetable(experiment.plan, 100),
        )

    return learner


def poisoned(learner, number):
    """Makes every gradient of one layer a number; returns what undoes it."""
    return next(learner.model.parameters()).register_hook(lambda gradient: gradient * number).remove


def kept(learner):
    both = {"model": learner.model, "average": learner.average}
    return {f"{of}.{k}": v.clone() for of, one in both.items() for k, v in one.state_dict().items()}


@pytest.mark.parametrize("precision, ordinary", [("fp32", 0), ("fp16", HALVINGS)])
def test_gradients_that_are_never_finite_change_nothing_and_are_noticed(learner, precision, ordinary):
    learner = learner(precision)
    before = kept(learner)
    poisoned(learner, math.nan)
    for step in range(1, HALVINGS + 6):
        assert math.isfinite(learner.step(BATCH))
        assert learner.skipped == step and learner.skipped_in_a_row == max(0, step - ordinary)
    after = kept(learner)
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_one_overflow_halves_the_scale_and_the_training_goes_on(learner):
    learner = learner("fp16")
    undo = poisoned(learner, math.inf)
    learner.step(BATCH)
    undo()
    assert (learner.skipped, learner.skipped_in_a_row) == (1, 0)
    assert learner.scaler.get_scale() == 2.0 ** (HALVINGS - 1)
    before = kept(learner)
    learner.step(BATCH)
    after = kept(learner)
    assert learner.skipped == 1 and not all(torch.equal(after[name], before[name]) for name in before)


def test_a_loss_that_is_no_number_is_no_overflow(learner):
    learner = learner("fp16")
    learner.trained.register_forward_hook(lambda _, args, heads: [heads[0] * math.nan])
    for step in (1, 2):  # the scaler refuses a second step that it was not told the end of the first one
        assert math.isnan(learner.step(BATCH))
        assert learner.skipped == learner.skipped_in_a_row == step
