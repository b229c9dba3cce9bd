"""Figures of conventions and calibration show the numbers that they are given."""

from dataclasses import replace

import numpy as np
import pytest

from seglab import runs
from seglab.config import Experiment
from seglab.labels import CITYSCAPES
from seglab.metrics.calibration import Reliability
from seglab.metrics.conventions import CONVENTIONS
from seglab.plots.conventions import conventions
from seglab.plots.reliability import reliability_diagram


def test_conventions_draws_a_point_for_each(tmp_path):
    rng = np.random.default_rng(0)
    images = runs.ImageCounts(("a", "b", "c"), rng.integers(0, 9, (3, 20, 19)))
    for seed in (0, 1):
        folder = runs.create(tmp_path / f"seed{seed}", replace(Experiment("s", "network"), seed=seed))
        runs.write_summary(folder, {})
        if seed == 0:
            runs.write_images(folder, "test", images)
            runs.write_confusion(folder, "test", images.confusions.sum(0), CITYSCAPES.classes)
    (axes,) = conventions(runs.load(tmp_path)).axes
    points = [line for line in axes.lines if line.get_marker() == "o"]
    assert len(points) == 1  # the other run has no scores of single pictures
    full = [use for use in CONVENTIONS.values() if use.resolution == 1]
    expected = [100 * use.convention.score(images.counts) for use in full]
    assert list(points[0].get_xdata()) == pytest.approx(expected)
    assert any("SegSmall" in label.get_text() for label in axes.get_yticklabels())


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
