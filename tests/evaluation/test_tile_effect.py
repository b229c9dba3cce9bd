"""Whole pictures against tiles: networks of which the difference is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from seglab import metrics
from seglab.config import DataConfig
from seglab.datasets import create_dataset
from seglab.errors import ConfigError
from seglab.evaluation.execution import Execution
from seglab.evaluation.inference import InferenceConfig, Predictor, tile_starts
from seglab.evaluation.tile_effect import measure_tile_effect


class Pointwise(nn.Module):
    """Sees one pixel: the class follows from its red."""

    def forward(self, image):
        return torch.cat([image[:, :1], image[:, 1:].mean(1, keepdim=True), torch.zeros_like(image)], 1)


class Shifted(Pointwise):
    """Sees three pixels to the left alone, and zeros beyond the edge."""

    def forward(self, image):
        return super().forward(nn.functional.pad(image, (3, 0))[..., :-3])


class WithMean(Pointwise):
    """Takes the mean of what it is shown away, as instance normalisation does."""

    def forward(self, image):
        return super().forward(image - image.mean((2, 3), keepdim=True))


def predictor(model, dataset):
    data = DataConfig("street_scenes", input_size=None)
    return Predictor(model, Execution(torch.device("cpu")), data, dataset.labels)


@pytest.fixture
def split(tiny):
    return create_dataset(tiny.data.name, "test", tiny.data.root)  # pictures of 64x128


def test_a_network_that_sees_single_pixels_does_not_feel_tiles(split):
    effect = measure_tile_effect(predictor(Pointwise(), split), split, (64, 64))
    assert effect.share == 0 and effect.changed.sum() == 0
    np.testing.assert_array_equal(effect.whole, effect.tiled)
    labelled = [split.read(index)[1] != 255 for index in range(len(split))]
    # the only seam is in the middle: 64 distances, each with one column on either side
    columns = sum(one.sum(0) for one in labelled)
    np.testing.assert_array_equal(effect.pixels, (columns[63::-1] + columns[64:]))


def test_changes_end_where_the_receptive_field_ends(split):
    effect = measure_tile_effect(predictor(Shifted(), split), split, (64, 64))
    assert effect.changed[:3].sum() > 0
    assert effect.changed[3:].sum() == 0
    assert effect.share == effect.changed.sum() / effect.pixels.sum()


def test_statistics_of_the_tile_are_felt_everywhere(split):
    one = predictor(WithMean(), split)
    effect = measure_tile_effect(one, split, (32, 64))
    assert effect.changed[8:].sum() > 0
    image, mask = split.read(0)
    tiled = replace(one, inference=InferenceConfig(tile=(32, 64), overlap=0.0))(image)
    np.testing.assert_array_equal(effect.tiled[0], metrics.confusion_matrix(tiled, mask, 19))
    np.testing.assert_array_equal(effect.whole[0], metrics.confusion_matrix(one(image), mask, 19))


@pytest.mark.parametrize("tile", [(40, 64), (64, 48)])
def test_tiles_that_would_overlap_are_refused(split, tile):
    with pytest.raises(ConfigError, match=rf"tile: got {tile[0]} x {tile[1]}; .* divide .* 64 x 128: other"):
        measure_tile_effect(predictor(Pointwise(), split), split, tile)
    assert measure_tile_effect(predictor(Pointwise(), split), split, (100, 64)).share == 0  # a column of two


def test_tiles_begin_evenly():
    assert tile_starts(10, 4, 0.0) == [0, 3, 6]
    assert tile_starts(8, 4, 0.5) == [0, 2, 4]
    assert tile_starts(3, 4, 0.0) == [0]
