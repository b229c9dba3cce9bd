"""Milliseconds that a GPU takes for one picture: every network of the comparison, side by side.

In two ways: `cuda_graphs` False starts the kernels one after the other, as PyTorch does; True replays a
recording of them, which leaves the GPU's own time. cuDNN chooses its kernels by timing them. `fp32` means
what torch makes of it: convolutions in TF32. `bf16` is autocast, which converts every weight for every
picture.

The stored file has what was measured before the time on that GPU ended: the first size, the first two
formats, and of each the medians alone.

    python benchmarks/gpu_latency.py [--save]
"""

import argparse
import platform
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import torch

from seglab import comparison, runs
from seglab.analysis.complexity import model_complexity
from seglab.analysis.latency import latency
from seglab.evaluation.execution import Execution, resolve_device
from seglab.labels import CITYSCAPES
from seglab.models import create_model

SIZES = ((512, 1024), (1024, 2048))
FORMATS = (("fp32", "contiguous"), ("bf16", "contiguous"), ("bf16", "channels_last"))
RESULT = Path(__file__).parents[1] / "results" / "benchmarks" / "gpu_latency.csv"


def measure() -> Iterator[pd.DataFrame]:
    """Measures size by size, format by format; yields all rows so far, as `latency` gives them."""
    device = resolve_device("cuda")
    torch.backends.cudnn.benchmark = True
    configs = {**comparison.NETWORKS, **comparison.LARGEST}
    configs = {name: c for name, c in configs.items() if not c.options.get("pretrained")}
    classes = CITYSCAPES.num_classes
    models = {name: create_model(c.name, classes, **c.options) for name, c in configs.items()}
    tables = []
    for height, width in SIZES:
        size = height, width
        macs = [model_complexity(c.name, classes, size, **c.options).macs for c in configs.values()]
        for form in FORMATS:
            execution = Execution(device, *form)
            for cuda_graphs in (False, True):
                table = latency(models, size, execution, warmup=5, cuda_graphs=cuda_graphs)
                shown = table.set_index("model")["median_ms"].round(2).to_dict()
                print(f"{height}x{width}, {execution.describe()}, graphs {cuda_graphs}: {shown}", flush=True)
                table = table.assign(macs=macs, height=height, width=width)
                tables.append(table.round({"median_ms": 2, "p95_ms": 2}))
                torch.cuda.empty_cache()
            yield pd.concat(tables).assign(torch=torch.__version__, python=platform.python_version())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--save", action="store_true", help=f"write {RESULT}")
    arguments = parser.parse_args()
    for table in measure():
        if arguments.save:
            RESULT.parent.mkdir(parents=True, exist_ok=True)
            runs.write_text(RESULT, table.to_csv(index=False))


if __name__ == "__main__":
    main()
