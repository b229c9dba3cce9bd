"""Which parameters decay, and the moving average against its recursion."""

import pytest
import torch
from torch import nn

from seglab.config import OptimizerConfig
from seglab.trainers.optimizers import build_optimizer, moving_average


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_only_weights_of_two_or_more_dimensions_decay(name):
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    optimizer = build_optimizer(model, OptimizerConfig(name), 0.1, weight_decay=0.5)
    decays = {id(p): g["weight_decay"] for g in optimizer.param_groups for p in g["params"]}
    assert {decays[id(p)] for p in model.parameters() if p.ndim > 1} == {0.5}
    assert {decays[id(p)] for p in model.parameters() if p.ndim == 1} == {0.0}
    assert len(decays) == 4


def test_frozen_parameters_are_left_out():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[0].requires_grad_(False)
    optimizer = build_optimizer(model, OptimizerConfig(), 0.1, weight_decay=0.0)
    assert sum(len(group["params"]) for group in optimizer.param_groups) == 2


def test_moving_average_follows_its_recursion():
    model = nn.BatchNorm2d(1)
    average = moving_average(model, decay=0.5)
    expected = None
    for count, value in enumerate([1.0, 5.0, 2.0, 8.0, 3.0]):
        with torch.no_grad():
            model.weight.fill_(value)
            model.running_mean.fill_(-value)
            model.num_batches_tracked.fill_(count)
        average.update_parameters(model)
        # The first update copies; update n then keeps min(0.5, (1 + n) / (10 + n)) of what was.
        keep = min(0.5, (1 + count) / (10 + count))
        expected = value if expected is None else keep * expected + (1 - keep) * value
        assert average.module.weight.item() == pytest.approx(expected)
        assert average.module.running_mean.item() == pytest.approx(-expected)
        assert average.module.num_batches_tracked == count
