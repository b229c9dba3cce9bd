"""Schedules against their closed forms and against torch's own schedulers."""

import math

import pytest
import torch

from seglab.config import ScheduleConfig
from seglab.trainers.schedules import lr_factor

TOTAL = 50


def torch_factors(scheduler, **options):
    """The factors of one of torch's schedulers on a rate of 1."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = scheduler(optimizer, **options)
    factors = []
    for _ in range(TOTAL):
        factors.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return factors


def ours(**config):
    return [lr_factor(ScheduleConfig(**config), step, TOTAL) for step in range(TOTAL)]


def test_poly_equals_torch():
    expected = torch_factors(torch.optim.lr_scheduler.PolynomialLR, total_iters=TOTAL, power=0.9)
    assert ours(name="poly", power=0.9) == pytest.approx(expected)


def test_cosine_equals_torch():
    expected = torch_factors(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=TOTAL)
    assert ours(name="cosine") == pytest.approx(expected)


def test_onecycle_equals_torch():
    options = {"max_lr": 1.0, "total_steps": TOTAL + 1, "cycle_momentum": False}
    expected = torch_factors(torch.optim.lr_scheduler.OneCycleLR, **options)
    found = [lr_factor(ScheduleConfig(name="onecycle"), step, TOTAL + 1) for step in range(TOTAL)]
    assert found == pytest.approx(expected)


def test_warm_up_is_linear_and_the_schedule_follows_it():
    found = ours(name="poly", power=1.0, warmup_steps=10)
    assert found[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert found[10:] == pytest.approx([1 - i / 40 for i in range(40)])


def test_constant():
    assert set(ours(name="constant")) == {1.0}


@pytest.mark.parametrize("name", ["poly", "cosine", "onecycle", "constant"])
@pytest.mark.parametrize("total", [1, 2, 3])
def test_shortest_runs_have_finite_rates(name, total):
    for step in range(total):
        assert 0 < lr_factor(ScheduleConfig(name=name), step, total) <= 1
        assert math.isfinite(lr_factor(ScheduleConfig(name=name), step, total))
