"""SegSmall: ERFNet with depthwise-separable convolutions and squeeze-and-excitation.

I. Arroyo, SegSmall (Realtic12/SegSmall, no paper); the skeleton from Romera et al., *ERFNet*, IEEE T-ITS
2018; squeeze-and-excitation from Hu et al., *Squeeze-and-Excitation Networks*, CVPR 2018.

    encoder   down 16 at 1/2, down 64 at 1/4, 5 blocks with dilations 1 2 4 1 2, gate,
              down 128 at 1/8, 8 blocks with dilations 2 4 8 16 2 4 8 16, gate
    decoder   up 64 at 1/4, 2 blocks, up 16 at 1/2, 2 blocks, transposed convolution to the classes at 1/1

The layer table in its README describes another network: one block instead of five at 1/4, and gates only
there and behind the two stages, not in every block. (Its rows 2 to 6 are all called downsamplers, but the
resolution they list halves once only and the width stays 64, which leaves no channel for the convolution of
a second one: so there is one.) `structure="readme"` builds that.
"""

from __future__ import annotations

import re
from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seglab.models.base import Reference, SegmentationModel, check_choice
from seglab.models.layers import Depthwise

SE_REDUCTION = 16
BATCH_NORM_EPS = 1e-3  # as in ERFNet; torch's own default is 1e-5

REFERENCE = {
    "segsmall": Reference(
        paper="I. Arroyo, SegSmall, source code without a paper, 2024",
        link="https://github.com/Realtic12/SegSmall",
        parameters=867_266,
        macs=10.94e9,
        macs_input_size=(512, 1024),
        gap=(
            "Ours has 2,451 parameters fewer: the encoder's own head, which the original builds and never "
            "uses. Its ReLUs of what is already positive are left out. It states no parameters, MACs or "
            "scores; these are counts of its code."
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
        self.conv = nn.ConvTranspose2d(c_in, c_out, 3, stride=2, padding=1, output_padding=1, bias=False)
        self.norm = nn.BatchNorm2d(c_out, eps=BATCH_NORM_EPS)
        self.relu = nn.ReLU(inplace=True)


class Gate(nn.Module):
    """Squeeze-and-excitation: each channel times a weight in (0, 1) that its mean and the others' decide."""

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = width // SE_REDUCTION
        self.squeeze = nn.Linear(width, hidden, bias=False)
        self.excite = nn.Linear(hidden, width, bias=False)

    def forward(self, feature: Tensor) -> Tensor:
        weight = torch.sigmoid(self.excite(F.relu(self.squeeze(feature.mean(dim=(2, 3))))))  # (N, C)
        return feature * weight[:, :, None, None]


def _separable(width: int, dilation: int) -> nn.Sequential:
    """Depthwise 3x3 and pointwise 1x1 convolution, batch normalisation, ReLU."""
    return nn.Sequential(
        OrderedDict(
            depthwise=Depthwise(width, dilation),
            pointwise=nn.Conv2d(width, width, 1, bias=False),
            norm=nn.BatchNorm2d(width, eps=BATCH_NORM_EPS),
            relu=nn.ReLU(inplace=True),
        )
    )


def _separable_pair(width: int, dilation: int) -> nn.Sequential:
    """Two separable convolutions where ERFNet has a 3x1 and a 1x3; normalised once more behind the ReLU."""
    return nn.Sequential(
        OrderedDict(
            first=_separable(width, dilation),
            second=_separable(width, dilation),
            norm=nn.BatchNorm2d(width, eps=BATCH_NORM_EPS),
        )
    )


class SeparableBlock(nn.Module):
    """Two pairs of separable convolutions, the second one dilated, and a gate, plus the input; then ReLU."""

    def __init__(self, width: int, dilation: int, dropout: float, gate: bool) -> None:
        super().__init__()
        self.plain = _separable_pair(width, dilation=1)
        self.dilated = _separable_pair(width, dilation)
        self.dropout = nn.Dropout2d(dropout)
        self.gate = Gate(width) if gate else nn.Identity()

    def forward(self, feature: Tensor) -> Tensor:
        hidden = self.dilated(F.relu(self.plain(feature)))
        return F.relu(self.gate(self.dropout(hidden)) + feature)


class SegSmall(SegmentationModel):
    """See the module's description.

    Args:
        num_classes: At least 1.
        dilations: Of the blocks at 1/4.
        gate_all: Whether the blocks at 1/8 and in the decoder have gates too.
    """

    stride = 8

    def __init__(self, num_classes: int, dilations: tuple[int, ...], gate_all: bool) -> None:
        super().__init__(num_classes)
        self.encoder_quarter = nn.Sequential(
            Downsampler(3, 16),
            Downsampler(16, 64),
            *(SeparableBlock(64, dilation, dropout=0.03, gate=True) for dilation in dilations),
            Gate(64),
        )
        self.encoder_eighth = nn.Sequential(
            Downsampler(64, 128),
            *(SeparableBlock(128, dilation, 0.3, gate_all) for dilation in (2, 4, 8, 16) * 2),
            Gate(128),
        )
        self.decoder = nn.Sequential(
            Upsampler(128, 64),
            *(SeparableBlock(64, dilation=1, dropout=0.0, gate=gate_all) for _ in range(2)),
            Upsampler(64, 16),
            *(SeparableBlock(16, dilation=1, dropout=0.0, gate=gate_all) for _ in range(2)),
        )
        self.head = nn.ConvTranspose2d(16, num_classes, 2, stride=2)

    def native_logits(self, image: Tensor) -> Tensor:
        return self.head(self.decoder(self.encoder_eighth(self.encoder_quarter(image))))


def segsmall(num_classes: int, *, structure: str = "released") -> SegSmall:
    """Builds SegSmall. Weights start as torch's convolutions do, as in the author's own code.

    Args:
        num_classes: At least 1.
        structure: `released`, as its code builds it, or `readme`, as the layer table in its README says.

    Raises:
        ConfigError: If an option has a value that is not allowed.
    """
    check_choice("structure", structure, ("released", "readme"))
    if structure == "readme":
        return SegSmall(num_classes, dilations=(2,), gate_all=False)
    return SegSmall(num_classes, dilations=(1, 2, 4, 1, 2), gate_all=True)


_ORIGINAL_NAMES = (
    (r"^encoder_quarter\.7\.", "encoder.se1."),
    (r"^encoder_eighth\.9\.", "encoder.se2."),
    (r"^encoder_quarter\.0\.", "encoder.initial_block."),
    (r"^encoder_quarter\.(\d+)\.", lambda match: f"encoder.layers.{int(match[1]) - 1}."),
    (r"^encoder_eighth\.(\d+)\.", lambda match: f"encoder.layers.{int(match[1]) + 6}."),
    (r"^decoder\.", "decoder.layers."),
    (r"^head\.", "decoder.output_conv."),
    (r"\.plain\.first\.", ".conv3x1_1."),
    (r"\.plain\.second\.", ".conv1x3_1."),
    (r"\.plain\.norm\.", ".bn1."),
    (r"\.dilated\.first\.", ".conv3x1_2."),
    (r"\.dilated\.second\.", ".conv1x3_2."),
    (r"\.dilated\.norm\.", ".bn2."),
    (r"\.gate\.", ".se."),
    (r"\.squeeze\.", ".fc.0."),
    (r"\.excite\.", ".fc.2."),
    (r"\.norm\.", ".bn."),
)


def original_key(key: str) -> str:
    """Translates a name of our state dict (with `structure="released"`) to the author's checkpoint's."""
    for pattern, replacement in _ORIGINAL_NAMES:
        key = re.sub(pattern, replacement, key)
    return key
