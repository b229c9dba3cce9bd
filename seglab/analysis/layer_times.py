"""Where the time of a network goes: its layers, their times, multiply-adds and the numbers that they move.

A layer is fast if it finds much to compute for each number that it fetches. How much that is follows from
the architecture; what a processor makes of it is measured (Williams et al., *Roofline*, Communications of the
ACM 52(4), 2009).
"""

from __future__ import annotations

import time
from collections import Counter

import pandas as pd
import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd

from seglab.analysis.complexity import complexity
from seglab.evaluation.execution import Execution
from seglab.models import SegmentationModel
from seglab.models.layers import InstanceNorm

KINDS = ("dense convolution", "pointwise convolution", "depthwise convolution", "normalisation", "other")
BETWEEN = "between the layers"


def layer_times(
    model: SegmentationModel,
    input_size: tuple[int, int],
    execution: Execution,
    *,
    repeats: int = 20,
    warmup: int = 3,
) -> pd.DataFrame:
    """Times the layers of a network within its forward pass on one picture.

    A layer is a module without parts. What a network computes outside of its layers, additions,
    concatenations and poolings for example, is in the last row, `between the layers`; so is what the
    measurement itself takes, some microseconds a layer. On a GPU each layer is waited for, so the sum is more
    than the whole network takes; small layers show little else than that.

    Args:
        model: Put into eval mode, onto the device and into the memory format, and left there.
        input_size: Height and width in pixels, at least 32 each.
        execution: Device, precision and memory format.
        repeats: Measured passes, at least 1.
        warmup: Passes before them, which are not counted.

    Returns:
        One row per layer, in the order of their first call: `layer` (name), `kind` (one of `KINDS`),
        `median_ms`, `macs`, `values` (numbers that it reads and writes: inputs, weights and answers).
    """
    macs = {one.name: one.macs for one in complexity(model, input_size).modules}
    image = torch.randn(1, 3, *input_size, generator=torch.Generator().manual_seed(0))
    watch = _Stopwatch(execution.place(model.eval()), execution)
    passes = [watch.run(image.to(execution.device)) for _ in range(warmup + repeats)]
    median_ms = 1000 * pd.DataFrame(passes[warmup:]).median()
    modules = dict(model.named_modules())
    rows = [
        (name, layer_kind(modules[name]), median_ms[name], macs.get(name, 0), values)
        for name, values in watch.values.items()
    ]
    rows.append((BETWEEN, "other", median_ms[BETWEEN], 0, 0))
    return pd.DataFrame(rows, columns=["layer", "kind", "median_ms", "macs", "values"])


def layer_kind(module: nn.Module) -> str:
    """What a layer is, one of `KINDS`; a pointwise convolution looks at one pixel, a dense one at several."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        if module.groups == module.in_channels > 1:
            return "depthwise convolution"
        return "pointwise convolution" if module.kernel_size == (1, 1) else "dense convolution"
    return "normalisation" if isinstance(module, _NormBase | nn.GroupNorm | InstanceNorm) else "other"


class _Stopwatch:
    """Runs a network and takes the time of each layer, after which `values` tells what it moved."""

    def __init__(self, model: nn.Module, execution: Execution) -> None:
        self.model, self.execution = model, execution
        self.seconds: Counter[str] = Counter()  # a layer may be called twice in a pass
        self.values: Counter[str] = Counter()

    @torch.inference_mode()
    def run(self, image: torch.Tensor) -> dict[str, float]:
        """Seconds by layer of one pass."""
        self.seconds, self.values = Counter(), Counter()
        hooks = [
            hook
            for name, module in self.model.named_modules()
            if not any(module.children()) and not isinstance(module, nn.Identity | _DropoutNd)
            for hook in self._watch(name, module)
        ]
        try:
            began = self._now()
            with self.execution.autocast():
                self.model(image)
            whole = self._now() - began
        finally:
            for hook in hooks:
                hook.remove()
        return {**self.seconds, BETWEEN: whole - self.seconds.total()}

    def _watch(self, name: str, module: nn.Module) -> tuple[torch.utils.hooks.RemovableHandle, ...]:
        weights = sum(parameter.numel() for parameter in module.parameters())
        began = 0.0

        def before(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            nonlocal began
            began = self._now()

        def after(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
            self.seconds[name] += self._now() - began
            self.values[name] += weights + output.numel() + sum(one.numel() for one in inputs)

        return module.register_forward_pre_hook(before), module.register_forward_hook(after)

    def _now(self) -> float:
        if self.execution.device.type == "cuda":  # which works on after a call returns
            torch.cuda.synchronize(self.execution.device)
        return time.perf_counter()
