"""Why a class has few pixels: because few pictures hold it, or because it is small where it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from seglab.plots.style import SERIES, new_figure, style
from seglab.results import MissingResults, Results


def rare_or_small(results: Results, names: Sequence[str]) -> Figure:
    """What to see: the longer a bar, the rarer the class's pixels, and its two parts say why.

    A class's share of the pixels is the share of the pictures that hold it times its share of these; on a
    logarithmic axis the two lie end to end.

    Args:
        results: With the counted data sets.
        names: Data sets, whose training splits are shown side by side.

    Raises:
        MissingResults: If one was not counted.
    """
    missing = [name for name in names if name not in results.datasets]
    if missing:
        raise MissingResults(f"not counted: {', '.join(missing)}", "seglab data statistics NAME")
    sets = [results.datasets[name] for name in names]
    with style():
        figure = new_figure(170, 24 + 4.2 * max(len(one["classes"]) for one in sets))
        for axes, name, one in zip(figure.subplots(1, len(sets), squeeze=False)[0], names, sets, strict=True):
            counts = one["splits"]["train"]
            pixels = 100 * np.array(counts["pixels"]) / sum(counts["pixels"])
            images = 100 * np.array(counts["images"]) / counts["num_images"]
            order = [k for k in np.argsort(-pixels, kind="stable") if pixels[k]]
            places, pixels, images = range(len(order)), pixels[order], images[order]
            axes.barh(places, images - 100, left=100, color=SERIES[0], label="few pictures hold it")
            axes.barh(places, pixels - images, left=images, color=SERIES[1], label="it is small there")
            axes.set_xscale("log")
            axes.set(xlim=(100, pixels.min() / 2), xlabel="share of the labelled pixels (%)")
            axes.set_title(name, loc="left")
            axes.xaxis.set_major_formatter("{x:g}")
            axes.set_yticks(places, [one["classes"][k] for k in order])
            axes.invert_yaxis()
            axes.grid(axis="y", visible=False)
        figure.legend(*axes.get_legend_handles_labels(), ncols=2, loc="outside lower center")
    return figure
