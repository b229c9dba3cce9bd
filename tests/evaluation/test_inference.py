"""Inference: several scales, mirrored, in tiles."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from seglab.config import DataConfig
from seglab.errors import ConfigError, DataError
from seglab.evaluation.execution import Execution
from seglab.evaluation.inference import (
    MULTI_SCALE,
    InferenceConfig,
    Predictor,
    predict_masks,
    predict_scores,
)
from seglab.labels import CAMVID11
from seglab.models import create_model

CPU = Execution(torch.device("cpu"))
DATA = DataConfig()
ODD = (47, 61)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    options = {"widths": [4, 4], "repetitions": 0, "block": "basic"}
    return create_model("minihrnet_a3", 5, **options).eval()


@pytest.fixture(scope="module")
def local():
    """A network that looks 3 pixels far, has no padding of its own accord and sees no whole picture."""
    torch.manual_seed(1)
    layers = [nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(8, 5, 3, padding=1)).eval()


def picture(size=ODD, number=1, seed=0):
    """Smooth random colours: noise would be all interpolation."""
    noise = torch.rand((number, 3, 6, 8), generator=torch.Generator().manual_seed(seed))
    return F.interpolate(noise * 255, size, mode="bicubic").clamp(0, 255).byte()


@pytest.mark.parametrize("data", [DATA, DataConfig(input_size=(40, 64))], ids=["own size", "input size"])
def test_one_scale_without_flip_is_the_network_s_own_answer(network, data):
    image, one = picture(number=2), InferenceConfig(scales=(1.0,), flip=False)
    shown = CPU.image(image, data)
    if data.input_size:
        shown = F.interpolate(shown, data.input_size, mode="bilinear", antialias=True)
    with torch.inference_mode():
        logits = network(shown)
    logits = F.interpolate(logits, ODD, mode="bilinear") if data.input_size else logits
    assert logits.shape == (2, 5, *ODD)
    assert torch.equal(predict_masks(network, image, CPU, data, one), logits.argmax(1))
    scores = predict_scores(network, image, CPU, data, one)
    torch.testing.assert_close(scores, logits.softmax(1))
    assert scores.is_contiguous(memory_format=torch.channels_last)
    raw = predict_scores(network, image, CPU, data, replace(one, average="logits"))
    assert torch.equal(raw, logits)


@pytest.mark.parametrize("average", ["probabilities", "logits"])
@pytest.mark.parametrize("data", [DATA, DataConfig(input_size=(48, 72))], ids=["own size", "input size"])
def test_several_scales_are_the_mean_of_each(network, data, average):
    """Against a picture resized, shown and resized back by hand."""
    image = picture()
    seen = data.input_size or ODD
    expected = []
    for scale in (0.75, 1.0, 1.5):
        size = [round(side * scale) for side in seen]
        shown = F.interpolate(CPU.image(image, data), size, mode="bilinear", antialias=True)
        for flip in (False, True):
            with torch.inference_mode():
                answer = network(shown.flip(-1) if flip else shown)
            answer = F.interpolate(answer.flip(-1) if flip else answer, ODD, mode="bilinear")
            expected.append(answer.softmax(1) if average == "probabilities" else answer)
    inference = InferenceConfig((0.75, 1.0, 1.5), flip=True, average=average)
    found = predict_scores(network, image, CPU, data, inference)
    torch.testing.assert_close(found, torch.stack(expected).mean(0), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(predict_masks(network, image, CPU, data, inference), found.argmax(1))


def test_probabilities_add_up_to_one_and_outvote_what_logits_would_say():
    """Where logits are averaged, one loud view decides; where probabilities are, the majority does."""

    class Loud(nn.Module):
        def forward(self, image):
            loud = image.shape[-1] == 64  # scale 1 of three
            logits = torch.tensor([50.0, 0.0] if loud else [0.0, 3.0])
            return logits.view(1, 2, 1, 1).expand(1, 2, *image.shape[-2:])

    image, scales = picture((32, 64)), (1.0, 1.25, 1.5)
    scores = predict_scores(Loud(), image, CPU, DATA, InferenceConfig(scales))
    torch.testing.assert_close(scores.sum(1), torch.ones(1, 32, 64))
    assert (scores.argmax(1) == 1).all()
    assert (predict_masks(Loud(), image, CPU, DATA, InferenceConfig(scales, average="logits")) == 0).all()


@pytest.mark.parametrize("scales", [(1.0,), MULTI_SCALE])
def test_with_flip_the_mirror_image_has_the_mirrored_answer(network, scales):
    image, inference = picture((64, 96)), InferenceConfig(scales, flip=True)
    straight = predict_scores(network, image, CPU, DATA, inference)
    mirrored = predict_scores(network, image.flip(-1), CPU, DATA, inference)
    torch.testing.assert_close(mirrored.flip(-1), straight, atol=1e-5, rtol=1e-5)
    without = InferenceConfig(scales)
    straight = predict_scores(network, image, CPU, DATA, without)
    mirrored = predict_scores(network, image.flip(-1), CPU, DATA, without)
    assert not torch.allclose(mirrored.flip(-1), straight, atol=1e-3)


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("size", [(64, 96), (71, 101), (40, 200)])
def test_tiles_equal_the_whole_picture_away_from_their_edges(local, size, overlap):
    image, tile = picture(size), (40, 48)
    whole = predict_scores(local, image, CPU, DATA, InferenceConfig(average="logits"))
    inference = InferenceConfig(tile=tile, overlap=overlap, average="logits")
    tiled = predict_scores(local, image, CPU, DATA, inference)
    assert tiled.shape == whole.shape
    far = torch.ones(size, dtype=torch.bool)
    for axis, (length, side) in enumerate(zip(size, tile, strict=True)):
        far &= _far_from_edges(length, side, overlap).view((-1, 1) if axis == 0 else (1, -1))
    assert far.any() and not far.all()
    torch.testing.assert_close(tiled[..., far], whole[..., far], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(tiled[..., ~far], whole[..., ~far], atol=1e-5)


def _far_from_edges(length, side, overlap, reach=3):
    """Pixels that no tile shows within `reach` of an edge that is not the picture's own."""
    shared = round(side * overlap)
    number = -(-(length - shared) // (side - shared))
    far = torch.ones(length, dtype=torch.bool)
    for i in range(number):
        start = round(i * (length - side) / max(1, number - 1))
        if start > 0:
            far[start : start + reach] = False
        if start + side < length:
            far[start + side - reach : start + side] = False
    return far


@pytest.mark.parametrize("size", [(45, 190), (130, 45), (97, 83)])
def test_tiles_answer_at_the_size_of_the_picture(network, size):
    inference = InferenceConfig((0.75, 1.25), flip=True, tile=(48, 48))
    scores = predict_scores(network, picture(size, number=2), CPU, DATA, inference)
    assert scores.shape == (2, 5, *size)
    torch.testing.assert_close(scores.sum(1), torch.ones(2, *size))
    assert predict_masks(network, picture(size), CPU, DATA, inference).shape == (1, *size)


def test_a_tile_larger_than_the_picture_is_the_whole_picture(network):
    tiled = predict_scores(network, picture(), CPU, DATA, InferenceConfig(tile=(512, 1024)))
    torch.testing.assert_close(tiled, predict_scores(network, picture(), CPU, DATA))


def test_tiles_are_shown_as_large_as_the_whole_picture_would_be(local):
    """With an input size of half the picture a tile of 64 pixels is shown with 32."""
    shown = []

    class Spy(nn.Module):
        def forward(self, image):
            shown.append(tuple(image.shape[-2:]))
            return local(image)

    inference = InferenceConfig((1.0, 1.5), tile=(64, 96), overlap=0)
    predict_masks(Spy(), picture((128, 192)), CPU, DataConfig(input_size=(64, 96)), inference)
    assert shown == [(32, 48), (48, 72)] * 4


@pytest.mark.parametrize("inference", [InferenceConfig(), InferenceConfig(MULTI_SCALE, flip=True)])
def test_nan_is_an_error(inference):
    class Broken(nn.Module):
        def forward(self, image):
            return torch.full((1, 11, *image.shape[-2:]), torch.nan)

    predict = Predictor(Broken(), CPU, DATA, CAMVID11, inference)
    with pytest.raises(DataError, match="NaN"):
        predict(np.zeros((40, 50, 3), np.uint8))


def test_each_way_to_ask_has_a_name_of_its_own():
    ways = [
        InferenceConfig(),
        InferenceConfig(MULTI_SCALE),
        InferenceConfig(MULTI_SCALE, flip=True),
        InferenceConfig(flip=True),
        InferenceConfig(MULTI_SCALE, average="logits"),
        InferenceConfig(tile=(64, 128)),
        InferenceConfig(tile=(64, 128), overlap=0.5),
        InferenceConfig(tile=(128, 64)),
    ]
    tags = [way.tag for way in ways]
    assert tags[0] == "plain" and tags[2] == "scales0.5-0.75-1-1.25-1.5-1.75-flip"
    assert len(set(tags)) == len(tags)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"scales": ()}, "scales"),
        ({"scales": (1.0, -0.5)}, "scales"),
        ({"scales": (float("nan"),)}, "scales"),
        ({"tile": (16, 512)}, "tile"),
        ({"overlap": 0.7}, "overlap"),
        ({"average": "votes"}, "average"),
    ],
)
def test_bad_settings_are_refused(fields, message):
    with pytest.raises(ConfigError, match=message):
        InferenceConfig(**fields)
