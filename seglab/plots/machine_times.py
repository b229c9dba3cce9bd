"""What a picture costs on two kinds of machine, beside what was counted."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from seglab.machines import GPU_CONDITIONS
from seglab.plots.style import SERIES, new_figure, style
from seglab.results import MissingResults, Results

_MARKERS = {
    "counted": ("#999999", "|"),
    "processor": (SERIES[0], "o"),
    "recorded": (SERIES[1], "s"),
    "one by one": (SERIES[2], "^"),
}


def machine_times(results: Results) -> Figure:
    """What to see: how far multiply-adds foretell the time of a picture, on a processor and on a large GPU.

    All are shares of what the network with the most multiply-adds takes. One by one: the processor starts the
    GPU's kernels, as PyTorch does. Recorded: all starts are one, a CUDA graph, which leaves the GPU's own
    time. Sizes differ between the machines, and on the GPU fp32 has its convolutions in TF32.
    """
    table, here, there = shares_of_largest(results)
    labels = {"counted": "multiply-adds", "processor": f"processor, {here}"}
    labels |= {way: f"{there}, {way}" for way in ("recorded", "one by one")}
    with style():
        figure = new_figure(170, 24 + 6 * len(table))
        axes = figure.subplots()
        places = range(len(table))
        axes.hlines(places, table.min(axis=1), table.max(axis=1), color="#dddddd", lw=1, zorder=0)
        for column, label in labels.items():
            color, marker = _MARKERS[column]
            wide = {"ms": 11, "mew": 2} if marker == "|" else {"ms": 5.5, "mec": "white", "mew": 0.6}
            axes.plot(table[column], places, marker, color=color, label=label, **wide)
        axes.set_yticks(places, table.index)
        axes.set_ylim(len(table) - 0.5, -0.5)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel(f"share of what {table.index[0]} takes (%)")
        axes.grid(axis="y", visible=False)
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def shares_of_largest(results: Results) -> tuple[pd.DataFrame, str, str]:
    """MACs and times in per cent of those of the network with the most MACs, which comes first.

    Of the GPU's times those under the file's first conditions.

    Returns:
        One row per network that was timed on both machines: `counted`, `processor`, `one by one` and
        `recorded`; and the conditions of the processor's times and of the GPU's, in words.

    Raises:
        MissingResults: If one of the times was not measured.
    """
    conditions = [name for name in GPU_CONDITIONS if name != "cuda_graphs"]
    timed, here = results.gpu_latency, results.latency
    first = timed[(timed[conditions] == timed[conditions].iloc[:1].squeeze()).all(axis=1)]
    ways = first.pivot(index="model", columns="cuda_graphs", values="median_ms")
    columns = {
        "counted": first.groupby("model")["macs"].first(),
        "processor": here.set_index("model")["median_ms"],
        "one by one": ways.get(False),
        "recorded": ways.get(True),
    }
    table = pd.DataFrame(columns).dropna().sort_values("counted", ascending=False)
    if table.empty:
        what = f"{results.root}: no network that was timed on a processor and, in both ways, on a GPU"
        raise MissingResults(what, "python benchmarks/gpu_latency.py --save")
    return 100 * table / table.iloc[0], _conditions(here), f"{first['device'].iloc[0]}, {_conditions(first)}"


def _conditions(table: pd.DataFrame) -> str:
    one = table.iloc[0]
    return f"{one['height']}x{one['width']}, {one['precision']}"
