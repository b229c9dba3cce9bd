"""Layers that compute what torch's own do in another way, where those are slow, wrong or not repeatable.

They say nothing about an architecture: where torch's layers work, they give the same values.
"""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPS = 1e-5  # of the instance normalisation, as in torch


class InstanceNorm(nn.Module):
    """Subtracts the mean and divides by the standard deviation of each channel of each image.

    The released Mini-HRNet uses it without scale, shift or running statistics: its configuration trains with
    batches of one. `nn.InstanceNorm2d` refuses a map of a single pixel, which the smallest stream has for a
    32x32 image; there the mean is the pixel itself and the normalised value is zero, as the formula says.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, feature: Tensor) -> Tensor:
        # Two ways to the same values; which one torch computes fast depends on the layout in memory. Batch
        # normalisation of one image at a time is many times as fast for channels_last on a CPU, and lets the
        # convolutions have that layout, which makes a whole training step a quarter faster.
        if is_channels_last_on_cpu(feature):
            # Without a scale and a shift in float32, torch makes up its own, rounded to bfloat16.
            exact = torch.promote_types(feature.dtype, torch.float32)
            one, zero = torch.ones(self.channels, dtype=exact), torch.zeros(self.channels, dtype=exact)
            state = one, zero, None, None
            return torch.cat([torch.batch_norm(x, *state, True, 0.0, EPS, False) for x in feature.split(1)])
        # As group normalisation with one channel per group, which torch computes faster than its instance
        # normalisation (measured on a CPU, forward and backward: by a tenth of the whole training step).
        return torch.group_norm(feature, self.channels, None, None, EPS, torch.backends.cudnn.enabled)

    def extra_repr(self) -> str:
        return f"{self.channels}"


class Depthwise(nn.Conv2d):
    """A 3x3 convolution of each channel by itself, dilated.

    While it learns on a processor in channels_last, pixels that lie `dilation` apart are put side by side and
    meet an ordinary kernel. The values are the same. Without it, oneDNN (in PyTorch 2.14.1) computes a wrong
    gradient of the weights in bfloat16, from memory that was never written; in the other formats it is right,
    and several times slower.
    """

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__(width, width, 3, padding=dilation, dilation=dilation, groups=width, bias=False)

    def forward(self, feature: Tensor) -> Tensor:
        # Seen with the strides of a contiguous tensor: with those of channels_last a contiguous map, too,
        # would meet the wrong kernel.
        weight = self.weight.flatten(1).view(self.weight.shape)
        if self.dilation[0] == 1 or not torch.is_grad_enabled() or not is_channels_last_on_cpu(feature):
            return self._conv_forward(feature, weight, None)
        (height, width), step = feature.shape[2:], self.dilation[0]
        rows, columns = max(3, -(-height // step)), -(-width // step) + 1  # the last column stays empty
        # The kernels for maps of only two rows are slow.
        padded = F.pad(feature, (0, columns * step - width, 0, rows * step - height)).permute(0, 2, 3, 1)
        # (N, row, its rest, column, its rest, C) -> (N, row, the rests one behind the other, C)
        apart = padded.unflatten(2, (columns, step)).unflatten(1, (rows, step)).transpose(3, 4).flatten(2, 4)
        joined = F.conv2d(apart.permute(0, 3, 1, 2), weight, padding=1, groups=self.groups)
        back = joined.permute(0, 2, 3, 1).unflatten(2, (step, step, columns)).transpose(3, 4)
        result = back.flatten(3, 4).flatten(1, 2)[:, :height, :width].permute(0, 3, 1, 2)
        return result.contiguous(memory_format=torch.channels_last)


def upsample(feature: Tensor, size: torch.Size | tuple[int, int], align_corners: bool = False) -> Tensor:
    """Resizes (N, C, h, w) bilinearly to `size`; pixel centres stay in place unless the corners are to."""
    if feature.is_cuda and torch.are_deterministic_algorithms_enabled():
        return RepeatableUpsample.apply(feature, tuple(size), align_corners)
    return F.interpolate(feature, size=size, mode="bilinear", align_corners=align_corners)


class Upsample(nn.Module):
    """Enlarges a feature map bilinearly by a whole factor."""

    def __init__(self, factor: int, *, align_corners: bool = False) -> None:
        super().__init__()
        self.factor, self.align_corners = factor, align_corners

    def forward(self, feature: Tensor) -> Tensor:
        height, width = feature.shape[-2:]
        return upsample(feature, (self.factor * height, self.factor * width), self.align_corners)


class RepeatableUpsample(torch.autograd.Function):
    """Bilinear resizing whose gradient is the same in each run.

    On CUDA torch adds up the gradient in whatever order the threads come, or, asked for determinism, sorts
    all indices first. Bilinear resizing is a matrix product along each axis, and so is its gradient.
    """

    @staticmethod
    def forward(ctx, feature: Tensor, size: tuple[int, int], align_corners: bool) -> Tensor:
        ctx.shape, ctx.size, ctx.align_corners = feature.shape[-2:], size, align_corners
        return torch._C._nn.upsample_bilinear2d(feature, size, align_corners, None)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None]:
        rows, columns = (
            _resizing(before, after, ctx.align_corners, gradient.device).to(gradient.dtype)
            for before, after in zip(ctx.shape, ctx.size, strict=True)
        )
        return rows @ gradient @ columns.mT, None, None


@functools.lru_cache(maxsize=256)
def _resizing(before: int, after: int, align_corners: bool, device: torch.device) -> Tensor:
    """The matrix (before, after) that resizes a row of pixels linearly, float32."""
    rows = torch.eye(before, device=device)[None]
    return F.interpolate(rows, size=after, mode="linear", align_corners=align_corners)[0]


def is_channels_last_on_cpu(feature: Tensor) -> bool:
    """Whether a map is on a processor, in channels_last, and not being recorded for an export."""
    if feature.device.type != "cpu" or torch.compiler.is_compiling() or torch.jit.is_tracing():
        return False
    return feature.is_contiguous(memory_format=torch.channels_last) and not feature.is_contiguous()
