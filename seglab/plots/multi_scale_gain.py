"""What asking a network at several scales adds, class by class."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from seglab import metrics, runs
from seglab.plots.style import look, new_figure, style
from seglab.results import MissingResults, Results, most_scales


def multi_scale_gain(results: Results) -> Figure:
    """What to see: whether large things gain from small views and thin ones from large views.

    The difference in IoU between the evaluation with the most views and the plain one, mean over the seeds.
    """
    gains = gain_per_class(results)
    with style():
        figure = new_figure(170, 80)
        axes = figure.subplots()
        width = 0.8 / len(gains)
        for nth, (name, gain) in enumerate(gains.iterrows()):
            places = np.arange(len(gain)) + (nth - (len(gains) - 1) / 2) * width
            color, _ = look(name)
            hatch = ("", "///", "...", "xxx")[nth % 4]
            axes.bar(places, gain, width, color=color, edgecolor="white", hatch=hatch, lw=0.4, label=name)
        axes.axhline(0, color="#333333", lw=0.8)
        axes.set_xticks(range(len(gains.columns)), gains.columns, rotation=40, ha="right")
        axes.set_ylabel("gain in IoU on the test split (points)")
        axes.grid(axis="x", visible=False)
        figure.legend(loc="outside upper left", ncols=3)
    return figure


def gain_per_class(results: Results) -> pd.DataFrame:
    """One row per network and one column per class, and their mean: points of IoU gained by several scales.

    Raises:
        MissingResults: If no run on CamVid has an evaluation at several scales.
    """
    found: dict[str, list[np.ndarray]] = {}
    classes: tuple[str, ...] = ()
    for row in results.on_camvid.itertuples():
        if (folder := most_scales(row.folder)) is not None:
            plain, classes = runs.read_confusion(runs.plain_record(row.folder, "test"), "test")
            asked, _ = runs.read_confusion(folder, "test")
            found.setdefault(row.label, []).append(100 * (metrics.iou(asked) - metrics.iou(plain)))
    if not found:
        how = "seglab evaluate RUN --split test --multi-scale"
        raise MissingResults(f"{results.root}: no run was evaluated at several scales", how)
    table = pd.DataFrame({name: np.mean(gains, 0) for name, gains in found.items()}, index=classes).T
    return table.assign(mean=table.mean(axis=1))
