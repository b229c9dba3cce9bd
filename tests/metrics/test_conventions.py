"""Conventions: by hand, and against the systems that use them where those are installed."""

import numpy as np
import pytest
import torch
from torchmetrics.segmentation import MeanIoU

from seglab import metrics
from seglab.metrics.conventions import CONVENTIONS, Convention, shrink

#                 truth 0, 1, 2, void; predicted 0, 1, 2
FIRST = np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0], [2, 0, 0]])
SECOND = np.array([[2, 0, 2], [0, 0, 0], [0, 0, 0], [0, 0, 0]])
IMAGES = np.stack([FIRST, SECOND])


def test_segsmall_gives_an_entirely_wrong_prediction_89_per_cent():
    """All of the road is called sidewalk, in a label space of 19 classes."""
    wrong = metrics.confusion_matrix(np.ones((8, 8), np.uint8), np.zeros((8, 8), np.uint8), 19)
    images = np.pad(wrong, [(0, 1), (0, 0)])[None]
    assert CONVENTIONS["per batch, absent 1, void is wrong"].system == "SegSmall"
    segsmall = CONVENTIONS["per batch, absent 1, void is wrong"].convention.score(images)
    assert segsmall == pytest.approx(17 / 19) and f"{segsmall:.1%}" == "89.5%"
    assert CONVENTIONS["whole split, absent left out"].convention.score(images) == 0


@pytest.mark.parametrize(
    ("convention", "expected"),
    [
        # summed: [[5,1,2],[0,4,0],[0,0,0]]; IoU 5/8, 4/5, 0/2
        (Convention(), (5 / 8 + 4 / 5 + 0) / 3),
        (Convention(absent="untrue"), (5 / 8 + 4 / 5) / 2),
        (Convention(average="micro"), 9 / (8 + 5 + 2)),
        (Convention(void_counts=True), (5 / 10 + 4 / 5 + 0) / 3),
        # first picture: 3/4, 4/5, absent; second: 2/4, absent, 0/2
        (Convention("picture"), ((3 / 4 + 4 / 5) / 2 + (2 / 4 + 0) / 2) / 2),
        (Convention("picture", "0"), ((3 / 4 + 4 / 5 + 0) / 3 + (2 / 4 + 0 + 0) / 3) / 2),
        (Convention("picture", "1"), ((3 / 4 + 4 / 5 + 1) / 3 + (2 / 4 + 1 + 0) / 3) / 2),
        (Convention("picture", "untrue"), ((3 / 4 + 4 / 5) / 2 + 2 / 4) / 2),
        (Convention("picture", average="pairs"), (3 / 4 + 4 / 5 + 2 / 4 + 0) / 4),
        (Convention("picture", average="micro"), (7 / 9 + 2 / 6) / 2),
        (Convention("batch", batch_size=2), (5 / 8 + 4 / 5 + 0) / 3),
        (Convention("batch", batch_size=1), ((3 / 4 + 4 / 5) / 2 + (2 / 4 + 0) / 2) / 2),
    ],
)
def test_by_hand(convention, expected):
    assert convention.score(IMAGES) == pytest.approx(expected)


def test_a_last_smaller_batch_counts_as_one():
    three = np.concatenate([IMAGES, FIRST[None]])
    both, alone = Convention().score(IMAGES), Convention().score(FIRST[None])
    assert Convention("batch", batch_size=2).score(three) == pytest.approx((both + alone) / 2)


def test_the_first_convention_is_ours():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 5, (6, 5, 4))
    assert next(iter(CONVENTIONS.values())).convention.score(images) == pytest.approx(
        metrics.mean_iou(images[:, :4].sum(0))
    )


def test_torchmetrics_scores_pairs_of_picture_and_class():
    rng = np.random.default_rng(1)
    prediction, mask = rng.integers(0, 6, (2, 5, 3, 3))  # so few pixels that classes are absent
    theirs = MeanIoU(num_classes=6, input_format="index")
    theirs.update(torch.from_numpy(prediction), torch.from_numpy(mask))
    images = [metrics.confusion_matrix(p, m, 6) for p, m in zip(prediction, mask, strict=True)]
    ours = CONVENTIONS["per picture and class"].convention.score(np.pad(images, [(0, 0), (0, 1), (0, 0)]))
    assert ours == pytest.approx(float(theirs.compute()), rel=1e-6)


def test_each_use_says_who_and_where_or_that_nobody_is_known():
    for use in CONVENTIONS.values():
        assert bool(use.system) == bool(use.source)


def test_shrink_takes_the_middle_of_each_block():
    mask = np.arange(64).reshape(8, 8)
    np.testing.assert_array_equal(shrink(mask, 4), [[18, 22], [50, 54]])
    assert shrink(mask, 1).shape == (8, 8)
