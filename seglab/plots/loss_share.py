"""Which classes a weighted loss listens to."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from seglab.metrics.weights import METHODS, frequency_weights
from seglab.plots.style import new_figure, style, two_digits
from seglab.results import Results


def loss_share(results: Results) -> Figure:
    """What to see: which classes an unweighted loss listens to, and how far each weighting evens that out.

    A cell is a class's weight times its pixels, as a share of the sum: its share of the loss if all pixels
    were equally wrong.
    """
    sets = {name: one for name, one in results.datasets.items() if "train" in one["splits"]}
    with style():
        figure = new_figure(170, len(sets) * (30 + 4.2 * len(METHODS)))
        grid = figure.subplots(len(sets), 1, squeeze=False)
        for axes, (name, one) in zip(grid[:, 0], sets.items(), strict=True):
            shares = loss_shares(one["splits"]["train"])
            order = np.argsort(-shares["none"], kind="stable")
            percent = 100 * np.stack([share[order] for share in shares.values()])
            axes.imshow(percent, cmap="Greys", vmin=0, vmax=90, aspect="auto")
            for (y, x), value in np.ndenumerate(percent):
                color = "white" if value > 45 else "black"
                axes.text(x, y, two_digits(value), ha="center", va="center", fontsize=6, color=color)
            axes.set_yticks(range(len(shares)), list(shares))
            axes.set_xticks(range(len(order)), [one["classes"][k] for k in order], rotation=40, ha="right")
            axes.set_title(f"{name}, train: share of the loss (%) by weighting", loc="left")
            axes.grid(visible=False)
    return figure


def loss_shares(counts: dict) -> dict[str, np.ndarray]:
    """Share of the loss of each class, float64 (K,), by method of weighting; `none` first.

    Args:
        counts: Of a split, as in `Results.datasets`: `pixels`, `images`, `ignored`.
    """
    pixels, images = np.array(counts["pixels"], float), np.array(counts["images"])
    loads = {"none": pixels}
    loads |= {name: pixels * frequency_weights(name, pixels, images, counts["ignored"]) for name in METHODS}
    return {name: load / load.sum() for name, load in loads.items()}
