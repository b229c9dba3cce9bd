"""IoU of each class for each network, as a map."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from seglab.plots.style import new_figure, seeds_each, style
from seglab.results import Results, class_scores


def class_heat_map(results: Results) -> Figure:
    """What to see: columns that stay dark are hard for every network, single cells are one network's own.

    CamVid, test; mean over the seeds; the best network is at the top.
    """
    scores, classes = class_scores(results.comparison, "test")
    percent = 100 * scores.to_numpy()
    order = np.argsort(-np.nan_to_num(np.nanmean(percent, 0)), kind="stable")
    percent = np.column_stack([percent[:, order], np.nanmean(percent, 1)])
    with style():
        figure = new_figure(170, 32 + 5 * len(scores))
        axes = figure.subplots()
        picture = axes.imshow(percent, cmap="cividis", vmin=0, vmax=100, aspect="auto")
        for (y, x), value in np.ndenumerate(percent):
            text, color = "-" if np.isnan(value) else f"{value:.0f}", "black" if value > 55 else "white"
            axes.text(x, y, text, ha="center", va="center", fontsize=6.5, color=color)
        axes.axvline(len(order) - 0.5, color="white", lw=2)
        names = [*(classes[k] for k in order), "mean"]
        axes.set_xticks(range(len(names)), names, rotation=40, ha="right")
        axes.set_yticks(range(len(scores)), scores.index)
        axes.grid(visible=False)
        # As a title, because a label of the bar is longer than few rows.
        axes.set_title(f"IoU on CamVid test (%), {seeds_each(results.comparison)}", loc="left")
        figure.colorbar(picture, ax=axes, pad=0.01)
    return figure
