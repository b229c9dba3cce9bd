"""What is Mini-HRNet's own: its instance normalisation, in either layout in memory."""

import pytest
import torch

from seglab.models import create_model
from seglab.models.layers import InstanceNorm


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 1), (9, 12)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_instance_norm_follows_its_formula(size, layout):
    feature = torch.randn(3, 5, *size, dtype=torch.float64) * 4 + 7
    mine = feature.to(memory_format=layout, copy=True).requires_grad_()
    given = feature.clone().requires_grad_()
    mean = given.mean((2, 3), keepdim=True)
    formula = (given - mean) / ((given - mean).pow(2).mean((2, 3), keepdim=True) + 1e-5).sqrt()
    weight = torch.randn_like(feature)

    normalised = InstanceNorm(5)(mine)
    (normalised * weight).sum().backward()
    (formula * weight).sum().backward()

    torch.testing.assert_close(normalised, formula)
    torch.testing.assert_close(mine.grad, given.grad)
    assert normalised.is_contiguous(memory_format=layout)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_instance_norm_rounds_its_result_alone(layout, monkeypatch):
    """To bfloat16, half a step of which is 2^-8: a rounded scale or shift would come on top."""
    torch.manual_seed(0)
    feature = (torch.randn(4, 48, 30, 40) + 3).bfloat16().to(memory_format=layout)
    exact = InstanceNorm(48)(feature.double().contiguous())
    taken = []
    per_image = torch.batch_norm
    monkeypatch.setattr(torch, "batch_norm", lambda *args: taken.append(1) or per_image(*args))
    rounded = InstanceNorm(48)(feature)
    assert len(taken) == (4 if layout is torch.channels_last else 0)
    assert rounded.dtype is torch.bfloat16
    error = (rounded.double() - exact).abs() / exact.abs().clamp(min=1)
    assert error.max() <= 2**-8


def test_the_layout_does_not_change_the_network():
    torch.manual_seed(0)
    model = create_model("minihrnet_a3", 11).double()
    image = torch.randn(2, 3, 64, 96, dtype=torch.float64)
    plain = model(image)
    other = model.to(memory_format=torch.channels_last)(image.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(other, plain)
