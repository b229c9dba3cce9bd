"""ERFNet: residual blocks of factorised 3x1 and 1x3 convolutions between three down- and upsamplers.

Romera et al., *ERFNet: Efficient Residual Factorized ConvNet for Real-Time Semantic Segmentation*, IEEE
Transactions on Intelligent Transportation Systems, 2018 (table I). SegSmall was cut from it.

    encoder   down 16 at 1/2, down 64 at 1/4, 5 blocks, down 128 at 1/8, 8 blocks with dilations 2 4 8 16
    decoder   up 64 at 1/4, 2 blocks, up 16 at 1/2, 2 blocks, transposed convolution to the classes at 1/1
"""

from __future__ import annotations

import re
from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seglab.errors import ConfigError
from seglab.models.base import Reference, SegmentationModel

BATCH_NORM_EPS = 1e-3  # the released network's, from its first framework; torch's own default is 1e-5

REFERENCE = {
    "erfnet": Reference(
        paper="E. Romera et al., ERFNet: Efficient Residual Factorized ConvNet, IEEE T-ITS 2018",
        link="https://github.com/Eromera/erfnet_pytorch",
        parameters=2_066_642,
        macs=26.6e9,
        macs_input_size=(512, 1024),
        scores={
            "Cityscapes val mIoU (from scratch)": 0.700,
            "Cityscapes test mIoU (from scratch)": 0.680,
            "Cityscapes val mIoU (ImageNet encoder)": 0.721,
            "Cityscapes test mIoU (ImageNet encoder)": 0.698,
        },
        gap=(
            "No gap: 2,451 of the reference's parameters belong to the encoder's own head, which only "
            "training sees. The MACs are our count of the convolutions."
        ),
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
    )
}


class Downsampler(nn.Module):
    """Halves the resolution: a 3x3 convolution with stride 2 beside a 2x2 max pooling, concatenated."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out - c_in, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(c_out, eps=BATCH_NORM_EPS)

    def forward(self, feature: Tensor) -> Tensor:
        return F.relu(self.norm(torch.cat([self.conv(feature), F.max_pool2d(feature, 2)], dim=1)))


class Upsampler(nn.Sequential):
    """Doubles the resolution with a transposed 3x3 convolution."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(c_in, c_out, 3, stride=2, padding=1, output_padding=1)
        self.norm = nn.BatchNorm2d(c_out, eps=BATCH_NORM_EPS)
        self.relu = nn.ReLU(inplace=True)


def _factorised(width: int, dilation: int) -> nn.Sequential:
    """A 3x3 convolution in two: 3x1, ReLU, 1x3; then batch normalisation."""
    return nn.Sequential(
        OrderedDict(
            column=nn.Conv2d(width, width, (3, 1), padding=(dilation, 0), dilation=(dilation, 1)),
            relu=nn.ReLU(inplace=True),
            row=nn.Conv2d(width, width, (1, 3), padding=(0, dilation), dilation=(1, dilation)),
            norm=nn.BatchNorm2d(width, eps=BATCH_NORM_EPS),
        )
    )


class FactorisedBlock(nn.Module):
    """Non-bottleneck-1D: two factorised convolutions, the second one dilated, plus the input; then ReLU."""

    def __init__(self, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.plain = _factorised(width, dilation=1)
        self.dilated = _factorised(width, dilation)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, feature: Tensor) -> Tensor:
        return F.relu(self.dropout(self.dilated(F.relu(self.plain(feature)))) + feature)


class ERFNet(SegmentationModel):
    """See the module's description."""

    stride = 8

    def __init__(self, num_classes: int, aux_head: bool) -> None:
        super().__init__(num_classes)
        self.has_aux = aux_head
        self.encoder = nn.Sequential(
            Downsampler(3, 16),
            Downsampler(16, 64),
            *(FactorisedBlock(64, dilation=1, dropout=0.03) for _ in range(5)),
            Downsampler(64, 128),
            *(FactorisedBlock(128, dilation, dropout=0.3) for dilation in (2, 4, 8, 16) * 2),
        )
        self.aux_head = nn.Conv2d(128, num_classes, 1) if aux_head else None
        self.decoder = nn.Sequential(
            Upsampler(128, 64),
            *(FactorisedBlock(64, dilation=1, dropout=0.0) for _ in range(2)),
            Upsampler(64, 16),
            *(FactorisedBlock(16, dilation=1, dropout=0.0) for _ in range(2)),
        )
        self.head = nn.ConvTranspose2d(16, num_classes, 2, stride=2)

    def native_logits(self, image: Tensor) -> Tensor:
        return self.head(self.decoder(self.encoder(image)))

    def native_logits_with_aux(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        feature = self.encoder(image)  # 1/8
        return self.head(self.decoder(feature)), [self.aux_head(feature)]

    def native_aux_logits(self, image: Tensor) -> list[Tensor]:
        return [self.aux_head(self.encoder(image))]


def erfnet(num_classes: int, *, aux_head: bool = True) -> ERFNet:
    """Builds ERFNet. Weights start as torch's convolutions do, as in the authors' own code.

    Args:
        num_classes: At least 1.
        aux_head: Whether the encoder has a head of its own at 1/8, `forward_with_aux`'s second answer. The
            authors train the encoder with it first. Without it every parameter takes part in `forward`.

    Raises:
        ConfigError: If an option has a value that is not allowed.
    """
    if not isinstance(aux_head, bool):
        raise ConfigError(f"aux_head is {aux_head!r}; allowed are true and false")
    return ERFNet(num_classes, aux_head)


_ORIGINAL_NAMES = (
    (r"^encoder\.0\.", "encoder.initial_block."),
    (r"^encoder\.(\d+)\.", lambda match: f"encoder.layers.{int(match[1]) - 1}."),
    (r"^decoder\.", "decoder.layers."),
    (r"^aux_head\.", "encoder.output_conv."),
    (r"^head\.", "decoder.output_conv."),
    (r"\.plain\.column\.", ".conv3x1_1."),
    (r"\.plain\.row\.", ".conv1x3_1."),
    (r"\.plain\.norm\.", ".bn1."),
    (r"\.dilated\.column\.", ".conv3x1_2."),
    (r"\.dilated\.row\.", ".conv1x3_2."),
    (r"\.dilated\.norm\.", ".bn2."),
    (r"\.norm\.", ".bn."),
)


def original_key(key: str) -> str:
    """Translates a name of our state dict to the authors' checkpoint's."""
    for pattern, replacement in _ORIGINAL_NAMES:
        key = re.sub(pattern, replacement, key)
    return key
