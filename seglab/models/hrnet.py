"""HRNetV2 for segmentation, and approaches 1 and 2 of the Mini-HRNet thesis, which cut it down.

Wang et al., *Deep High-Resolution Representation Learning for Visual Recognition*, TPAMI 2020 (sections 3
and 5); widths and repetitions from the configurations in HRNet/HRNet-Semantic-Segmentation.

    stem          3 -> 64 at 1/2 -> 64 at 1/4
    bottlenecks   stage 1, at 1/4
    stages        stage s has s parallel streams at 1/4, 1/8, ...; each of its exchange units runs the
                  streams and then adds to every stream all the others
    head          all streams at 1/4, concatenated, two 1x1 convolutions (HRNetV2's, figure 4b)

The thesis publishes no configuration of its approaches 1 ("remove the fourth stage") and 2 ("limit the
repetitions of the stages"); `minihrnet_a1` and `minihrnet_a2` are our reconstruction from these words. The
options let a reader try others.
"""

from __future__ import annotations

import functools
import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seglab.errors import ConfigError
from seglab.models.base import Reference, SegmentationModel, check_count, check_counts
from seglab.models.layers import Upsample, upsample

STEM_WIDTH = 64
EXPANSION = 4  # of a bottleneck: its output is four times as wide as its 3x3 convolution


def _conv_bn(
    c_in: int, c_out: int, kernel: int, *, stride: int = 1, bias: bool = False, relu: bool = True
) -> nn.Sequential:
    """Convolution that keeps the size at stride 1, batch normalisation, and ReLU unless told otherwise."""
    parts = OrderedDict(
        conv=nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=bias), norm=nn.BatchNorm2d(c_out)
    )
    if relu:
        parts["relu"] = nn.ReLU(inplace=True)
    return nn.Sequential(parts)


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolution plus the input, projected where the widths differ; then ReLU."""

    def __init__(self, c_in: int, width: int) -> None:
        super().__init__()
        c_out = width * EXPANSION
        self.reduce = _conv_bn(c_in, width, 1)
        self.spatial = _conv_bn(width, width, 3)
        self.expand = _conv_bn(width, c_out, 1, relu=False)
        self.shortcut = nn.Identity() if c_in == c_out else _conv_bn(c_in, c_out, 1, relu=False)

    def forward(self, feature: Tensor) -> Tensor:
        return F.relu(self.expand(self.spatial(self.reduce(feature))) + self.shortcut(feature))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions plus the input; then ReLU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _conv_bn(width, width, 3)
        self.second = _conv_bn(width, width, 3, relu=False)

    def forward(self, feature: Tensor) -> Tensor:
        return F.relu(self.second(self.first(feature)) + feature)


class Fusion(nn.Module):
    """Each stream becomes the sum of all streams at its width and resolution; then ReLU.

    `paths[target][source]` is the identity, one 1x1 convolution with upsampling, or a chain of 3x3
    convolutions with stride 2 that keeps the source's width until its last step.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.paths = nn.ModuleList(
            nn.ModuleList(self._path(widths, source, target) for source in range(len(widths)))
            for target in range(len(widths))
        )

    @staticmethod
    def _path(widths: Sequence[int], source: int, target: int) -> nn.Module:
        c_in, c_out = widths[source], widths[target]
        if source == target:
            return nn.Identity()
        if source > target:
            up = _conv_bn(c_in, c_out, 1, relu=False)
            up.append(Upsample(2 ** (source - target)))
            return up
        halvings = target - source
        return nn.Sequential(
            *(_conv_bn(c_in, c_in, 3, stride=2) for _ in range(halvings - 1)),
            _conv_bn(c_in, c_out, 3, stride=2, relu=False),
        )

    def forward(self, streams: list[Tensor]) -> list[Tensor]:
        return [
            functools.reduce(
                torch.add, (path(stream) for path, stream in zip(paths, streams, strict=True))
            ).relu_()
            for paths in self.paths
        ]


class ExchangeUnit(nn.Module):
    """Some basic blocks in each stream, in parallel, and then one fusion."""

    def __init__(self, widths: Sequence[int], blocks: int) -> None:
        super().__init__()
        self.streams = nn.ModuleList(
            nn.Sequential(*(BasicBlock(width) for _ in range(blocks))) for width in widths
        )
        self.fusion = Fusion(widths)

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        return self.fusion([stream(one) for stream, one in zip(self.streams, features, strict=True)])


class Stage(nn.Module):
    """Adds one narrower-resolution stream to those that come in, and runs its exchange units.

    `entries[i]` leads to stream `i`: the identity where the stream goes on, a convolution with stride 2
    for the new one, which starts from the smallest map that there is. Stage 2 has convolutions for both
    of its streams, since stage 1 has another width.
    """

    def __init__(self, c_in: int, widths: Sequence[int], units: int, blocks: int) -> None:
        super().__init__()
        self.entries = nn.ModuleList(nn.Identity() for _ in widths[:-1])
        if len(widths) == 2:
            self.entries[0] = _conv_bn(c_in, widths[0], 3)
        self.entries.append(_conv_bn(c_in, widths[-1], 3, stride=2))
        self.units = nn.Sequential(*(ExchangeUnit(widths, blocks) for _ in range(units)))

    def forward(self, streams: list[Tensor]) -> list[Tensor]:
        sources = [*streams, streams[-1]]
        return self.units([entry(source) for entry, source in zip(self.entries, sources, strict=True)])


class HRNet(SegmentationModel):
    """See the module's description; stream `i` works at 1 / (4 * 2**i) of the image size."""

    native_stride = 4

    def __init__(
        self,
        num_classes: int,
        widths: Sequence[int],
        units: Sequence[int],
        blocks: int,
        bottlenecks: int,
        bottleneck_width: int,
    ) -> None:
        super().__init__(num_classes)
        self.stride = 4 * 2 ** (len(widths) - 1)
        stage1_width = bottleneck_width * EXPANSION
        self.stem = nn.Sequential(
            _conv_bn(3, STEM_WIDTH, 3, stride=2), _conv_bn(STEM_WIDTH, STEM_WIDTH, 3, stride=2)
        )
        self.bottlenecks = nn.Sequential(
            *(
                Bottleneck(stage1_width if index else STEM_WIDTH, bottleneck_width)
                for index in range(bottlenecks)
            )
        )
        self.stages = nn.Sequential(
            *(
                Stage(widths[streams - 2] if streams > 2 else stage1_width, widths[:streams], count, blocks)
                for streams, count in enumerate(units, start=2)
            )
        )
        self.head = nn.Sequential(
            _conv_bn(sum(widths), sum(widths), 1, bias=True), nn.Conv2d(sum(widths), num_classes, 1)
        )

    def native_logits(self, image: Tensor) -> Tensor:
        streams = self.stages([self.bottlenecks(self.stem(image))])  # 1/4, 1/8, 1/16, ...
        size = streams[0].shape[-2:]
        return self.head(torch.cat([streams[0], *(upsample(one, size) for one in streams[1:])], dim=1))


def hrnet(
    num_classes: int,
    *,
    widths: Sequence[int],
    units: Sequence[int],
    blocks: int,
    bottlenecks: int,
    bottleneck_width: int,
) -> HRNet:
    """Builds an HRNetV2 with its segmentation head.

    Weights start as torch's convolutions do (uniform, He et al. 2015 with a slope of sqrt(5)) and not with
    the official N(0, 0.001): behind a normalisation the scale sets only how fast the weights turn, and with
    0.001 the variance of the narrow convolutions comes near the 1e-5 that keeps the division finite.

    Args:
        num_classes: At least 1.
        widths: Channels of the streams from 1/4 downwards, two to five.
        units: Exchange units of stage 2, 3, ...; one stage fewer than there are streams.
        blocks: Basic blocks of each stream in each unit.
        bottlenecks: Blocks of stage 1.
        bottleneck_width: Their inner width; the stage puts out four times as many channels.

    Raises:
        ConfigError: If an option has a value that is not allowed.
    """
    check_counts("widths", widths, lengths=(2, 3, 4, 5))
    check_counts("units", units, lengths=(1, 2, 3, 4))
    if len(units) != len(widths) - 1:
        raise ConfigError(
            f"units is {list(units)!r} with widths {list(widths)!r}; allowed is one number fewer than widths"
        )
    check_count("blocks", blocks, minimum=1)
    check_count("bottlenecks", bottlenecks, minimum=1)
    check_count("bottleneck_width", bottleneck_width, minimum=1)
    return HRNet(num_classes, widths, units, blocks, bottlenecks, bottleneck_width)


hrnetv2_w48 = partial(
    hrnet, widths=(48, 96, 192, 384), units=(1, 4, 3), blocks=4, bottlenecks=4, bottleneck_width=64
)
hrnetv2_w18 = partial(hrnetv2_w48, widths=(18, 36, 72, 144))
hrnetv2_w18_small_v2 = partial(hrnetv2_w18, units=(1, 3, 2), blocks=2, bottlenecks=2)
# The official configuration is 16 channels wide, whatever its name says.
hrnetv2_w18_small_v1 = partial(
    hrnet, widths=(16, 32, 64, 128), units=(1, 1, 1), blocks=2, bottlenecks=1, bottleneck_width=32
)
minihrnet_a1 = partial(hrnetv2_w48, widths=(48, 96, 192), units=(1, 4))
minihrnet_a2 = partial(hrnetv2_w48, units=(1, 1, 1))

_PAPER = "J. Wang et al., Deep High-Resolution Representation Learning for Visual Recognition, TPAMI 2020"
_THESIS = "A. G. F. Al-Raimi, Semantic Image Segmentation Using a Modified HRNet, MSc thesis, HBKU, 2024"
_GAP = "No gap. Its scores are of an ImageNet start; the stated GFLOPs are MACs / 2**30."

_W48 = Reference(
    paper=_PAPER,
    link="https://github.com/HRNet/HRNet-Semantic-Segmentation",
    parameters=65_859_379,
    macs=747.5e9,
    macs_input_size=(1024, 2048),
    scores={"Cityscapes val mIoU": 0.809, "Cityscapes test mIoU (multi-scale, flip)": 0.805},
    gap=_GAP,
)
_APPROACH = "Our reconstruction: the thesis names the approach, but neither configuration nor numbers. "

REFERENCE = {
    "hrnetv2_w48": _W48,
    "hrnetv2_w18": replace(
        _W48,
        parameters=9_641_119,
        macs=147.4e9,
        scores={"Cityscapes val mIoU (mmsegmentation, 160k iterations)": 0.788},
        gap="No gap. Its authors list no score; parameters and MACs are our count.",
    ),
    "hrnetv2_w18_small_v2": replace(
        _W48, parameters=3_939_579, macs=76.9e9, scores={"Cityscapes val mIoU": 0.762}
    ),
    "hrnetv2_w18_small_v1": replace(
        _W48,
        parameters=1_540_819,
        macs=33.4e9,
        scores={"Cityscapes val mIoU": 0.703, "Cityscapes val mIoU (third party)": 0.651},
    ),
    "minihrnet_a1": replace(
        _W48,
        paper=_THESIS,
        link="https://github.com/alraimi365/Mini-HRNet",
        parameters=17_156_851,
        macs=405.3e9,
        scores={},
        reconstructed=True,
        gap=_APPROACH + "HRNetV2-W48 without its fourth stage, head on three streams.",
    ),
    "minihrnet_a2": replace(
        _W48,
        paper=_THESIS,
        link="https://github.com/alraimi365/Mini-HRNet",
        parameters=22_608_595,
        macs=347.3e9,
        scores={},
        reconstructed=True,
        gap=_APPROACH + "HRNetV2-W48 with one exchange unit in each of the stages 2, 3 and 4.",
    ),
}

_ORIGINAL_NAMES = (
    (r"^stem\.0\.conv\.", "conv1."),
    (r"^stem\.0\.norm\.", "bn1."),
    (r"^stem\.1\.conv\.", "conv2."),
    (r"^stem\.1\.norm\.", "bn2."),
    (r"^bottlenecks\.(\d+)\.", r"layer1.\1."),
    (r"\.(?:reduce|first)\.conv\.", ".conv1."),
    (r"\.(?:reduce|first)\.norm\.", ".bn1."),
    (r"\.(?:spatial|second)\.conv\.", ".conv2."),
    (r"\.(?:spatial|second)\.norm\.", ".bn2."),
    (r"\.expand\.conv\.", ".conv3."),
    (r"\.expand\.norm\.", ".bn3."),
    (r"\.shortcut\.conv\.", ".downsample.0."),
    (r"\.shortcut\.norm\.", ".downsample.1."),
    # A stream that goes on from stage 1 has one level of nesting less than the new ones.
    (r"^stages\.0\.entries\.0\.", "transition1.0."),
    (r"^stages\.(\d+)\.entries\.(\d+)\.", lambda m: f"transition{int(m[1]) + 1}.{m[2]}.0."),
    (r"^stages\.(\d+)\.units\.", lambda m: f"stage{int(m[1]) + 2}."),
    (r"\.streams\.", ".branches."),
    (r"\.fusion\.paths\.", ".fuse_layers."),
    (r"^head\.0\.conv\.", "last_layer.0."),
    (r"^head\.0\.norm\.", "last_layer.1."),
    (r"^head\.1\.", "last_layer.3."),
    (r"\.conv\.", ".0."),
    (r"\.norm\.", ".1."),
)


def original_key(key: str) -> str:
    """Translates a name of our state dict to the official checkpoints'."""
    for pattern, replacement in _ORIGINAL_NAMES:
        key = re.sub(pattern, replacement, key)
    return key
