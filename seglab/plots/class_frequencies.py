"""How often each class occurs in the training split of each data set."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from seglab.plots.class_iou import class_colors
from seglab.plots.style import new_figure, style, two_digits
from seglab.results import Results


def class_frequencies(results: Results) -> Figure:
    """What to see: how many powers of ten lie between the commonest and the rarest class.

    Bars are shares of the labelled pixels, on a logarithmic axis; diamonds are shares of the pictures.
    """
    sets = {name: one for name, one in results.datasets.items() if "train" in one["splits"]}
    with style():
        figure = new_figure(170, 62 * len(sets))
        grid = figure.subplots(len(sets), 1, squeeze=False)
        for axes, (name, one) in zip(grid[:, 0], sets.items(), strict=True):
            counts = one["splits"]["train"]
            pixels = 100 * np.array(counts["pixels"]) / sum(counts["pixels"])
            images = 100 * np.array(counts["images"]) / counts["num_images"]
            order = np.argsort(-pixels, kind="stable")
            classes = tuple(one["classes"])
            colors = [class_colors(classes)[k] for k in order]
            axes.bar(range(len(order)), pixels[order], color=colors, edgecolor="#333333", lw=0.5)
            axes.plot(range(len(order)), images[order], "D", color="#333333", ms=3)
            for x, k in enumerate(order):
                text = two_digits(pixels[k]) if pixels[k] else "none"
                axes.text(x, max(pixels[k], 0.01) * 0.85, text, ha="center", va="top", fontsize=6, bbox=_BOX)
            axes.set_yscale("log")
            axes.set_xticks(range(len(order)), [classes[k] for k in order], rotation=40, ha="right")
            axes.set(ylabel="share (%)", ylim=(0.005, 220), xlim=(-0.6, len(order) - 0.4))
            what = f"{name}, {counts['num_images']} training pictures"
            axes.set_title(f"{what}; bars: labelled pixels, diamonds: pictures", loc="left", fontsize=8)
            axes.grid(axis="x", visible=False)
    return figure


# Numbers stand on bars of any colour.
_BOX = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
