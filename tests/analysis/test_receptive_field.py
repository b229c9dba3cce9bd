import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import resnet18

from seglab.analysis.receptive_field import (
    effective_receptive_field,
    effective_side_px,
    receptive_field,
    settled,
)


def conv(kernel, **options):
    return nn.Conv2d(3, 3, kernel, bias=False, **options)


class Fork(nn.Module):
    """A wide and a narrow path, added."""

    def __init__(self):
        super().__init__()
        self.wide, self.narrow = conv(7, padding=3), conv((1, 3), padding=(0, 1))

    def forward(self, image):
        return self.wide(image) + self.narrow(image)


STACKS = {
    "two convolutions": (nn.Sequential(conv(3), conv(3)), (5, 5)),
    "stride": (nn.Sequential(conv(3, stride=2, padding=1), conv(3, padding=1)), (7, 7)),  # 3 + 2 * 2
    "dilation": (nn.Sequential(conv(3, dilation=4, padding=4)), (9, 9)),
    "factorised": (nn.Sequential(conv((3, 1)), conv((1, 5))), (3, 5)),
    "transposed": (nn.Sequential(nn.Conv2d(3, 3, 1, stride=2), nn.ConvTranspose2d(3, 3, 4, 2)), (3, 3)),
    "upsampling": (nn.Sequential(conv(4, stride=4), nn.Upsample(scale_factor=4, mode="bilinear")), (8, 8)),
    "parallel": (Fork(), (7, 7)),
}


@pytest.mark.parametrize("name", STACKS)
def test_by_hand_and_by_gradient(name):
    """The formula, worked out in the table, agrees with which pixels have a gradient at all."""
    model, field = STACKS[name]
    assert receptive_field(model, (64, 64)) == field

    for parameter in model.parameters():
        nn.init.ones_(parameter)  # nothing cancels
    widest = [0, 0]
    for row, column in ((16, 16), (17, 17), (18, 18), (19, 19)):  # where it is, relative to the strides
        image = torch.rand(1, 3, 64, 64, requires_grad=True)
        model(image)[0, 0, row, column].backward()
        ys, xs = image.grad[0].sum(dim=0).nonzero(as_tuple=True)
        reach = (int(ys.max() - ys.min()) + 1, int(xs.max() - xs.min()) + 1)
        widest = [max(pair) for pair in zip(widest, reach, strict=True)]
    assert tuple(widest) == field


def test_pooling():
    assert receptive_field(nn.Sequential(nn.MaxPool2d(2), conv(3, padding=1)), (64, 64)) == (
        6,
        6,
    )  # 2 + 2 * 2


def test_resnet18():
    """435 pixels: 7 + 2*2 (pooling) + 4*(4*2) + 4*2 + 3*(8*2) + 8*2 + 3*(16*2) + 16*2 + 3*(32*2)."""
    model = nn.Sequential(*list(resnet18().children())[:-2])
    assert receptive_field(model, (64, 64)) == (435, 435)


def test_global_means_are_left_out():
    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.scale = conv(3, padding=1), nn.Linear(3, 3)

        def forward(self, image):
            return self.conv(image) * self.scale(image.mean(dim=(2, 3)))[:, :, None, None]

    assert receptive_field(Gated(), (32, 32)) == (3, 3)


def test_effective_field_of_a_box_is_the_box():
    box = conv(5, padding=2)
    nn.init.ones_(box.weight)
    gradient = effective_receptive_field(box, torch.randn(2, 3, 21, 31))
    assert gradient.shape == (21, 31) and gradient.max() == 1
    assert np.argwhere(gradient > 0).min(axis=0).tolist() == [8, 13]
    assert effective_side_px(gradient) == 5
    assert box.weight.requires_grad and box.weight.grad is None


def test_effective_field_is_the_mean_over_the_images():
    torch.manual_seed(0)
    model = nn.Sequential(conv(3, padding=1), nn.ReLU(), conv(3, padding=1))
    images = torch.randn(2, 3, 9, 9, requires_grad=True)
    model(images)[:, :, 4, 4].sum().backward()
    expected = images.grad.abs().sum(1).mean(0).numpy()
    found = effective_receptive_field(model, images.detach())
    np.testing.assert_allclose(found, expected / expected.max(), rtol=1e-5)


class Residual(nn.Module):
    def __init__(self, gain):
        super().__init__()
        self.conv, self.norm, self.dropout = conv(3, padding=1), nn.BatchNorm2d(3), nn.Dropout(0.5)
        with torch.no_grad():
            self.conv.weight.mul_(gain)

    def forward(self, feature):
        return feature + self.dropout(self.norm(self.conv(feature)))


def test_settled_a_network_does_not_depend_on_the_scale_of_its_weights():
    torch.manual_seed(1)
    images, fields = torch.randn(2, 3, 33, 33), {}
    for gain in (1.0, 0.1):
        torch.manual_seed(0)
        model = nn.Sequential(*(Residual(gain) for _ in range(8)))
        fields[gain] = [effective_receptive_field(one, images) for one in (model, settled(model, images))]
        assert model.training and model[0].norm.running_mean.eq(0).all()
    assert effective_side_px(fields[1.0][0]) > 2 * effective_side_px(fields[0.1][0])
    assert effective_side_px(fields[1.0][1]) == pytest.approx(effective_side_px(fields[0.1][1]), rel=0.02)


def test_settled_statistics_are_those_of_the_images():
    torch.manual_seed(0)
    images = 3 + 2 * torch.randn(4, 3, 16, 16)
    norm = settled(nn.Sequential(nn.Dropout(0.5), nn.BatchNorm2d(3)), images)[1]
    torch.testing.assert_close(norm.running_mean, images.mean(dim=(0, 2, 3)))
    torch.testing.assert_close(norm.running_var, images.var(dim=(0, 2, 3)))
    assert not norm.training
