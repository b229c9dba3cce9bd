"""Errors over a split, added up from what the single measures say."""

import numpy as np
import pandas as pd
import pytest

from seglab import metrics
from seglab.datasets import create_dataset
from seglab.evaluation.conventions import convention_table
from seglab.evaluation.error_analysis import analyse_errors, largest_mistake, size_table
from seglab.evaluation.inference import load_predictor
from seglab.metrics.boundary import boundary_counts, trimap_confusion
from seglab.metrics.conventions import CONVENTIONS, shrink
from seglab.metrics.sizes import segment_iou


@pytest.fixture
def split(tiny):
    return create_dataset(tiny.data.name, "test", tiny.data.root)


def test_adds_up_over_pictures(make_run, split):
    predictor = load_predictor(make_run(), "cpu")
    found = analyse_errors(predictor, split, (2, 5))
    pairs = [(predictor(image), mask) for image, mask in map(split.read, range(len(split)))]
    confusions = [metrics.confusion_matrix(*pair, 19) for pair in pairs]
    np.testing.assert_array_equal(found.images.confusions, confusions)
    void = sum((mask == 255).sum() for _, mask in pairs)
    assert found.images.counts[:, -1].sum() == void > 0
    small = [metrics.confusion_matrix(shrink(p, 4), shrink(m, 4), 19) for p, m in pairs]
    np.testing.assert_array_equal(found.quarter.confusions, small)
    for i, width in enumerate((2, 5)):
        np.testing.assert_array_equal(found.trimap[i], sum(trimap_confusion(*p, 19, width) for p in pairs))
        np.testing.assert_array_equal(found.boundary[i], sum(boundary_counts(*p, 19, width) for p in pairs))
    assert len(found.segments) == sum(len(segment_iou(*pair, 19)) for pair in pairs)
    assert set(found.segments["picture"]) == set(split.names)

    table = convention_table(found.images, found.quarter)
    assert list(table["convention"]) == list(CONVENTIONS)
    assert table["mean_iou"][0] == metrics.mean_iou(sum(confusions))
    quarter = table.set_index("convention")["mean_iou"]["whole split, quarter resolution"]
    assert quarter == metrics.mean_iou(sum(small))
    assert "whole split, quarter resolution" not in set(convention_table(found.images)["convention"])


def test_sizes_are_binned_by_hand():
    segments = pd.DataFrame(
        {
            "class": pd.Categorical(["car", "car", "sky", "car"]),
            "size_px": [1, 2, 30, 40],
            "iou": [0.0, 0.5, 1.0, 0.8],
        }
    )
    table = size_table(segments, bins=2)
    rows = [(row["class"], row["iou"], row["segments"]) for _, row in table.iterrows()]
    assert rows == [("car", 0.25, 2), ("car", 0.8, 1), ("sky", 1.0, 1)]
    assert 2 in table["size_px"][0] and 30 in table["size_px"][1]


def test_largest_mistake_is_said_in_words():
    confusion = np.array([[90, 4, 0], [6, 0, 0], [0, 0, 100]])
    assert largest_mistake(confusion, ("road", "wall", "sky")) == "wall as road, 3 % of the pixels"
    assert largest_mistake(np.diag([1, 2]), ("a", "b")) == "none"
