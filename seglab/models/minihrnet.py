"""Mini-HRNet, approach 3: HRNet's streams with dilated triple blocks and far fewer stages.

Al-Raimi, *Semantic Image Segmentation Using a Modified HRNet*, MSc thesis, Hamad Bin Khalifa University,
2024, as released by its author; the blocks come from Wang et al., *Deep High-Resolution Representation
Learning for Visual Recognition*, TPAMI 2020.

    stem          3 -> 64 at 1/2 -> 64 at 1/4
    bottlenecks   four, 64 -> 256, every one with a projected shortcut
    entry         256 -> the first width
    cascade       stream 1/4 -> down -> stream 1/8 -> down -> stream 1/16 -> ..., then one fusion
    stages        all streams in parallel, then one fusion; as often as `repetitions` says
    head          all streams at 1/4, concatenated, two 1x1 convolutions

The cascade stands where HRNet has its stages 2 and 3: a narrow stream starts from the *output* of the
wider one above it, so each stream is run once before the first fusion.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seglab.models.base import Reference, SegmentationModel, check_choice, check_count, check_counts
from seglab.models.layers import InstanceNorm, Upsample, upsample

STEM_WIDTH = 64
BOTTLENECK_WIDTH = 256
BLOCKS_PER_STREAM = 4

REFERENCE = {
    "minihrnet_a3": Reference(
        paper="A. G. F. Al-Raimi, Semantic Image Segmentation Using a Modified HRNet, MSc thesis, HBKU, 2024",
        link="https://github.com/alraimi365/Mini-HRNet",
        parameters=9_545_035,
        macs=309.4e9,
        macs_input_size=(1024, 2048),
        scores={
            "Cityscapes val mIoU (abstract)": 0.66,
            "Cityscapes test mIoU (abstract)": 0.64,
            "Cityscapes val mIoU (mean of the released per-class results)": 0.6167,
        },
        gap=(
            "No gap. The thesis says 13 % of HRNet's parameters; the released network has "
            "14.5 % of HRNetV2-W48's. The MACs are our count of its convolutions, the author states none."
        ),
    )
}


def _group_norm(channels: int) -> nn.GroupNorm:
    """Group normalisation with groups of 12 channels or the next smaller number that divides them."""
    group = next(size for size in range(min(12, channels), 0, -1) if channels % size == 0)
    return nn.GroupNorm(channels // group, channels)


NORMS: dict[str, Callable[[int], nn.Module]] = {
    "instance": InstanceNorm,
    "batch": nn.BatchNorm2d,
    "group": _group_norm,
}

Norm = Callable[[int], nn.Module]


class ConvNorm(nn.Sequential):
    """Convolution that keeps the size at stride 1, normalisation, and ReLU unless `relu` is False.

    Biases exist where the released network has them, although a normalisation behind the convolution
    takes them out again: its checkpoints hold them.
    """

    def __init__(
        self,
        norm: Norm,
        c_in: int,
        c_out: int,
        kernel: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        bias: bool = False,
        relu: bool = True,
    ) -> None:
        conv = nn.Conv2d(c_in, c_out, kernel, stride, dilation * (kernel // 2), dilation, bias=bias)
        parts = OrderedDict(conv=conv, norm=norm(c_out))
        if relu:
            parts["relu"] = nn.ReLU(inplace=True)
        super().__init__(parts)


class Bottleneck(nn.Module):
    """1x1 to 64 channels, 3x3, 1x1 to 256, plus a projection of the input; then ReLU."""

    def __init__(self, norm: Norm, c_in: int) -> None:
        super().__init__()
        self.reduce = ConvNorm(norm, c_in, STEM_WIDTH, 1)
        self.spatial = ConvNorm(norm, STEM_WIDTH, STEM_WIDTH, 3)
        self.expand = ConvNorm(norm, STEM_WIDTH, BOTTLENECK_WIDTH, 1, relu=False)
        self.shortcut = ConvNorm(norm, c_in, BOTTLENECK_WIDTH, 1, relu=False)

    def forward(self, feature: Tensor) -> Tensor:
        return F.relu(self.expand(self.spatial(self.reduce(feature))) + self.shortcut(feature))


class DilatedBlock(nn.Module):
    """The mean of parallel branches of two 3x3 convolutions each, plus the input; then ReLU.

    With the dilations 1, 2 and 4 this is the thesis's new block; with the dilation 1 alone it is the basic
    block of HRNet and ResNet.
    """

    def __init__(self, norm: Norm, width: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self.branches = nn.ModuleDict(
            {
                f"dilation{dilation}": nn.Sequential(
                    ConvNorm(norm, width, width, 3, dilation=dilation),
                    ConvNorm(norm, width, width, 3, dilation=dilation, relu=False),
                )
                for dilation in dilations
            }
        )

    def forward(self, feature: Tensor) -> Tensor:
        total = functools.reduce(torch.add, (branch(feature) for branch in self.branches.values()))
        return torch.add(feature, total, alpha=1 / len(self.branches)).relu_()


BLOCKS: dict[str, Callable[[Norm, int], nn.Module]] = {
    "dilated": partial(DilatedBlock, dilations=(1, 2, 4)),
    "basic": partial(DilatedBlock, dilations=(1,)),
}


def _stream(norm: Norm, width: int, block: str) -> nn.Sequential:
    return nn.Sequential(*(BLOCKS[block](norm, width) for _ in range(BLOCKS_PER_STREAM)))


def _down(norm: Norm, c_in: int, c_out: int) -> ConvNorm:
    """Halves the resolution."""
    return ConvNorm(norm, c_in, c_out, 3, stride=2, bias=True)


def _up(norm: Norm, c_in: int, c_out: int) -> ConvNorm:
    """Doubles the resolution; the upsampling keeps the corners in place, as released."""
    step = ConvNorm(norm, c_in, c_out, 1, bias=True)
    step.append(Upsample(2, align_corners=True))
    return step


class Fusion(nn.Module):
    """Adds to each stream all the others, brought step by step to its width and resolution.

    `paths[source]` holds one chain per other stream, in the order of the targets. Unlike HRNet's, a chain
    upwards has a convolution per doubling, and no ReLU follows the sum.
    """

    def __init__(self, norm: Norm, widths: Sequence[int]) -> None:
        super().__init__()
        self.paths = nn.ModuleList(
            nn.ModuleList(
                self._path(norm, widths, source, target) for target in range(len(widths)) if target != source
            )
            for source in range(len(widths))
        )

    @staticmethod
    def _path(norm: Norm, widths: Sequence[int], source: int, target: int) -> nn.Sequential:
        direction, step = (1, _down) if target > source else (-1, _up)
        return nn.Sequential(
            *(step(norm, widths[at], widths[at + direction]) for at in range(source, target, direction))
        )

    def forward(self, streams: list[Tensor]) -> list[Tensor]:
        fused = list(streams)
        for source, paths in enumerate(self.paths):
            targets = [target for target in range(len(streams)) if target != source]
            for target, path in zip(targets, paths, strict=True):
                fused[target] = fused[target] + path(streams[source])
        return fused


class Cascade(nn.Module):
    """Runs the streams one after the other, each from the output of the one above it, and fuses them."""

    def __init__(self, norm: Norm, widths: Sequence[int], block: str) -> None:
        super().__init__()
        self.streams = nn.ModuleList(_stream(norm, width, block) for width in widths)
        self.downs = nn.ModuleList(_down(norm, above, below) for above, below in itertools.pairwise(widths))
        self.fusion = Fusion(norm, widths)

    def forward(self, feature: Tensor) -> list[Tensor]:
        outputs = [self.streams[0](feature)]
        for down, stream in zip(self.downs, self.streams[1:], strict=True):
            outputs.append(stream(down(outputs[-1])))
        return self.fusion(outputs)


class Stage(nn.Module):
    """Runs all streams in parallel and fuses them."""

    def __init__(self, norm: Norm, widths: Sequence[int], block: str) -> None:
        super().__init__()
        self.streams = nn.ModuleList(_stream(norm, width, block) for width in widths)
        self.fusion = Fusion(norm, widths)

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        return self.fusion([stream(one) for stream, one in zip(self.streams, features, strict=True)])


class MiniHRNet(SegmentationModel):
    """See the module's description; stream `i` works at 1 / (4 * 2**i) of the image size."""

    native_stride = 4

    def __init__(
        self, num_classes: int, widths: Sequence[int], repetitions: int, block: str, norm: str
    ) -> None:
        super().__init__(num_classes)
        self.stride = 4 * 2 ** (len(widths) - 1)
        norm_layer = NORMS[norm]
        self.stem = nn.Sequential(
            ConvNorm(norm_layer, 3, STEM_WIDTH, 3, stride=2),
            ConvNorm(norm_layer, STEM_WIDTH, STEM_WIDTH, 3, stride=2),
        )
        self.bottlenecks = nn.Sequential(
            Bottleneck(norm_layer, STEM_WIDTH),
            *(Bottleneck(norm_layer, BOTTLENECK_WIDTH) for _ in range(3)),
        )
        self.entry = ConvNorm(norm_layer, BOTTLENECK_WIDTH, widths[0], 3, bias=True)
        self.cascade = Cascade(norm_layer, widths, block)
        self.stages = nn.Sequential(*(Stage(norm_layer, widths, block) for _ in range(repetitions)))
        self.head = nn.Sequential(
            ConvNorm(norm_layer, sum(widths), sum(widths), 1, bias=True),
            nn.Conv2d(sum(widths), num_classes, 1),
        )

    def native_logits(self, image: Tensor) -> Tensor:
        feature = self.entry(self.bottlenecks(self.stem(image)))  # 1/4
        streams = self.stages(self.cascade(feature))  # 1/4, 1/8, 1/16, ...
        size = streams[0].shape[-2:]
        return self.head(torch.cat([streams[0], *(upsample(one, size) for one in streams[1:])], dim=1))


def minihrnet_a3(
    num_classes: int,
    *,
    widths: Sequence[int] = (48, 60, 72, 84),
    repetitions: int = 1,
    block: str = "dilated",
    norm: str = "instance",
) -> MiniHRNet:
    """Builds Mini-HRNet, approach 3.

    Weights start as torch's convolutions do (uniform, He et al. 2015 with a slope of sqrt(5)), which is what
    the released network does: HRNet's N(0, 0.001) stands in its code but is never called. Behind every
    convolution but the last a normalisation takes the scale out, so it hardly matters.

    Args:
        num_classes: At least 1.
        widths: Channels of the streams from 1/4 downwards, one to five of them.
        repetitions: Parallel stages after the cascade, from 0 up.
        block: `dilated` (three branches, as released) or `basic` (HRNet's block).
        norm: `instance` (as released), `batch` or `group`.

    Raises:
        ConfigError: If an option has a value that is not allowed.
    """
    check_counts("widths", widths, lengths=(1, 2, 3, 4, 5))
    check_count("repetitions", repetitions, minimum=0)
    check_choice("block", block, tuple(BLOCKS))
    check_choice("norm", norm, tuple(NORMS))
    return MiniHRNet(num_classes, widths, repetitions, block, norm)


_ORIGINAL_NAMES = (
    (r"^stem\.0\.conv\.", "stem.conv1."),
    (r"^stem\.1\.conv\.", "stem.conv2."),
    (r"^bottlenecks\.(\d+)\.reduce\.conv\.", r"stage1.\1.conv1."),
    (r"^bottlenecks\.(\d+)\.spatial\.conv\.", r"stage1.\1.conv2."),
    (r"^bottlenecks\.(\d+)\.expand\.conv\.", r"stage1.\1.conv3."),
    (r"^bottlenecks\.(\d+)\.shortcut\.conv\.", r"stage1.\1.downsample.0."),
    (r"^entry\.", "transition."),
    (r"^cascade\.downs\.", "streams.transStreams."),
    (r"^cascade\.", "streams."),
    (r"\.fusion\.paths\.", ".fusionStreams.fusionStreams."),
    (r"\.streams\.(\d+)\.(\d+)\.branches\.", r".mainStreams.\1.stream.\2.branches."),
    (r"^streams\.streams\.", "streams.mainStreams."),
    (r"\.branches\.dilation(\d)\.0\.conv\.", r".dil\1.0."),
    (r"\.branches\.dilation(\d)\.1\.conv\.", r".dil\1.3."),
    (r"^head\.0\.conv\.", "last_layer.0."),
    (r"^head\.1\.", "last_layer.3."),
)


def original_key(key: str) -> str:
    """Translates a name of our state dict (with `norm="instance"`) to the released checkpoint's."""
    for pattern, replacement in _ORIGINAL_NAMES:
        key = re.sub(pattern, replacement, key)
    return key
