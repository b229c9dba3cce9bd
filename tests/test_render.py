"""Colours, overlays and error maps, pixel by pixel."""

import numpy as np
import pytest

from seglab import render
from seglab.errors import DataError
from seglab.labels import CAMVID11, CITYSCAPES

MASK = np.array([[0, 255]], np.uint8)
IMAGE = np.array([[[100, 0, 200], [9, 8, 7]]], np.uint8)


def test_colours_are_the_label_spaces_own():
    np.testing.assert_array_equal(render.colorize(MASK, CITYSCAPES), [[[128, 64, 128], [0, 0, 0]]])
    np.testing.assert_array_equal(render.colorize(MASK, CAMVID11), [[[128, 128, 128], [0, 0, 0]]])


@pytest.mark.parametrize(
    ("opacity", "expected"), [(0, [100, 0, 200]), (0.5, [114, 32, 164]), (1, [128, 64, 128])]
)
def test_overlay_blends_and_keeps_ignored_pixels(opacity, expected):
    blended = render.overlay(IMAGE, MASK, CITYSCAPES, opacity)
    np.testing.assert_array_equal(blended, [[expected, [9, 8, 7]]])
    assert blended.dtype == np.uint8


def test_overlay_refuses_another_size():
    with pytest.raises(DataError, match=r"\(1, 2\).*\(2, 1\)"):
        render.overlay(IMAGE, MASK.T, CITYSCAPES)


def test_error_map():
    found = render.error_map(np.array([[0, 1, 1]]), np.array([[0, 0, 255]]))
    np.testing.assert_array_equal(found, [[render.RIGHT, render.WRONG, render.VOID]])


def test_blend_takes_an_opacity_for_each_pixel():
    colors = np.full_like(IMAGE, 255)
    blended = render.blend(IMAGE, colors, np.array([[0.0, 1.0]]))
    np.testing.assert_array_equal(blended, [[[100, 0, 200], [255, 255, 255]]])


def test_confidence_map_gets_lighter_evenly():
    colors = render.confidence_map(np.linspace(0, 1, 101))
    np.testing.assert_array_equal(colors[[0, 50, 100]], render.CONFIDENCE_RAMP)
    lightness = colors @ (0.2126, 0.7152, 0.0722)
    steps = np.diff(lightness)
    assert steps.min() > 0 and steps.max() < 3 * steps.mean()
    assert render.confidence_map(np.zeros((2, 3))).shape == (2, 3, 3)
