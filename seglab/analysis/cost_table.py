"""All networks of the study in one table."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import torch

from seglab.analysis.complexity import model_complexity, write_complexity
from seglab.analysis.structure import stream_table
from seglab.models import create_model, list_models
from seglab.models.hrnet import HRNet
from seglab.models.minihrnet import MiniHRNet
from seglab.runs import write_text

NUM_CLASSES = 19


def cost_table(input_size: tuple[int, int] | None = None, folder: Path | None = None) -> pd.DataFrame:
    """What every network of the registry costs, with its default options and 19 classes.

    Args:
        input_size: Height and width for which multiply-adds are counted; None leaves them out.
        folder: Where to write `<name>.json` of each network, and `streams.csv` of those with parallel
            streams; None, as it must be without an input size, writes nothing.

    Returns:
        One row per network: `model` and `parameters`; with an input size also `GMACs`, and `activations
        (MiB)` that autograd keeps of one image.
    """
    rows = []
    for name in list_models():
        row: dict[str, object] = {"model": name}
        if input_size is None:
            with torch.device("meta"):
                model = create_model(name, NUM_CLASSES)
            row["parameters"] = f"{sum(p.numel() for p in model.parameters()):,}"
        else:
            cost = model_complexity(name, NUM_CLASSES, input_size)
            if folder is not None:
                write_complexity(folder, name, NUM_CLASSES, cost)
            row["parameters"] = f"{cost.params:,}"
            row["GMACs"] = f"{cost.macs / 1e9:.2f}"
            row["activations (MiB)"] = f"{cost.activation_bytes / 2**20:.0f}"
        rows.append(row)
    if folder is not None:
        _write_streams(folder)
    return pd.DataFrame(rows)


def _write_streams(folder: Path) -> None:
    tables = []
    for name in list_models():
        with torch.device("meta"):
            model = create_model(name, NUM_CLASSES)
        if isinstance(model, HRNet | MiniHRNet):
            tables.append(stream_table(model).assign(network=name))
    if tables:
        write_text(folder / "streams.csv", pd.concat(tables).to_csv(index=False))
