"""Scores: worked out by hand, and against scikit-learn and torchmetrics."""

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix as sklearn_confusion
from sklearn.metrics import jaccard_score
from torchmetrics.classification import MulticlassConfusionMatrix

from seglab import metrics
from seglab.errors import DataError

MASK = np.array([[0, 0, 1], [1, 2, 255]], np.uint8)
PREDICTION = np.array([[0, 1, 1], [1, 0, 2]], np.uint8)
#          predicted 0  1  2  3
CONFUSION = np.array([[1, 1, 0, 0], [0, 2, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]])


def test_by_hand():
    confusion = metrics.confusion_matrix(PREDICTION, MASK, 4)
    assert confusion.dtype == np.int64
    np.testing.assert_array_equal(confusion, CONFUSION)  # the ignored pixel's 2 is nowhere
    np.testing.assert_allclose(metrics.iou(confusion), [1 / 3, 2 / 3, 0, np.nan])
    assert metrics.mean_iou(confusion) == pytest.approx((1 / 3 + 2 / 3 + 0) / 3)
    assert metrics.scored_classes(confusion) == 3
    np.testing.assert_allclose(metrics.class_accuracy(confusion), [1 / 2, 1, 0, np.nan])
    assert metrics.pixel_accuracy(confusion) == pytest.approx(3 / 5)


def test_nothing_labelled_has_no_score():
    confusion = metrics.confusion_matrix(PREDICTION, np.full_like(MASK, 255), 4)
    assert confusion.sum() == 0
    assert np.isnan(metrics.mean_iou(confusion)) and np.isnan(metrics.pixel_accuracy(confusion))
    assert metrics.scored_classes(confusion) == 0


def test_wrongly_predicted_absent_class_scores_zero():
    confusion = metrics.confusion_matrix(np.array([3]), np.array([0]), 4)
    np.testing.assert_array_equal(metrics.iou(confusion), [0, np.nan, np.nan, 0])


@pytest.mark.parametrize("seed", range(20))
def test_equals_independent_implementations(seed):
    rng = np.random.default_rng(seed)
    classes = int(rng.integers(2, 20))
    mask = rng.integers(0, classes, (40, 50))
    mask[rng.random(mask.shape) < 0.2] = 255
    prediction = rng.integers(0, classes, mask.shape)
    ours = metrics.confusion_matrix(prediction, mask, classes)
    kept = mask != 255
    theirs = sklearn_confusion(mask[kept], prediction[kept], labels=range(classes))
    np.testing.assert_array_equal(ours, theirs)
    torch_metric = MulticlassConfusionMatrix(classes, ignore_index=255)
    torch_metric.update(torch.from_numpy(prediction), torch.from_numpy(mask))
    np.testing.assert_array_equal(ours, torch_metric.compute().numpy())
    expected = jaccard_score(mask[kept], prediction[kept], average="macro", labels=range(classes))
    assert metrics.mean_iou(ours) == pytest.approx(expected, abs=1e-12)


def test_matrices_of_parts_add_up():
    rng = np.random.default_rng(0)
    mask, prediction = rng.integers(0, 5, (2, 6, 8))
    parts = [metrics.confusion_matrix(p, m, 5) for p, m in zip(prediction, mask, strict=True)]
    np.testing.assert_array_equal(sum(parts), metrics.confusion_matrix(prediction, mask, 5))


@pytest.mark.parametrize(
    ("prediction", "mask", "reason"),
    [
        (np.zeros((2, 3), int), np.zeros((3, 2), int), "shape"),
        (np.array([4]), np.array([0]), "prediction holds ids 4..4; allowed are 0..3"),
        (np.array([-1]), np.array([0]), "prediction holds ids -1"),
        (np.array([0]), np.array([254]), "mask holds ids 254"),
    ],
)
def test_bad_input_is_refused(prediction, mask, reason):
    with pytest.raises(DataError, match=reason):
        metrics.confusion_matrix(prediction, mask, 4)
