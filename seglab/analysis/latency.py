"""How long networks take, measured side by side."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch

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

    Returns:
        One row per network: `model`, `median_ms` and `p95_ms` of a forward pass, and what they were measured
        under: `device`, `threads`, `precision`, `memory_format`, `batch`, `repeats`.
    """
    image = execution.noise(batch, input_size)
    placed = {name: execution.place(model.eval()) for name, model in models.items()}
    seconds: dict[str, list[float]] = {name: [] for name in placed}
    for _ in range(warmup + repeats):
        for name, model in placed.items():
            seconds[name].append(_forward_s(model, image, execution))
    is_cpu = execution.device.type == "cpu"
    conditions = {
        "device": processor() if is_cpu else torch.cuda.get_device_name(execution.device),
        "threads": torch.get_num_threads(),
        "precision": execution.precision,
        "memory_format": execution.memory_format,
        "batch": batch,
        "repeats": repeats,
    }
    rows = []
    for name, measured in seconds.items():
        median, p95 = 1000 * np.quantile(measured[warmup:], (0.5, 0.95))
        rows.append({"model": name, "median_ms": median, "p95_ms": p95, **conditions})
    return pd.DataFrame(rows)


@torch.inference_mode()
def _forward_s(model: SegmentationModel, image: torch.Tensor, execution: Execution) -> float:
    execution.synchronize()
    started = time.perf_counter()
    with execution.autocast():
        model(image)
    execution.synchronize()
    return time.perf_counter() - started
