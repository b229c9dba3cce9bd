"""Figures of scores show the numbers that they are given."""

import numpy as np
import pandas as pd
import pytest

from seglab.labels import CAMVID11
from seglab.metrics.intervals import Interval
from seglab.plots.class_intervals import class_intervals
from seglab.plots.score_map import score_map
from seglab.plots.seam_distance import seam_distance
from seglab.plots.share_iou import share_iou


def test_class_intervals_draws_values_and_ends_in_per_cent():
    first = Interval(np.array([0.5, -0.1]), np.array([0.4, -0.3]), np.array([0.7, 0.1]))
    second = Interval(np.array([0.2, np.nan]), np.array([0.2, np.nan]), np.array([0.2, np.nan]))
    (axes,) = class_intervals({"a": first, "b": second}, ("road", "sky"), "IoU (%)").axes
    drawn = [container.lines for container in axes.containers]
    assert list(drawn[0][0].get_ydata()) == pytest.approx([50, -10])
    ends = [segment[:, 1].tolist() for segment in drawn[0][2][0].get_segments()]
    assert ends == [pytest.approx([40, 70]), pytest.approx([-30, 10])]
    assert drawn[0][0].get_xdata()[0] < 0 < drawn[1][0].get_xdata()[0]  # side by side around the class
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b"]


def test_score_map_writes_per_cent_and_leaves_out_what_rounds_to_nothing():
    table = pd.DataFrame([[0.5, 0.004], [np.nan, 1.0]], ["a", "b"], ["x", "y"])
    figure = score_map(table, "IoU (%)")
    axes = figure.axes[0]
    texts = {text.get_position(): text.get_text() for text in axes.texts}
    assert texts == {(0, 0): "50", (0, 1): "-", (1, 1): "100"}
    np.testing.assert_array_equal(axes.images[0].get_array().filled(np.nan), 100 * table.to_numpy())
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]


def test_share_iou_draws_a_point_for_each_class_that_has_a_score():
    pixels = np.array([0, *range(1, 11)])
    scores = np.array([0.9, np.nan, *np.linspace(0.1, 0.9, 9)])
    (axes,) = share_iou(pixels, scores, CAMVID11).axes
    points = axes.collections[0].get_offsets()
    np.testing.assert_allclose(points[:, 0], 100 * pixels[2:] / 55)
    np.testing.assert_allclose(points[:, 1], 100 * scores[2:])
    assert "rank correlation 1.00 over 9 classes" in axes.get_title("left")


def test_seam_distance_divides_the_counts_of_each_bin():
    changed, pixels = np.array([4, 2, 1, 0, 1]), np.array([8, 4, 4, 4, 0])
    (axes,) = seam_distance({"network": (changed, pixels)}, bin_px=2).axes
    (line,) = axes.lines
    assert list(line.get_xdata()) == [0.5, 2.5, 4.0]
    np.testing.assert_allclose(line.get_ydata(), [50, 12.5, np.nan])
