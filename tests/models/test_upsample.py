"""The repeatable upsampling against torch's own."""

import pytest
import torch
import torch.nn.functional as F

from seglab.models.layers import RepeatableUpsample, Upsample


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("size", [(10, 14), (13, 9), (5, 7)])
def test_values_and_gradients_are_torchs(size, align_corners):
    torch.manual_seed(0)
    feature = torch.randn(2, 3, 5, 7, requires_grad=True)
    weight = torch.randn(2, 3, *size)
    ours = RepeatableUpsample.apply(feature, size, align_corners)
    theirs = F.interpolate(feature, size=size, mode="bilinear", align_corners=align_corners)
    assert torch.equal(ours, theirs)
    (found,) = torch.autograd.grad((ours * weight).sum(), feature)
    (expected,) = torch.autograd.grad((theirs * weight).sum(), feature)
    torch.testing.assert_close(found, expected)


def test_the_module_enlarges_by_its_factor():
    feature = torch.randn(1, 2, 3, 4)
    expected = F.interpolate(feature, scale_factor=4, mode="bilinear", align_corners=False)
    torch.testing.assert_close(Upsample(4)(feature), expected)
