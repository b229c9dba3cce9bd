"""What is Mini-HRNet's own: its instance normalisation, in either layout in memory."""

import pytest
import torch

from seglab.models import create_model
from seglab.models.minihrnet import InstanceNorm


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


def test_the_layout_does_not_change_the_network():
    torch.manual_seed(0)
    model = create_model("minihrnet_a3", 11).double()
    image = torch.randn(2, 3, 64, 96, dtype=torch.float64)
    plain = model(image)
    other = model.to(memory_format=torch.channels_last)(image.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(other, plain)
