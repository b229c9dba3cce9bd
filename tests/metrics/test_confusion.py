"""Scores: by hand, and against scikit-learn, torchmetrics and the official Cityscapes evaluation."""

import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import confusion_matrix as sklearn_confusion
from sklearn.metrics import f1_score, jaccard_score, recall_score
from torchmetrics.classification import MulticlassConfusionMatrix, MulticlassJaccardIndex

from seglab import metrics
from seglab.errors import DataError
from seglab.labels import CITYSCAPES, IGNORE_INDEX

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
    np.testing.assert_allclose(metrics.dice(confusion), [2 / 4, 4 / 5, 0, np.nan])
    assert metrics.frequency_weighted_iou(confusion) == pytest.approx((2 / 3 + 2 * 2 / 3 + 1 * 0) / 5)


def test_a_stack_of_matrices_gives_a_stack_of_scores():
    stack = np.stack([CONFUSION, np.diag([4, 3, 2, 1]), np.zeros((4, 4), int)])
    np.testing.assert_allclose(metrics.mean_iou(stack), [1 / 3, 1, np.nan])
    np.testing.assert_allclose(metrics.pixel_accuracy(stack), [3 / 5, 1, np.nan])
    np.testing.assert_allclose(metrics.frequency_weighted_iou(stack), [2 / 5, 1, np.nan])
    assert metrics.dice(stack).shape == metrics.class_accuracy(stack).shape == (3, 4)


def test_categories_join_what_is_confused_within_them():
    joined, names = metrics.category_confusion(CONFUSION, ["flat", "flat", "sky", "flat"])
    assert names == ["flat", "sky"]
    np.testing.assert_array_equal(joined, [[4, 0], [1, 0]])


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
    pairs, options = (mask[kept], prediction[kept]), {"average": None, "labels": range(classes)}
    np.testing.assert_allclose(metrics.dice(ours), f1_score(*pairs, **options), atol=1e-12)
    np.testing.assert_allclose(metrics.class_accuracy(ours), recall_score(*pairs, **options), atol=1e-12)
    jaccard = MulticlassJaccardIndex(classes, ignore_index=255, average=None)
    theirs = jaccard(torch.from_numpy(prediction), torch.from_numpy(mask))
    np.testing.assert_allclose(metrics.iou(ours), theirs.numpy(), rtol=1e-6)


def official(predictions, masks, folder):
    """What the official evaluation says of masks with official ids, given as it wants them: as files."""
    from cityscapesscripts.evaluation import evalPixelLevelSemanticLabeling as script

    script.args.evalInstLevelScore = script.args.JSONOutput = False
    script.args.quiet = True
    files = []
    for kind, arrays in (("prediction", predictions), ("truth", masks)):
        files.append([str(folder / f"{kind}{i}.png") for i in range(len(arrays))])
        for path, array in zip(files[-1], arrays, strict=True):
            Image.fromarray(array).save(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves its files open
        return script.evaluateImgLists(*files, script.args)


OFFICIAL_IDS = sorted(CITYSCAPES.file_ids)
CASES = {
    "random": lambda rng, shape: rng.choice(OFFICIAL_IDS, shape),
    "classes absent": lambda rng, shape: rng.choice([7, 11, 23, 26], shape),
    "one class": lambda rng, shape: np.full(shape, 26),
    "all void": lambda rng, shape: rng.choice([0, 1, 5, 30], shape),
    "first and last id": lambda rng, shape: rng.choice([0, 7, 33], shape),
    "mostly right": lambda rng, shape: np.repeat(rng.choice(OFFICIAL_IDS, (shape[0], 1)), shape[1], 1),
}


@pytest.mark.parametrize("case", CASES)
def test_equals_the_official_cityscapes_evaluation(case, tmp_path):
    rng = np.random.default_rng(list(CASES).index(case))
    shapes = [(24, 40), (17, 31), (1, 50)] * (100 if case == "random" else 1)
    truths = [CASES[case](rng, shape).astype(np.uint8) for shape in shapes]
    masks = [CITYSCAPES.to_train_ids(truth, case) for truth in truths]
    predictions = [rng.integers(0, 19, shape).astype(np.uint8) for shape in shapes]
    if case == "mostly right":
        predictions = [
            np.where((rng.random(mask.shape) < 0.8) & (mask != IGNORE_INDEX), mask, prediction)
            for mask, prediction in zip(masks, predictions, strict=True)
        ]
    theirs = official([CITYSCAPES.to_file_ids(p) for p in predictions], truths, tmp_path)
    ours = sum(metrics.confusion_matrix(p, m, 19) for p, m in zip(predictions, masks, strict=True))
    expected = [theirs["classScores"][name] for name in CITYSCAPES.classes]
    np.testing.assert_allclose(metrics.iou(ours), expected, rtol=0, atol=1e-9)
    np.testing.assert_allclose(metrics.mean_iou(ours), theirs["averageScoreClasses"], rtol=0, atol=1e-9)
    joined, names = metrics.category_confusion(ours, CITYSCAPES.categories)
    expected = [theirs["categoryScores"][name] for name in names]
    np.testing.assert_allclose(metrics.iou(joined), expected, rtol=0, atol=1e-9)
    np.testing.assert_allclose(
        metrics.mean_iou(joined), theirs["averageScoreCategories"], rtol=0, atol=1e-9
    )


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
        (np.array([0]), np.array([254]), "mask holds ids 254..254; allowed are 0..3 and 255"),
        (np.array([0, 5, 9]), np.array([0, 0, 1]), "prediction holds ids 5..9"),
        (np.array([0]), np.array([256]), "mask holds ids 256..256; allowed are 0..255"),
        (np.array([0.0]), np.array([0]), "prediction is float64; allowed are integers"),
        (np.array([0]), np.array([0], np.float32), "mask is float32; allowed are integers"),
        (np.array([True]), np.array([0]), "prediction is bool"),
    ],
)
def test_bad_input_is_refused(prediction, mask, reason):
    with pytest.raises(DataError, match=reason):
        metrics.confusion_matrix(prediction, mask, 4)
