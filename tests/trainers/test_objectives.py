"""Cross-entropy against a calculation by hand and against torch's mean."""

import math

import pytest
import torch
import torch.nn.functional as F

from seglab.config import LossConfig
from seglab.trainers.objectives import Objective


def batch(seed=0, ignored=0.3):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 5, 6, 7, generator=generator, requires_grad=True)
    mask = torch.randint(0, 5, (2, 6, 7), generator=generator)
    mask[torch.rand(mask.shape, generator=generator) < ignored] = 255
    return logits, mask


def test_by_hand():
    # Two classes with equal logits: every labelled pixel costs ln 2, weighted 1 or 3.
    objective = Objective(LossConfig(), torch.tensor([1.0, 3.0]))
    logits, mask = torch.zeros(1, 2, 1, 3), torch.tensor([[[0, 1, 255]]])
    assert objective(logits, mask).item() == pytest.approx(4 * math.log(2))
    assert objective.divisors(mask).item() == 4


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
def test_sum_over_divisor_is_torchs_mean(smoothing, weighted):
    weights = torch.tensor([1.0, 2.0, 0.5, 4.0, 1.5]) if weighted else None
    objective = Objective(LossConfig(label_smoothing=smoothing), weights)
    logits, mask = batch()
    expected = F.cross_entropy(logits, mask, weights, ignore_index=255, label_smoothing=smoothing)
    found = objective(logits, mask) / objective.divisors(mask)
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)


def test_parts_add_up_to_the_whole_batch():
    objective = Objective(LossConfig(), torch.arange(1.0, 6.0))
    logits, mask = batch()
    parts = list(zip(logits.chunk(2), mask.chunk(2), strict=True))
    assert sum(objective(*part) for part in parts).item() == pytest.approx(objective(logits, mask).item())
    assert sum(objective.divisors(m) for _, m in parts) == objective.divisors(mask)


def test_batch_without_a_label_costs_nothing_and_pulls_nowhere():
    objective = Objective(LossConfig())
    logits, mask = batch(ignored=1.0)
    loss = objective(logits, mask)
    loss.backward()
    assert loss.item() == 0 and objective.divisors(mask).item() == 0
    assert logits.grad.abs().max() == 0


def test_half_precision_logits_are_summed_in_float32():
    logits, mask = batch()
    half = Objective(LossConfig())(logits.detach().bfloat16(), mask)
    assert half.dtype == torch.float32
    exact = Objective(LossConfig())(logits.detach().bfloat16().double(), mask)
    assert half.item() == pytest.approx(exact.item(), rel=1e-6)
