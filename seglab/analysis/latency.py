"""How long networks take, measured side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import pandas as pd
import torch

from seglab.errors import ConfigError
from seglab.evaluation.execution import Execution
from seglab.models import SegmentationModel
from seglab.runs import processor


def latency(
    models: Mapping[str, SegmentationModel],
    input_size: tuple[int, int],
    execution: Execution,
    *,
    batch: int = 1,
    repeats: int = 20,
    warmup: int = 3,
    cuda_graphs: bool = False,
) -> pd.DataFrame:
    """Times the forward passes of several networks, taking turns.

    In turns, because a machine becomes faster and slower while one measures: so it does to all alike.

    Args:
        models: By name; put into eval mode, onto the device and into the memory format, and left there.
        input_size: Height and width in pixels, at least 32 each.
        execution: Device, precision and memory format.
        batch: Images per forward pass.
        repeats: Measurements of each network, at least 1.
        warmup: Forward passes of each network before them, which are not counted.
        cuda_graphs: On CUDA, record the forward pass once and time how long replaying it takes: what is left
            is the GPU's own time, without that of starting its kernels one by one.

    Returns:
        One row per network: `model`, `median_ms` and `p95_ms` of a forward pass, and what they were measured
        under: `device`, `threads`, `precision`, `memory_format`, `cuda_graphs`, `batch`, `repeats`.

    Raises:
        ConfigError: If CUDA graphs are asked for on a processor.
    """
    is_cpu = execution.device.type == "cpu"
    if cuda_graphs and is_cpu:
        raise ConfigError("cuda_graphs: got true for a processor; allowed is false, or a CUDA device")
    image = execution.noise(batch, input_size)
    passes: dict[str, Callable[[], object]] = {}
    for name, model in models.items():
        one = partial(_forward, execution.place(model.eval()), image, execution)
        passes[name] = _recorded(one, execution) if cuda_graphs else one
    seconds: dict[str, list[float]] = {name: [] for name in passes}
    for _ in range(warmup + repeats):
        for name, one in passes.items():
            execution.synchronize()
            started = time.perf_counter()
            one()
            execution.synchronize()
            seconds[name].append(time.perf_counter() - started)
    conditions = {
        "device": processor() if is_cpu else torch.cuda.get_device_name(execution.device),
        "threads": torch.get_num_threads(),
        "precision": execution.precision,
        "memory_format": execution.memory_format,
        "cuda_graphs": cuda_graphs,
        "batch": batch,
        "repeats": repeats,
    }
    rows = []
    for name, measured in seconds.items():
        median, p95 = 1000 * np.quantile(measured[warmup:], (0.5, 0.95))
        rows.append({"model": name, "median_ms": median, "p95_ms": p95, **conditions})
    return pd.DataFrame(rows)


@torch.inference_mode()
def _forward(model: SegmentationModel, image: torch.Tensor, execution: Execution) -> None:
    # In a graph a converted weight may not outlive its pass, and without one it does not.
    with execution.autocast(cache_enabled=False):
        model(image)


def _recorded(one: Callable[[], object], execution: Execution) -> Callable[[], object]:
    """The same pass as a CUDA graph; it has run a few times before, as recording demands."""
    with torch.cuda.device(execution.device):  # graphs are recorded on the current device
        beside = torch.cuda.Stream()
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            for _ in range(3):
                one()
        torch.cuda.current_stream().wait_stream(beside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            one()
    return graph.replay
