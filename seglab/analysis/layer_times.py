"""Where the time of a network goes: its layers, their times, multiply-adds and the numbers that they move.

A layer with little to compute for each number that it reads or writes is *memory-bound*: it waits for its
numbers, however few its multiply-adds are. How much there is to compute, the *arithmetic intensity*, follows
from the architecture; what a processor makes of it is measured (Williams et al., *Roofline*, Communications
of the ACM 52(4), 2009).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pandas as pd
import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from seglab.analysis.complexity import complexity
from seglab.evaluation.execution import Execution
from seglab.models import SegmentationModel
from seglab.models.layers import InstanceNorm

KINDS = (
    "dense convolution",
    "pointwise convolution",
    "depthwise convolution",
    "transposed convolution",
    "normalisation",
    "other",
)
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
        `median_ms`, `macs`, `values` (numbers that its operations read and write: inputs, weights, results).
    """
    macs = {one.name: one.macs for one in complexity(model, input_size).modules}
    network = _Network(execution.place(model.eval()), execution.noise(1, input_size), execution)
    values = network.values()
    passes = [network.seconds() for _ in range(warmup + repeats)]
    median_ms = 1000 * pd.DataFrame(passes[warmup:]).median()
    rows = [
        (name, layer_kind(module), median_ms[name], macs.get(name, 0), values[name])
        for name, module in network.called.items()
    ]
    rows.append((BETWEEN, "other", median_ms[BETWEEN], 0, values[BETWEEN]))
    return pd.DataFrame(rows, columns=["layer", "kind", "median_ms", "macs", "values"])


def layer_kind(module: nn.Module) -> str:
    """What a layer is, one of `KINDS`; a pointwise convolution looks at one pixel, a dense one at several."""
    if isinstance(module, nn.ConvTranspose2d):
        return "transposed convolution"
    if isinstance(module, nn.Conv2d):
        if module.groups == module.in_channels > 1:
            return "depthwise convolution"
        return "pointwise convolution" if module.kernel_size == (1, 1) else "dense convolution"
    return "normalisation" if isinstance(module, _NormBase | nn.GroupNorm | InstanceNorm) else "other"


class _Network:
    """A network whose layers can be watched while it answers."""

    def __init__(self, model: nn.Module, image: torch.Tensor, execution: Execution) -> None:
        self.model, self.image, self.execution = model, image, execution
        self.called: dict[str, nn.Module] = {}

    def values(self) -> Counter[str]:
        """Numbers that each layer reads and writes, and all that is between the layers."""
        traffic = _Traffic()

        def enter(name: str) -> None:
            traffic.layer = name

        with self._watched(enter, lambda name: enter(BETWEEN)), traffic:
            self._answer()
        return traffic.values

    def seconds(self) -> dict[str, float]:
        """What each layer takes in one pass, and all that is between the layers."""
        taken: Counter[str] = Counter()  # a layer may be called twice
        began = 0.0

        def enter(name: str) -> None:
            nonlocal began
            began = self._now()

        def leave(name: str) -> None:
            taken[name] += self._now() - began

        with self._watched(enter, leave):
            started = self._now()
            self._answer()
            whole = self._now() - started
        return {**taken, BETWEEN: whole - taken.total()}

    @contextmanager
    def _watched(self, enter: Callable[[str], None], leave: Callable[[str], None]) -> Iterator[None]:
        """Calls the two with the name of each layer that begins and ends."""
        hooks = []
        for name, module in self.model.named_modules():
            if any(module.children()) or isinstance(module, nn.Identity | _DropoutNd):
                continue

            def before(module: nn.Module, inputs: object, name: str = name) -> None:
                self.called[name] = module
                enter(name)

            def after(module: nn.Module, inputs: object, output: object, name: str = name) -> None:
                leave(name)

            hooks += [module.register_forward_pre_hook(before), module.register_forward_hook(after)]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    @torch.inference_mode()
    def _answer(self) -> None:
        with self.execution.autocast():
            self.model(self.image)

    def _now(self) -> float:
        self.execution.synchronize()
        return time.perf_counter()


class _Traffic(TorchDispatchMode):
    """Counts the numbers that operations read and write; what only looks at memory in another way is free."""

    def __init__(self) -> None:
        super().__init__()
        self.values: Counter[str] = Counter()
        self.layer = BETWEEN

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = operation(*args, **(kwargs or {}))
        read, written = (
            [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]
            for tree in ((args, kwargs), result)
        )
        known = {tensor.untyped_storage()._cdata for tensor in read}
        is_view = all(tensor.untyped_storage()._cdata in known for tensor in written)
        if operation._schema.is_mutable or not is_view:
            self.values[self.layer] += sum(tensor.numel() for tensor in [*read, *written])
        return result
