"""Bootstrap intervals: against SciPy's, and where the answer is known."""

import numpy as np
import pytest
from scipy import stats

from seglab import metrics
from seglab.errors import DataError
from seglab.metrics.intervals import bootstrap, paired_bootstrap


def pictures(number, seed=0, right=0.7):
    """Confusion matrices of pictures of 100 pixels with two classes; how many are right differs."""
    rng = np.random.default_rng(seed)
    return rng.multinomial([60, 40], [[right, 1 - right], [1 - right, right]], (number, 2))


def test_equals_scipy_up_to_the_luck_of_the_draw():
    confusions = pictures(60)
    ours = bootstrap(confusions, metrics.pixel_accuracy, resamples=5000)
    shares = np.trace(confusions, axis1=1, axis2=2) / 100
    theirs = stats.bootstrap((shares,), np.mean, n_resamples=5000, method="percentile", rng=1)
    assert ours.value == pytest.approx(shares.mean())
    width = ours.high - ours.low
    assert abs(ours.low - theirs.confidence_interval.low) < 0.05 * width
    assert abs(ours.high - theirs.confidence_interval.high) < 0.05 * width


def test_one_value_per_class_and_the_same_answer_each_time():
    first, second = (bootstrap(pictures(20), metrics.iou) for _ in range(2))
    assert first.value.shape == first.low.shape == first.high.shape == (2,)
    assert (first.low < first.value).all() and (first.value < first.high).all()
    np.testing.assert_array_equal(first.low, second.low)


def test_equal_pictures_leave_nothing_to_chance():
    same = np.repeat(pictures(1), 10, axis=0)
    interval = bootstrap(same, metrics.mean_iou)
    assert interval.low == interval.high == pytest.approx(metrics.mean_iou(same[0]))


def test_a_class_in_no_picture_has_no_interval_and_a_rare_one_has():
    confusions = np.zeros((10, 3, 3), int)
    confusions[:, 0, 0] = 10
    confusions[0, 1, 1] = 5  # class 1 is in one picture of ten, class 2 in none
    interval = bootstrap(confusions, metrics.iou)
    np.testing.assert_array_equal(interval.low, [1, 1, np.nan])
    np.testing.assert_array_equal(interval.high, [1, 1, np.nan])


def test_pairs_cancel_what_makes_pictures_hard():
    """Pictures differ widely, and the second run is better by the same pixels in each."""
    right = np.arange(10, 90, 4)
    first = np.zeros((20, 2, 2), int)
    first[:, 0, 0], first[:, 0, 1], first[:, 1, 1] = right, 100 - right, 50
    second = first + np.array([[5, -5], [0, 0]])
    difference = paired_bootstrap(first, second, metrics.pixel_accuracy)
    assert difference.value == pytest.approx(5 / 150)
    assert difference.low == pytest.approx(5 / 150) and difference.high == pytest.approx(5 / 150)
    alone = bootstrap(first, metrics.pixel_accuracy)
    assert alone.high - alone.low > 0.1


def test_covers_the_truth_about_as_often_as_it_says():
    truth = 0.7
    intervals = [bootstrap(pictures(40, seed), metrics.pixel_accuracy, resamples=300) for seed in range(200)]
    covered = np.mean([interval.low <= truth <= interval.high for interval in intervals])
    assert 0.88 < covered < 0.99


@pytest.mark.parametrize("score", [metrics.iou, metrics.mean_iou])
def test_few_pictures_have_a_score_and_no_interval(score):
    for number in (1, 9, 10):
        first, second = pictures(number), pictures(number, seed=1)
        paired = paired_bootstrap(first, second, score)
        for interval in (bootstrap(first, score), paired):
            for end in (interval.low, interval.high):
                assert np.shape(end) == np.shape(interval.value) and (np.isnan(end) == (number < 10)).all()
        np.testing.assert_array_equal(paired.value, score(second.sum(0)) - score(first.sum(0)))


def test_bad_input_is_refused():
    with pytest.raises(DataError, match="no picture"):
        bootstrap(np.zeros((0, 2, 2), int), metrics.iou)
    with pytest.raises(DataError, match="same pictures"):
        paired_bootstrap(pictures(5), pictures(6), metrics.iou)
    other = pictures(5).transpose(0, 2, 1)
    with pytest.raises(DataError, match="same pictures"):
        paired_bootstrap(pictures(5), other, metrics.iou)
