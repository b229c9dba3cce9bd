"""Calibration derived from counts: by hand, and temperatures that are known."""

import numpy as np
import pytest
from scipy.special import softmax

from seglab.errors import DataError
from seglab.metrics.calibration import (
    Reliability,
    calibration_error,
    class_calibration_error,
    fit_temperature,
    negative_log_likelihood,
)


def test_errors_by_hand():
    pixels = np.array([[10, 0, 10], [0, 4, 0], [0, 0, 0]])
    right = np.array([[2, 0, 9], [0, 2, 0], [0, 0, 0]])
    confidence = np.array([[3.0, 0, 8.0], [0, 2.4, 0], [0, 0, 0]])
    found = Reliability(pixels, right, confidence)
    # class 0: |2 - 3| + |9 - 8| of 20 pixels; class 1: |2 - 2.4| of 4
    np.testing.assert_allclose(class_calibration_error(found), [2 / 20, 0.4 / 4, np.nan])
    # over all classes the gaps of one bin cancel only within the bin
    assert calibration_error(found) == pytest.approx((1 + 0.4 + 1) / 24)
    np.testing.assert_allclose(found.accuracy[0], [0.2, np.nan, 0.9])


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_finds_the_temperature_that_the_truth_was_drawn_with(temperature):
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((20_000, 5)) * 3
    chances = softmax(logits / temperature, axis=1).cumsum(1)
    truth = (rng.random((len(logits), 1)) > chances).sum(1).clip(max=4)
    found = fit_temperature(logits, truth)
    assert found == pytest.approx(temperature, rel=0.05)
    losses = [negative_log_likelihood(logits, truth, found * factor) for factor in (0.9, 1, 1.1)]
    assert min(losses) == losses[1]


def test_likelihood_by_hand():
    logits = np.log([[0.2, 0.8], [0.5, 0.5]])
    assert negative_log_likelihood(logits, np.array([1, 0])) == pytest.approx(-np.log([0.8, 0.5]).mean())


def test_no_pixel_no_temperature():
    with pytest.raises(DataError, match="no labelled pixel"):
        fit_temperature(np.zeros((0, 3)), np.zeros(0, int))
