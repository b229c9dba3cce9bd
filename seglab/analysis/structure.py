"""How a network is built, read off its modules and from the shapes of what they answer."""

from __future__ import annotations

import copy

import pandas as pd
import torch
from torch import nn

from seglab.analysis.complexity import Complexity
from seglab.errors import ConfigError
from seglab.models import SegmentationModel
from seglab.models.base import MIN_SIZE
from seglab.models.hrnet import BasicBlock, Bottleneck, HRNet
from seglab.models.minihrnet import Bottleneck as MiniBottleneck
from seglab.models.minihrnet import DilatedBlock, MiniHRNet

_BLOCKS = (BasicBlock, Bottleneck, DilatedBlock, MiniBottleneck)


def output_shapes(model: SegmentationModel, input_size: tuple[int, int]) -> dict[str, tuple[int, ...]]:
    """The shape of what every module answers to one image, without computing anything.

    Args:
        model: Left as it is.
        input_size: Height and width in pixels, at least 32 each.

    Returns:
        Shape by the module's name, in the order in which they answer; modules without one tensor as their
        answer are left out.
    """
    meta = copy.deepcopy(model).to("meta").eval()
    shapes: dict[str, tuple[int, ...]] = {}

    def remember(name: str):
        def hook(module: nn.Module, inputs: object, output: object) -> None:
            if isinstance(output, torch.Tensor):
                shapes[name] = tuple(output.shape)

        return hook

    for name, module in meta.named_modules():
        module.register_forward_hook(remember(name))
    with torch.no_grad():
        meta(torch.empty(1, 3, *input_size, device="meta"))
    return shapes


def layer_table(model: SegmentationModel, input_size: tuple[int, int], depth: int = 2) -> pd.DataFrame:
    """The layers of a network in the order in which they are run.

    Args:
        model: Left as it is.
        input_size: Height and width in pixels, at least 32 each.
        depth: Parts this many levels deep are taken as layers, and those above them that have no parts.

    Returns:
        One row per layer: `layer` (name), `kind` (class), `channels`, `height` and `width` of its answer,
        `params`.
    """
    modules = dict(model.named_modules())
    rows = []
    for name, shape in output_shapes(model, input_size).items():
        level = name.count(".") + 1 if name else 0
        is_leaf = not any(modules[name].children())
        if level == depth or (level < depth and is_leaf):
            params = sum(parameter.numel() for parameter in modules[name].parameters())
            rows.append((name, type(modules[name]).__name__, *shape[1:], params))
    return pd.DataFrame(rows, columns=["layer", "kind", "channels", "height", "width", "params"])


def stream_table(model: SegmentationModel) -> pd.DataFrame:
    """The parallel streams of an HRNet or Mini-HRNet, step by step.

    Returns:
        One row per stream and step: `step` (from 0 up), `name` of the step, `stream` (0 is the finest),
        `stride` (image pixels per value, measured), `width` (channels, measured), `blocks` (residual blocks),
        `fused` (whether all streams are exchanged behind this step).

    Raises:
        ConfigError: If the network has no streams.
    """
    steps = _steps(model)
    side = MIN_SIZE * model.stride
    shapes = output_shapes(model, (side, side))
    names = {module: name for name, module in model.named_modules()}
    rows = []
    for step, (label, streams, fused) in enumerate(steps):
        for stream, module in streams.items():
            _, width, height, _ = shapes[names[module]]
            blocks = sum(isinstance(part, _BLOCKS) for part in module.modules())
            rows.append((step, label, stream, side // height, width, blocks, fused))
    return pd.DataFrame(rows, columns=["step", "name", "stream", "stride", "width", "blocks", "fused"])


def _steps(model: SegmentationModel) -> list[tuple[str, dict[int, nn.Module], bool]]:
    """What runs one after the other: its name, its modules by stream, and whether a fusion follows."""
    if not isinstance(model, HRNet | MiniHRNet):
        raise ConfigError(f"{type(model).__name__} has no parallel streams; allowed are HRNet and Mini-HRNet")
    steps = [("stem", {0: model.stem}, False), ("bottlenecks", {0: model.bottlenecks}, False)]
    if isinstance(model, HRNet):
        for number, stage in enumerate(model.stages, start=2):
            steps += [(f"stage {number}", dict(enumerate(unit.streams)), True) for unit in stage.units]
    else:
        last = len(model.cascade.streams) - 1
        steps.append(("entry", {0: model.entry}, False))
        steps += [("cascade", {i: part}, i == last) for i, part in enumerate(model.cascade.streams)]
        steps += [("stage", dict(enumerate(stage.streams)), True) for stage in model.stages]
    return [*steps, ("head", {0: model.head}, False)]


def part_table(cost: Complexity) -> pd.DataFrame:
    """What the parts of a network cost: its outermost modules, and for `stages` each stage.

    Returns:
        One row per part, in the order of the network: `part` (module name), `params`, `macs`.
    """
    rows = [
        (one.name, one.params, one.macs)
        for one in cost.modules_to_depth(2)
        if one.name and (("." not in one.name and one.name != "stages") or one.name.startswith("stages."))
    ]
    return pd.DataFrame(rows, columns=["part", "params", "macs"])
