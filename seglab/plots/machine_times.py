"""What a picture costs on two kinds of machine, beside what was counted."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from seglab.plots.style import SERIES, new_figure, style
from seglab.results import Results

_MARKERS = {
    "counted": ("#999999", "|"),
    "processor": (SERIES[0], "o"),
    "recorded": (SERIES[1], "s"),
    "one by one": (SERIES[2], "^"),
}
_CONDITIONS = ["height", "width", "precision", "memory_format"]


def machine_times(results: Results) -> Figure:
    """What to see: how far multiply-adds foretell the time, on a processor and on a large GPU.

    Everything is a share of what the dearest network takes, one picture at a time. On the processor a picture
    has 180x240 pixels, as in the comparison. The GPU's kernels are started one by one, as a program in
    PyTorch does, or recorded and replayed, which leaves the GPU's own time.
    """
    table, size = shares_of_largest(results)
    gpu = results.gpu_latency.iloc[0]
    labels = {
        "counted": "multiply-adds",
        "processor": "time, processor",
        "recorded": f"time, {gpu['device']}, {size}, recorded",
        "one by one": f"time, {gpu['device']}, {size}, one by one",
    }
    with style():
        figure = new_figure(170, 24 + 6 * len(table))
        axes = figure.subplots()
        places = range(len(table))
        axes.hlines(places, table.min(axis=1), table.max(axis=1), color="#dddddd", lw=1, zorder=0)
        for column, label in labels.items():
            color, marker = _MARKERS[column]
            wide = {"ms": 11, "mew": 2} if marker == "|" else {"ms": 5}
            axes.plot(table[column], places, marker, color=color, label=label, **wide)
        axes.set_yticks(places, table.index)
        axes.set_ylim(len(table) - 0.5, -0.5)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g} %"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel(f"share of {table.index[0]}")
        axes.grid(axis="y", visible=False)
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def shares_of_largest(results: Results) -> tuple[pd.DataFrame, str]:
    """MACs and times in per cent of those of the network with the most MACs, which comes first.

    Returns:
        One row per network that was timed on both machines: `counted`, `processor`, `one by one` and
        `recorded`; and the size of the GPU's pictures, `HEIGHTxWIDTH`.

    Raises:
        MissingResults: If one of the times was not measured.
    """
    timed = results.gpu_latency
    # The file's first size and format; each way was measured under both.
    first = timed[(timed[_CONDITIONS] == timed.iloc[0][_CONDITIONS]).all(axis=1)]
    ways = first.pivot(index="model", columns="cuda_graphs", values="median_ms")
    columns = {
        "counted": first.groupby("model")["macs"].first(),
        "processor": results.latency.set_index("model")["median_ms"],
        "one by one": ways[False],
        "recorded": ways[True],
    }
    table = pd.DataFrame(columns).dropna().sort_values("counted", ascending=False)
    return 100 * table / table.iloc[0], "x".join(str(first.iloc[0][side]) for side in ("height", "width"))


