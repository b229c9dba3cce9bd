"""What a network costs before it is run: parameters, multiply-adds, activation memory, receptive field.

One multiply-add of a convolution or a matrix product is a MAC. Papers call the same number "FLOPs" or, in
units of 2**30, "GFLOPs"; fvcore calls it a flop, torch counts two flops for it. Normalisation and
interpolation are counted apart, and what no counter knows is listed.
"""

from __future__ import annotations

import copy
import importlib.metadata
import json
import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from seglab.errors import ConfigError
from seglab.models import SegmentationModel, create_model, get_reference
from seglab.models.base import MIN_SIZE
from seglab.runs import write_text

SCHEMA_VERSION = 1
_MAC_OPERATORS = ("conv", "linear", "addmm", "matmul", "bmm", "einsum")  # fvcore's names


@dataclass(frozen=True)
class ModuleCost:
    """A part of a network: its name (dots separate the levels), its class, and what it and its parts cost."""

    name: str
    kind: str
    params: int
    macs: int


@dataclass(frozen=True)
class Complexity:
    """The cost of one network at one input size, for one image.

    Args:
        input_size: Height and width in pixels.
        params: Trainable parameters that the inference path uses.
        aux_params: Trainable parameters of heads that only training uses.
        macs: Multiply-adds of convolutions and matrix products, counted by fvcore.
        torch_macs: The same by torch's counter, at the very size; equal unless a counter is wrong.
        other_operations: What fvcore counts of other operators: two per value of a normalisation, four per
            value of an interpolation.
        uncounted: How often operators occur that fvcore does not know. It knows activations and copies, and
            counts them as nothing.
        activation_bytes: What autograd keeps of one image for the backward pass, in float32.
        modules: Every module that takes part in inference, in the order of the network.
    """

    input_size: tuple[int, int]
    params: int
    aux_params: int
    macs: int
    torch_macs: int
    other_operations: dict[str, int]
    uncounted: dict[str, int]
    activation_bytes: int
    modules: tuple[ModuleCost, ...]

    def modules_to_depth(self, depth: int) -> list[ModuleCost]:
        """The modules at most `depth` levels deep; the network itself is at depth 0."""
        return [one for one in self.modules if (one.name.count(".") + 1 if one.name else 0) <= depth]


def complexity(model: SegmentationModel, input_size: tuple[int, int]) -> Complexity:
    """Counts a network's cost, without computing anything at the size asked for.

    fvcore needs numbers to run on. The networks are fully convolutional: every count is a constant plus a
    multiple of the area. Two small images give both, exactly; torch's counter, which needs no data and runs
    on the meta device, counts at the very size.

    Args:
        model: Left as it is.
        input_size: Height and width in pixels, at least 32 each.

    Raises:
        ConfigError: If the size is too small.
    """
    if min(input_size) < MIN_SIZE:
        raise ConfigError(f"input_size is {input_size}; allowed are heights and widths from {MIN_SIZE} up")
    meta = copy.deepcopy(model).to("meta").eval()
    counts, uncounted, unused = _fvcore_counts(model, input_size)
    macs = {name: sum(ops[op] for op in _MAC_OPERATORS) for name, ops in counts.items()}
    own_params = {
        name: sum(p.numel() for p in module.parameters(recurse=False) if p.requires_grad)
        for name, module in meta.named_modules()
    }
    used = [name for name in own_params if name not in unused]
    params = sum(own_params[name] for name in used)
    return Complexity(
        input_size=tuple(input_size),
        params=params,
        aux_params=sum(own_params.values()) - params,
        macs=macs[""],
        torch_macs=_torch_macs(meta, input_size),
        other_operations={op: n for op, n in counts[""].items() if op not in _MAC_OPERATORS and n},
        uncounted=uncounted,
        activation_bytes=_activation_bytes(meta, input_size),
        modules=tuple(
            ModuleCost(name, type(module).__name__, _within(own_params, name, used), macs[name])
            for name, module in meta.named_modules()
            if name in used
        ),
    )


def _within(own_params: Mapping[str, int], name: str, used: list[str]) -> int:
    prefix = f"{name}." if name else ""
    return sum(own_params[one] for one in used if one == name or one.startswith(prefix))


def _fvcore_counts(
    model: SegmentationModel, input_size: tuple[int, int]
) -> tuple[dict[str, Counter[str]], dict[str, int], set[str]]:
    """Counts by module and operator at `input_size`, the operators unknown to fvcore, the unused modules."""
    on_cpu = copy.deepcopy(model).eval()
    is_meta = any(parameter.is_meta for parameter in on_cpu.parameters())
    on_cpu = on_cpu.to_empty(device="cpu") if is_meta else on_cpu.cpu()
    stride = model.stride
    side = stride * -(-MIN_SIZE // stride)
    small, small_uncounted, unused = _fvcore_counts_at(on_cpu, (side, side))
    double, _, _ = _fvcore_counts_at(on_cpu, (side, 2 * side))
    # In cells of stride x stride, into which the network pads every image.
    small_cells = (side // stride) ** 2
    cells = -(-input_size[0] // stride) * -(-input_size[1] // stride)
    counts: dict[str, Counter[str]] = {}
    for name, operators in small.items():
        counts[name] = Counter()
        for operator, count in operators.items():
            per_cell, rest = divmod(double[name][operator] - count, small_cells)
            assert rest == 0, f"{name}: {operator} does not grow with the area"
            counts[name][operator] = count + per_cell * (cells - small_cells)
    return counts, small_uncounted, unused


def _fvcore_counts_at(
    model: nn.Module, input_size: tuple[int, int]
) -> tuple[dict[str, Counter[str]], dict[str, int], set[str]]:
    with warnings.catch_warnings():
        # fvcore compiles unrelated losses with a deprecated function when it is imported.
        warnings.filterwarnings("ignore", message=".*torch.jit.script.* is deprecated")
        # It traces the network, which binds the trace to this one size; that is what is wanted here.
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
        from fvcore.nn import FlopCountAnalysis

        analysis = FlopCountAnalysis(model, torch.zeros(1, 3, *input_size))
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        return (
            {name: Counter(ops) for name, ops in analysis.by_module_and_operator().items()},
            dict(sorted(analysis.unsupported_ops().items())),
            # Lists of modules are never called themselves, but own no parameters either.
            analysis.uncalled_modules(),
        )


def _torch_macs(meta: nn.Module, input_size: tuple[int, int]) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        meta(torch.empty(1, 3, *input_size, device="meta"))
    return counter.get_total_flops() // 2


def _activation_bytes(meta: nn.Module, input_size: tuple[int, int]) -> int:
    """Bytes of the tensors that autograd saves, each storage once, without the weights.

    Two images are run and the half is taken: batch normalisation refuses to train on a single value.
    """
    model = copy.deepcopy(meta).train()
    known = {tensor.untyped_storage()._cdata for tensor in [*model.parameters(), *model.buffers()]}
    saved: dict[int, torch.UntypedStorage] = {}  # keeping the storages keeps their addresses distinct

    def remember(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in known:
            saved[storage._cdata] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(remember, lambda tensor: tensor):
        model(torch.empty(2, 3, *input_size, device="meta"))
    return sum(storage.nbytes() for storage in saved.values()) // 2


def model_complexity(
    name: str, num_classes: int, input_size: tuple[int, int], **options: object
) -> Complexity:
    """Counts a network of the registry without ever making its weights."""
    with torch.device("meta"):
        model = create_model(name, num_classes, **options)
    return complexity(model, input_size)


def write_complexity(
    folder: Path | str, name: str, num_classes: int, cost: Complexity, **options: object
) -> Path:
    """Writes `<folder>/<name>.json`: the cost, its modules two levels deep, and what the authors state.

    Args:
        folder: Made if missing; the study's own is `results/models`.
        name: The network in the registry.
        num_classes: That `cost` was counted for.
        cost: What `complexity` returned.
        **options: The network's options that differ from its defaults.

    Returns:
        The file.
    """
    reference = get_reference(name)
    record = asdict(cost) | {"modules": [asdict(one) for one in cost.modules_to_depth(2)]}
    record = {
        "schema_version": SCHEMA_VERSION,
        "name": name,
        "options": options,
        "num_classes": num_classes,
        **record,
        "reference": {
            "paper": reference.paper,
            "params": reference.parameters,
            "macs": reference.macs,
            "input_size": reference.macs_input_size,
            "num_classes": reference.num_classes,
            "scores": dict(reference.scores),
            "reconstructed": reference.reconstructed,
            "gap": reference.gap,
        },
        "versions": {
            package: importlib.metadata.version(package) for package in ("seglab", "torch", "fvcore")
        },
    }
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    write_text(path, json.dumps(record, indent=1) + "\n")
    return path
