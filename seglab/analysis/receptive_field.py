"""How far a network sees: the receptive field by arithmetic, and by gradient the part of it that counts."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

aten = torch.ops.aten

# A pixel belongs to the effective field if its gradient is above this share of the largest one: what a
# normal distribution leaves outside two standard deviations (Luo et al. 2016, section 4).
EFFECTIVE_SHARE = 1 - 0.9545


def receptive_field(model: nn.Module, input_size: tuple[int, int] = (256, 256)) -> tuple[int, int]:
    """Counts the pixels in height and width that one output pixel can depend on.

    A convolution with kernel `k` and dilation `d` adds `(k - 1) d` steps of its input, bilinear upsampling
    mixes two neighbours and adds one; of parallel paths the widest counts. Means over the whole image, in
    instance normalisation and squeeze-and-excitation, depend on every pixel and are left out.

    Args:
        model: Answers (N, 3, H, W) with (N, K, h, w); left as it is, and nothing is computed.
        input_size: Any size that the network accepts without padding; the result does not depend on it.

    Returns:
        Height and width in pixels; larger than the image if the network could see beyond it.

    Reference:
        Araujo et al., Computing Receptive Fields of Convolutional Neural Networks, Distill 2019.
    """
    meta = copy.deepcopy(model).to("meta").eval()
    program = torch.export.export(meta, (torch.empty(1, 3, *input_size, device="meta"),))
    (image,) = program.graph_signature.user_inputs
    (logits,) = program.graph_signature.user_outputs
    fields = [_field(program.graph, image, logits, axis) for axis in (0, 1)]
    return fields[0], fields[1]


def _field(graph: fx.Graph, image: str, logits: str, axis: int) -> int:
    """Follows the graph from `image` to `logits` along height (0) or width (1)."""
    # How many pixels lie between neighbouring values of a map, and how many one value depends on.
    step, field = {image: Fraction(1)}, {image: Fraction(1)}
    for node in graph.nodes:
        sources = [one.name for one in node.all_input_nodes if one.name in field]
        if node.op != "call_function" or not sources or node.meta["val"].ndim != 4:
            continue
        before = step[sources[0]]
        widening, stride = _RULES.get(node.target, _keep)(node, axis)
        step[node.name] = before * stride
        field[node.name] = max(field[source] for source in sources) + widening * before
    return math.ceil(field[logits])


# Each rule gives, in steps of the input, what an operator adds to the field, and the step of its output.
def _keep(node: fx.Node, axis: int) -> tuple[int, Fraction]:
    return 0, Fraction(1)


def _convolution(node: fx.Node, axis: int) -> tuple[int, Fraction]:
    kernel = node.args[1].meta["val"].shape[2 + axis]
    stride, dilation = _argument(node, 3, axis, 1), _argument(node, 5, axis, 1)
    return (kernel - 1) * dilation, Fraction(stride)


def _transposed_convolution(node: fx.Node, axis: int) -> tuple[int, Fraction]:
    kernel = node.args[1].meta["val"].shape[2 + axis]
    stride, dilation = _argument(node, 3, axis, 1), _argument(node, 7, axis, 1)
    reach = (kernel - 1) * dilation
    return reach // stride, Fraction(
        1, stride
    )  # values that one output touches: every stride-th of the kernel


def _max_pooling(node: fx.Node, axis: int) -> tuple[int, Fraction]:
    kernel = _argument(node, 1, axis, None)
    return kernel - 1, Fraction(_argument(node, 2, axis, kernel))


def _upsampling(node: fx.Node, axis: int) -> tuple[int, Fraction]:
    source, target = node.args[0].meta["val"].shape[2 + axis], node.meta["val"].shape[2 + axis]
    return int(source != target), Fraction(source, target)


_RULES: dict[object, Callable[[fx.Node, int], tuple[int, Fraction]]] = {
    aten.conv2d.default: _convolution,
    aten.conv2d.padding: _convolution,
    aten.conv_transpose2d.input: _transposed_convolution,
    aten.max_pool2d.default: _max_pooling,
    aten.upsample_bilinear2d.vec: _upsampling,
}


def _argument(node: fx.Node, position: int, axis: int, default: int | None) -> int:
    """An operator's argument along an axis; one number stands for both."""
    if len(node.args) <= position or not node.args[position]:
        return default
    values = node.args[position]
    return values[axis % len(values)]


def settled(model: nn.Module, images: Tensor) -> nn.Module:
    """A copy in evaluation mode whose batch normalisations hold the statistics of these images.

    So an untrained network computes what it does in its first training step. With the statistics that it is
    made with, 0 and 1, nothing is normalised: its residual branches fade, and hardly more than what the
    shortcuts pass on is left.

    Args:
        model: Left as it is; dropout takes no part.
        images: Float (N, 3, H, W), normalised.
    """
    model = copy.deepcopy(model).eval()
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.reset_running_stats()
            module.momentum = None  # the plain mean
            module.train()
    with torch.no_grad():
        model(images)
    return model.eval()


def effective_receptive_field(model: nn.Module, images: Tensor) -> np.ndarray:
    """Measures how strongly the logits at the centre depend on each pixel.

    Args:
        model: A network in the state to be examined; its mode and its gradients are left as they are.
        images: Float (N, 3, H, W), normalised, at least one; the mean over them is taken.

    Returns:
        float64 (H, W), the mean absolute gradient of the logits' sum, scaled to a largest value of 1.

    Reference:
        Luo et al., Understanding the Effective Receptive Field in Deep Convolutional Neural Networks,
        NeurIPS 2016.
    """
    model = copy.deepcopy(model).eval().requires_grad_(False)
    total = torch.zeros(images.shape[-2:], dtype=torch.float64)
    for image in images.split(1):
        image = image.clone().requires_grad_()
        logits = model(image)
        logits[0, :, logits.shape[2] // 2, logits.shape[3] // 2].sum().backward()
        total += image.grad[0].abs().sum(dim=0)
    return (total / total.max()).numpy()


def effective_side_px(gradient: np.ndarray) -> float:
    """The side of a square with as many pixels as have a gradient above `EFFECTIVE_SHARE` of the largest."""
    return float(np.sqrt(np.count_nonzero(gradient > EFFECTIVE_SHARE)))
