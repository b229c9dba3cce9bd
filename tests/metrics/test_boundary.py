"""Borders: against erosion and distances computed otherwise, and by hand."""

import numpy as np
import pytest
from scipy import ndimage

from seglab import metrics
from seglab.errors import DataError
from seglab.metrics.boundary import boundary_counts, boundary_iou, inner_border, trimap_confusion


def blobs(seed, shape=(40, 50), classes=4, void=0.0):
    """Smooth random regions."""
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.standard_normal((classes, *shape)), (0, 3, 3))
    mask = noise.argmax(0).astype(np.uint8)
    cloud = ndimage.gaussian_filter(rng.random(shape), 2)
    mask[cloud < np.quantile(cloud, void)] = 255
    return mask


def border_by_erosion(region, width):
    """As the paper's own code: erode with a 3x3 square, `width` times, the outside being empty."""
    return region & ~ndimage.binary_erosion(region, np.ones((3, 3)), iterations=width, border_value=0)


@pytest.mark.parametrize("width", [1, 2, 5])
@pytest.mark.parametrize("seed", range(3))
def test_boundary_iou_equals_the_papers_definition(seed, width):
    mask, prediction = blobs(seed, void=0.1), blobs(seed + 100)
    prediction[:, :25] = np.where(mask[:, :25] == 255, 0, mask[:, :25])
    counts = boundary_counts(prediction, mask, 4, width)
    seen = np.where(mask == 255, 255, prediction)
    for k in range(4):
        true, said = (border_by_erosion(ids == k, width) for ids in (mask, seen))
        assert counts[:, k].tolist() == [(true & said).sum(), (true | said).sum()]


def test_boundary_iou_by_hand():
    mask = np.zeros((6, 8), np.uint8)
    mask[1:5, 1:5] = 1  # a square whose border of one pixel has 12 pixels
    prediction = np.zeros_like(mask)
    prediction[1:5, 2:6] = 1  # shifted by one: the 3 + 3 pixels of top and bottom are shared, no more
    scores = boundary_iou(boundary_counts(prediction, mask, 3, 1))
    assert scores[1] == pytest.approx(6 / (12 + 12 - 6))
    assert np.isnan(scores[2])
    assert boundary_iou(boundary_counts(mask, mask, 3, 1))[:2].tolist() == [1, 1]


def test_a_wide_border_is_the_whole_class():
    mask, prediction = blobs(0), blobs(1)
    expected = metrics.iou(metrics.confusion_matrix(prediction, mask, 4))
    np.testing.assert_allclose(boundary_iou(boundary_counts(prediction, mask, 4, 60)), expected)


def test_the_edge_of_the_picture_is_a_border():
    border = inner_border(np.zeros((3, 4), np.uint8), 1)
    np.testing.assert_array_equal(border, [[1] * 4, [1, 0, 0, 1], [1] * 4])


@pytest.mark.parametrize("width", [1, 3])
def test_trimap_equals_distances_to_other_classes(width):
    mask, prediction = blobs(5, void=0.1), blobs(6)
    present = [ndimage.distance_transform_cdt(mask != k, "chessboard") <= width for k in range(4)]
    near = sum(p.astype(int) for p in present) >= 2
    assert near.any() and not near.all() and (mask == 255).any()
    expected = metrics.confusion_matrix(prediction[near], mask[near], 4)
    np.testing.assert_array_equal(trimap_confusion(prediction, mask, 4, width), expected)


def test_trimap_by_hand():
    mask = np.array([[0, 0, 0, 0, 1, 1, 1, 1]], np.uint8)
    prediction = np.array([[1, 0, 0, 0, 0, 1, 1, 0]], np.uint8)
    np.testing.assert_array_equal(trimap_confusion(prediction, mask, 2, 1), [[1, 0], [1, 0]])
    np.testing.assert_array_equal(trimap_confusion(prediction, mask, 2, 2), [[2, 0], [1, 1]])
    assert trimap_confusion(prediction, np.zeros_like(mask), 2, 2).sum() == 0


def test_bad_input_is_refused():
    with pytest.raises(DataError, match="shape"):
        boundary_counts(np.zeros((2, 3), int), np.zeros((3, 2), int), 2, 1)
    with pytest.raises(DataError, match="float"):
        trimap_confusion(np.zeros((3, 3)), np.zeros((3, 3), int), 2, 1)
