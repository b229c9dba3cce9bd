"""The terms against calculations by hand and against plain loops written from the papers' definitions."""

import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from seglab.config import LOSS_TERMS, LossConfig
from seglab.trainers.objectives import Objective

VOID = 255
WEIGHTS = torch.tensor([1.0, 2.0, 0.5, 4.0, 1.5])


def batch(seed=0, ignored=0.3, classes=5, pictures=2):
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(pictures, classes, 6, 7, generator=generator)
    mask = torch.randint(0, classes, (pictures, 6, 7), generator=generator)
    mask[torch.rand(mask.shape, generator=generator) < ignored] = VOID
    return logits, mask


def loss_of(objective, logits, mask):
    return objective.combine(objective(logits, mask), objective.divisors(mask))


def one_term(name, class_weights=None, **settings):
    return Objective(LossConfig(terms={name: 1.0}, **settings), class_weights)


# ------------------------------------------------------------------ references: loops over pixels, in float64


def probabilities(logits):
    """(N,K,H,W) -> one list of (probability vector of a labelled pixel, its class) per picture."""
    e = np.exp(logits - logits.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def labelled(p, mask):
    """(K,H,W), (H,W) -> (probability vector, true class) of each labelled pixel."""
    return [(p[:, y, x], mask[y, x]) for y, x in np.ndindex(mask.shape) if mask[y, x] != VOID]


def mean_over_pictures(value, p, mask):
    pictures = [labelled(*pair) for pair in zip(p, mask, strict=True)]
    values = [value(pixels) for pixels in pictures if pixels]
    return sum(values) / len(values)


def focal(p, mask, weights, gamma):
    pixels = [pixel for pair in zip(p, mask, strict=True) for pixel in labelled(*pair)]
    costs = [-weights[c] * (1 - q[c]) ** gamma * math.log(q[c]) for q, c in pixels]
    return sum(costs) / sum(weights[c] for _, c in pixels)


def ohem(p, mask, weights, threshold, min_kept):
    def value(pixels):
        pixels = sorted(pixels, key=lambda pixel: pixel[0][pixel[1]])  # the hardest first
        least = math.ceil(min_kept * mask[0].size)
        kept = [(q, c) for i, (q, c) in enumerate(pixels) if q[c] < threshold or i < least]
        return sum(-weights[c] * math.log(q[c]) for q, c in kept) / max(1, len(kept))

    return mean_over_pictures(value, p, mask)


def dice(p, mask):
    def value(pixels):
        losses = []
        for c in {c for _, c in pixels}:
            overlap = sum(q[c] for q, true in pixels if true == c)
            total = sum(q[c] + (true == c) for q, true in pixels)
            losses.append(1 - 2 * overlap / total)
        return sum(losses) / len(losses)

    return mean_over_pictures(value, p, mask)


def jaccard_loss(mistaken, truth):
    """1 - IoU of a class when exactly the pixels of the set `mistaken` are predicted wrongly.

    Berman et al. 2018, section 2: |mistaken| / |truth or mistaken|.
    """
    return len(mistaken) / len(truth | mistaken) if mistaken else 0.0


def lovasz_extension(errors, truth):
    """Integral over t from 0 to 1 of the set function at {errors > t}: the other definition of it.

    Between two neighbouring errors the set stays the same, so that the integral is a finite sum.
    """
    steps = sorted({0.0, *errors})
    total = 0.0
    for low, high in itertools.pairwise(steps):
        total += (high - low) * jaccard_loss({i for i, error in enumerate(errors) if error > low}, truth)
    return total


def lovasz(p, mask):
    def value(pixels):
        losses = []
        for c in {c for _, c in pixels}:
            truth = {i for i, (_, true) in enumerate(pixels) if true == c}
            errors = [1 - q[c] if true == c else q[c] for q, true in pixels]
            losses.append(lovasz_extension(errors, truth))
        return sum(losses) / len(losses)

    return mean_over_pictures(value, p, mask)


REFERENCES = [
    ("focal", {"focal_gamma": 2.0}, lambda p, m: focal(p, m, WEIGHTS.tolist(), 2.0)),
    ("focal", {"focal_gamma": 0.5}, lambda p, m: focal(p, m, WEIGHTS.tolist(), 0.5)),
    (
        "ohem",
        {"ohem_threshold": 0.2, "ohem_min_kept": 0.0},
        lambda p, m: ohem(p, m, WEIGHTS.tolist(), 0.2, 0.0),
    ),
    (
        "ohem",
        {"ohem_threshold": 0.05, "ohem_min_kept": 0.4},
        lambda p, m: ohem(p, m, WEIGHTS.tolist(), 0.05, 0.4),
    ),
    (
        "ohem",
        {"ohem_threshold": 0.01, "ohem_min_kept": 0.9},
        lambda p, m: ohem(p, m, WEIGHTS.tolist(), 0.01, 0.9),
    ),
    ("dice", {}, dice),
    ("lovasz", {}, lovasz),
]


@pytest.mark.parametrize(("name", "settings", "reference"), REFERENCES)
def test_value_and_gradient_are_those_of_the_definition(name, settings, reference):
    objective = one_term(name, WEIGHTS, **settings)
    logits, mask = batch(pictures=3)
    mask[1] = VOID  # a picture without a label counts nowhere
    mask[2][mask[2] == 3] = 1  # and a class that a picture does not hold is left out there
    logits.requires_grad_()
    loss = loss_of(objective, logits, mask)
    loss.backward()
    at, ids = logits.detach().double().numpy(), mask.numpy()
    assert loss.item() == pytest.approx(reference(probabilities(at), ids), rel=1e-5)

    # along random directions, because there are too many single coordinates
    rng = np.random.default_rng(0)
    for _ in range(5):
        direction = rng.normal(size=at.shape)
        ahead, behind = (reference(probabilities(at + step * direction), ids) for step in (1e-6, -1e-6))
        slope = (logits.grad.double().numpy() * direction).sum()
        assert slope == pytest.approx((ahead - behind) / 2e-6, rel=1e-3, abs=1e-6)


def test_cross_entropy_by_hand():
    # Two classes with equal logits: every labelled pixel costs ln 2, weighted 1 or 3.
    objective = one_term("cross_entropy", torch.tensor([1.0, 3.0]))
    logits, mask = torch.zeros(1, 2, 1, 3), torch.tensor([[[0, 1, VOID]]])
    assert objective(logits, mask).tolist() == pytest.approx([4 * math.log(2)])
    assert objective.divisors(mask).tolist() == [4]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_cross_entropy_is_torchs_mean(smoothing, weights):
    objective = one_term("cross_entropy", weights, label_smoothing=smoothing)
    logits, mask = batch()
    expected = F.cross_entropy(logits, mask, weights, ignore_index=VOID, label_smoothing=smoothing)
    assert loss_of(objective, logits, mask).item() == pytest.approx(expected.item(), rel=1e-6)


def test_focal_and_ohem_without_their_feature_are_cross_entropy():
    logits, mask = batch(pictures=1)
    expected = F.cross_entropy(logits, mask, WEIGHTS, ignore_index=VOID).item()
    assert loss_of(one_term("focal", WEIGHTS, focal_gamma=0.0), logits, mask).item() == pytest.approx(
        expected
    )
    everything = one_term("ohem", ohem_threshold=1.0)
    expected = F.cross_entropy(logits, mask, ignore_index=VOID).item()
    assert loss_of(everything, logits, mask).item() == pytest.approx(expected)


def logits_of(probabilities_of_class_1):
    """Two classes; (H,W) -> (1,2,H,W)."""
    p = torch.tensor(probabilities_of_class_1)
    return torch.stack([(1 - p).log(), p.log()])[None]


def test_terms_by_hand():
    # Three labelled pixels: true 1 with p 0.8, true 1 with p 0.4, true 0 with p(1) 0.1; the fourth is void.
    logits, mask = logits_of([[0.8, 0.4], [0.1, 0.3]]), torch.tensor([[[1, 1], [0, VOID]]])
    # class 1: 2 (0.8 + 0.4) / (1.3 + 2) = 2.4 / 3.3; class 0: 2 x 0.9 / (1.7 + 1) = 1.8 / 2.7
    expected = ((1 - 2.4 / 3.3) + (1 - 1.8 / 2.7)) / 2
    assert loss_of(one_term("dice"), logits, mask).item() == pytest.approx(expected, rel=1e-6)
    # class 1: errors 0.6 (true), 0.2 (true), 0.1 (false) add 1/2, 1/2, 0;
    # class 0: errors 0.6 (false), 0.2 (false), 0.1 (true) add 1/2, 2/3 - 1/2, 1 - 2/3
    expected = (0.6 / 2 + 0.2 / 2 + 0.6 / 2 + 0.2 / 6 + 0.1 / 3) / 2
    assert loss_of(one_term("lovasz"), logits, mask).item() == pytest.approx(expected, rel=1e-6)
    # p below 0.5 is one pixel; half of four pixels are two
    hard = one_term("ohem", ohem_threshold=0.5, ohem_min_kept=0.0)
    assert loss_of(hard, logits, mask).item() == pytest.approx(-math.log(0.4), rel=1e-6)
    two = one_term("ohem", ohem_threshold=0.5, ohem_min_kept=0.5)
    expected = -(math.log(0.4) + math.log(0.8)) / 2
    assert loss_of(two, logits, mask).item() == pytest.approx(expected, rel=1e-6)
    expected = -(0.2**2 * math.log(0.8) + 0.6**2 * math.log(0.4) + 0.1**2 * math.log(0.9)) / 3
    assert loss_of(one_term("focal"), logits, mask).item() == pytest.approx(expected, rel=1e-5)


def test_ohem_takes_all_equally_hard_pixels_and_never_a_void_one():
    objective = one_term("ohem", torch.tensor([1.0, 5.0]), ohem_threshold=0.1, ohem_min_kept=0.25)
    mask = torch.tensor([[[0, 1], [1, VOID]]])
    # Equal logits: one of four pixels is asked for, three tie. 11/3 ln 2.
    assert loss_of(objective, torch.zeros(1, 2, 2, 2), mask).item() == pytest.approx(11 / 3 * math.log(2))


def test_ohem_without_a_hard_pixel_is_zero():
    objective = one_term("ohem", ohem_threshold=0.5, ohem_min_kept=0.0)
    assert loss_of(objective, logits_of([[0.9]]), torch.tensor([[[1]]])).item() == 0


@pytest.mark.parametrize("name", LOSS_TERMS)
def test_a_perfect_prediction_costs_nothing(name):
    _, mask = batch()
    logits = 200.0 * F.one_hot(mask.where(mask != VOID, 0), 5).permute(0, 3, 1, 2).float()
    logits.requires_grad_()
    loss = loss_of(one_term(name, focal_gamma=0.5), logits, mask)  # whose slope at 0 is infinite
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-6) and logits.grad.isfinite().all()


ALL = LossConfig(
    terms={"lovasz": 0.5, "dice": 2.0, "ohem": 1.0, "cross_entropy": 1.0, "focal": 0.25}, label_smoothing=0.1
)


def test_terms_are_weighted_and_keep_their_order():
    objective = Objective(ALL, WEIGHTS)
    assert objective.terms == tuple(ALL.terms) and set(objective.terms) == set(LOSS_TERMS)
    logits, mask = batch()
    single = [
        loss_of(one_term(name, WEIGHTS, label_smoothing=0.1), logits, mask).item() for name in ALL.terms
    ]
    expected = sum(weight * value for weight, value in zip(ALL.terms.values(), single, strict=True))
    assert loss_of(objective, logits, mask).item() == pytest.approx(expected, rel=1e-6)
    without = Objective(LossConfig(terms={"dice": 0.0, "focal": 1.0}))
    assert without.terms == ("focal",) and without(logits, mask).shape == without.divisors(mask).shape == (1,)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_parts_add_up_to_the_whole_batch(weights):
    objective = Objective(ALL, weights)
    logits, mask = batch(pictures=5)
    mask[3] = VOID
    logits.requires_grad_()
    whole = loss_of(objective, logits, mask)
    (gradient,) = torch.autograd.grad(whole, logits)
    parts = list(zip(logits.split([1, 2, 1, 1]), mask.split([1, 2, 1, 1]), strict=True))
    divisors = sum(objective.divisors(part) for _, part in parts)
    assert divisors.tolist() == pytest.approx(objective.divisors(mask).tolist())
    assert divisors[:3].tolist() == [4, 4, 4]
    for part in parts:
        objective.combine(objective(*part), divisors).backward()
    total = sum(objective.combine(objective(*part), divisors).item() for part in parts)
    assert total == pytest.approx(whole.item(), rel=1e-6)
    torch.testing.assert_close(logits.grad, gradient)


@pytest.mark.parametrize("scale", [1.0, 65536.0])  # the scaler's first factor must not overflow
def test_a_batch_without_a_label_costs_nothing_and_pulls_nowhere(scale):
    objective = Objective(ALL, WEIGHTS)
    logits, mask = batch(ignored=1.0)
    logits.requires_grad_()
    sums, divisors = objective(logits, mask), objective.divisors(mask)
    assert sums.tolist() == divisors.tolist() == [0] * 5
    loss = objective.combine(sums, divisors)
    (scale * loss).backward()
    assert loss.item() == 0 and torch.equal(logits.grad, torch.zeros_like(logits))


def test_pixels_of_a_class_without_weight_cost_nothing():
    objective = Objective(LossConfig(label_smoothing=0.1), torch.tensor([0.0, 1.0]))
    logits = torch.randn(1, 2, 2, 2, requires_grad=True)
    loss = loss_of(objective, logits, torch.zeros(1, 2, 2, dtype=torch.int64))
    loss.backward()
    assert loss.item() == 0 and torch.equal(logits.grad, torch.zeros_like(logits))


def test_a_single_class():
    logits, mask = batch(classes=1)
    logits.requires_grad_()
    loss = loss_of(Objective(ALL, torch.ones(1)), logits, mask)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-6) and logits.grad.abs().max() < 1e-6


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_logits_are_computed_on_in_float32(dtype):
    objective = Objective(ALL, WEIGHTS)
    logits, mask = batch()
    half = logits.to(dtype)
    assert objective(half, mask).dtype == torch.float32
    assert torch.equal(objective(half, mask), objective(half.float(), mask))


def test_a_broken_network_is_not_hidden():
    logits, mask = batch()
    logits[0, 0, 0, 0], mask[0, 0, 0] = math.nan, 1
    assert Objective(ALL, WEIGHTS)(logits, mask).isnan().all()


def test_the_state_holds_the_class_weights_alone():
    assert list(Objective(ALL, WEIGHTS).state_dict()) == ["class_weights"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_cuda_repeats_bit_for_bit_without_waiting_and_agrees_with_the_cpu(weights):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 5, 64, 96, generator=generator)
    mask = torch.randint(0, 5, (2, 64, 96), generator=generator)
    mask[torch.rand(mask.shape, generator=generator) < 0.2] = VOID
    expected = loss_of(Objective(ALL, weights), logits, mask).item()
    objective, mask = Objective(ALL, weights).cuda(), mask.cuda()
    results = []
    torch.use_deterministic_algorithms(True)
    try:
        for _ in range(3):
            at = logits.cuda().requires_grad_()
            torch.cuda.set_sync_debug_mode("error")
            loss = loss_of(objective, at, mask)
            loss.backward()
            torch.cuda.set_sync_debug_mode("default")
            results.append((loss.detach(), at.grad))
    finally:
        torch.cuda.set_sync_debug_mode("default")
        torch.use_deterministic_algorithms(False)
    assert results[0][0].item() == pytest.approx(expected, rel=1e-5)
    for loss, gradient in results[1:]:
        assert torch.equal(loss, results[0][0]) and torch.equal(gradient, results[0][1])
