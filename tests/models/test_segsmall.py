"""What is SegSmall's own: depthwise convolutions that are dilated."""

import pytest
import torch
import torch.nn.functional as F

from seglab.models.layers import Depthwise

LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
# Channels, height, width and dilation, as for a picture of 180x240; and what divides nothing.
SHAPES = [(64, 46, 60, 2), (128, 23, 30, 8), (128, 23, 30, 16), (3, 7, 5, 4), (2, 1, 1, 2)]


def gradients(feature, weight, dilation, layout):
    """Answer, gradient of the map and gradient of the weights, by `Depthwise`, for an arbitrary loss."""
    layer = Depthwise(feature.shape[1], dilation).to(feature.dtype)
    layer.weight.data = weight.clone()
    given = feature.to(memory_format=LAYOUTS[layout], copy=True).requires_grad_()
    answer = layer(given)
    assert answer.is_contiguous(memory_format=LAYOUTS[layout])
    answer.backward(arbitrary(feature))
    return answer.detach(), given.grad, layer.weight.grad


def arbitrary(feature):
    ramp = torch.arange(feature.numel(), dtype=torch.float64).view(feature.shape)
    return torch.cos(ramp).to(feature.dtype)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("channels", "height", "width", "dilation"), SHAPES)
def test_it_is_a_dilated_convolution(channels, height, width, dilation, layout):
    torch.manual_seed(0)
    feature = torch.randn(2, channels, height, width, dtype=torch.float64)
    weight = torch.randn(channels, 1, 3, 3, dtype=torch.float64)
    given, kernel = feature.clone().requires_grad_(), weight.clone().requires_grad_()
    expected = F.conv2d(given, kernel, padding=dilation, dilation=dilation, groups=channels)
    expected.backward(arbitrary(feature))
    found = gradients(feature, weight, dilation, layout)
    torch.testing.assert_close(found, (expected.detach(), given.grad, kernel.grad))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("channels", "height", "width", "dilation"), SHAPES)
def test_bfloat16_gives_the_gradient_of_float32(channels, height, width, dilation, layout):
    """What oneDNN returned for the weights in channels_last was up to 1e34 off, or another one each time."""
    torch.manual_seed(0)
    feature, weight = torch.randn(2, channels, height, width), torch.randn(channels, 1, 3, 3)
    feature, weight = feature.bfloat16().float(), weight.bfloat16().float()
    exact = gradients(feature, weight, dilation, layout)
    rounded = gradients(feature.bfloat16(), weight.bfloat16(), dilation, layout)
    for one, other in zip(rounded, exact, strict=True):
        assert (one.float() - other).abs().max() <= 0.02 * other.abs().max()


@pytest.mark.parametrize("dilation", [2, 8])
def test_weights_laid_out_for_channels_last_learn_from_a_contiguous_map(dilation):
    """As where the network was converted and the picture was not."""
    torch.manual_seed(0)
    feature, weight = torch.randn(2, 64, 23, 30), torch.randn(64, 1, 3, 3)
    exact = gradients(feature.bfloat16().float(), weight, dilation, "contiguous")[2]
    layer = Depthwise(64, dilation)
    layer.weight.data = weight.clone()
    layer.to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        layer(feature).backward(arbitrary(feature).bfloat16())
    assert (layer.weight.grad - exact).abs().max() <= 0.02 * exact.abs().max()
