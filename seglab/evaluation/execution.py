"""Where and in which number format a network runs: device, precision, memory format.

Networks hold no device code; whoever runs one does it through an `Execution`. `auto` is resolved by
measurement, because no rule holds: which format is the fastest depends on the layers of a network, on the
processor and on the release of torch.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from seglab import models
from seglab.config import DataConfig, ModelConfig, TrainingConfig
from seglab.datasets.locations import cache_root
from seglab.errors import ConfigError
from seglab.runs import processor, write_text

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
# Turns of each candidate in a measurement: few for a network whose steps take long.
_LEAST_TURNS, _MOST_TURNS, _PATIENCE_S = 2, 5, 20.0


@dataclass(frozen=True)
class Execution:
    """How a network is run.

    Args:
        device: Device of weights and activations.
        precision: `fp32`, or `bf16` and `fp16` for autocast of the forward pass; weights stay float32.
        memory_format: `contiguous` (NCHW) or `channels_last` (NHWC) activations.
    """

    device: torch.device
    precision: str = "fp32"
    memory_format: str = "contiguous"

    def place(self, model: nn.Module) -> nn.Module:
        """Moves a network to the device and into the memory format."""
        return model.to(self.device, memory_format=_FORMATS[self.memory_format])

    def image(self, image: Tensor, data: DataConfig) -> Tensor:
        """Brings uint8 (N,3,H,W) RGB to the device and normalises it there, float32 (N,3,H,W)."""
        image = image.to(self.device, non_blocking=True)
        image = image.to(torch.float32, memory_format=_FORMATS[self.memory_format])
        mean = image.new_tensor(data.mean).mul_(255).view(1, 3, 1, 1)
        scale = image.new_tensor(data.std).mul_(255).reciprocal_().view(1, 3, 1, 1)
        return image.sub_(mean).mul_(scale)

    def noise(self, number: int, size: tuple[int, int]) -> Tensor:
        """The same normal noise at every call, float32 (number,3,H,W), on the device and in the layout."""
        noise = torch.randn(number, 3, *size, generator=torch.Generator().manual_seed(0))
        return noise.to(self.device, memory_format=_FORMATS[self.memory_format])

    def synchronize(self) -> None:
        """Waits for what was started: a GPU works on after a call returns."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def autocast(self, cache_enabled: bool = True) -> contextlib.AbstractContextManager:
        """The context for a forward pass in this precision.

        Args:
            cache_enabled: Whether a weight that is used twice is converted once; not so in a CUDA graph.
        """
        enabled = self.precision != "fp32"
        return torch.autocast(self.device.type, _DTYPES[self.precision], enabled, cache_enabled)

    def describe(self) -> str:
        """For people: `cpu, bf16, contiguous`."""
        return f"{self.device}, {self.precision}, {self.memory_format}"


def resolve_device(name: str, local_rank: int = 0) -> torch.device:
    """Turns `auto`, `cpu` or `cuda` into a device.

    Raises:
        ConfigError: If CUDA is asked for and there is none.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("training.device: got 'cuda', but torch sees no such device; allowed: auto, cpu")
    return torch.device("cuda", local_rank) if name == "cuda" else torch.device("cpu")


def choose_execution(
    device: torch.device,
    training: TrainingConfig,
    model: ModelConfig,
    shape: tuple[int, int, int],
    step: Callable[[Execution], None],
    say: Callable[[str], None] = lambda text: None,
) -> Execution:
    """Resolves precision and memory format, timing one training step of each candidate where asked to.

    The choice is kept in the cache folder, by processor, thread count, torch version, code of the networks,
    network and shape: the same run on the same machine gets the same number format, and thereby the same
    weights, and what a new release computes in another way is measured anew.

    Args:
        device: Where the network runs.
        training: Holds the wished precision and memory format, `auto` or a name.
        model: The network, part of the cache key.
        shape: Pictures per step, height and width, part of the cache key.
        step: Runs one complete training step, on a copy of the network, under a given execution; called in
            turns with each of the candidates.
        say: Told what was measured.

    Raises:
        ConfigError: If fp16 is asked for on the CPU, which computes it hundreds of times slower.
    """
    check_precision(training.precision, device)
    precisions = _precisions(device) if training.precision == "auto" else [training.precision]
    formats = list(_FORMATS) if training.memory_format == "auto" else [training.memory_format]
    candidates = [Execution(device, p, f) for p in precisions for f in formats]
    if len(candidates) == 1:
        return candidates[0]

    name = torch.cuda.get_device_name(device) if device.type == "cuda" else processor()
    machine = [name, torch.get_num_threads(), torch.__version__, _code_of_networks()]
    step_kind = [training.deterministic, training.cuda_graphs, training.accumulation]
    key = json.dumps([*machine, *step_kind, model.name, model.options, shape, precisions, formats])
    path = cache_root() / "execution.json"
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    if key not in known:
        seconds = _time_steps(step, candidates)
        # A later candidate must be clearly faster, so that noise does not decide between equals.
        best = candidates[0]
        for candidate in candidates[1:]:
            if seconds[candidate] < 0.95 * seconds[best]:
                best = candidate
        for candidate in candidates:
            mark = "  <- chosen" if candidate is best else ""
            say(f"{candidate.describe()}: {shape[0] / seconds[candidate]:.1f} images/s{mark}")
        known[key] = [best.precision, best.memory_format]
        with contextlib.suppress(OSError):  # without a writable cache folder it is measured each time
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, json.dumps(known, indent=1) + "\n")
    return Execution(device, *known[key])


def check_precision(precision: str, device: torch.device) -> None:
    """Refuses a number format that a device does not compute at a bearable speed.

    Raises:
        ConfigError: For fp16 on the CPU.
    """
    if precision == "fp16" and device.type == "cpu":
        raise ConfigError("training.precision: got 'fp16' on the CPU; allowed are auto, fp32 and bf16")


def _code_of_networks() -> str:
    """A digest of the sources of `seglab.models`."""
    sources = sorted(Path(models.__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]


def _precisions(device: torch.device) -> list[str]:
    """The number formats worth trying: bf16 only where the processor computes it."""
    if device.type == "cuda":
        return ["bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16", "fp32"]
    capabilities = torch.cpu.get_capabilities()
    has_bf16 = any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16", "arm_bf16"))
    return ["bf16", "fp32"] if has_bf16 else ["fp32"]


def _time_steps(step: Callable[[Execution], None], candidates: list[Execution]) -> dict[Execution, float]:
    """Seconds of one step of each candidate, the fastest of several.

    They take turns, so that a machine which is busy for a while slows all of them alike. Each turn begins
    with a step that is not timed: it moves the network into the format.
    """
    seconds = {candidate: math.inf for candidate in candidates}
    started = time.perf_counter()
    for turn in range(_MOST_TURNS):
        if turn >= _LEAST_TURNS and time.perf_counter() - started > _PATIENCE_S:
            break
        for candidate in candidates:
            step(candidate)
            candidate.synchronize()
            before = time.perf_counter()
            step(candidate)
            candidate.synchronize()
            seconds[candidate] = min(seconds[candidate], time.perf_counter() - before)
    return seconds
