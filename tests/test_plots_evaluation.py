"""The figure of calibration shows the numbers that it is given."""

import numpy as np

from seglab.metrics.calibration import Reliability
from seglab.plots.reliability import reliability_diagram


def test_reliability_diagram_draws_accuracy_over_confidence():
    pixels = np.array([[10, 0, 10], [10, 0, 70]])
    right = np.array([[2, 0, 9], [4, 0, 63]])
    confidence = np.array([[3.0, 0, 9.0], [3.0, 0, 63.0]])
    curve, histogram = reliability_diagram({"network": Reliability(pixels, right, confidence)}).axes
    drawn = curve.lines[-1]
    np.testing.assert_allclose(drawn.get_xdata(), [0.3, np.nan, 0.9])
    np.testing.assert_allclose(drawn.get_ydata(), [0.3, np.nan, 0.9])
    assert "ECE 0.0 %" in drawn.get_label()
    np.testing.assert_allclose(histogram.patches[0].get_data().values, [20, 0, 80])
