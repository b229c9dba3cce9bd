"""What the phases of Mini-UNet's schedule each buy, over what they cost."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from seglab import runs
from seglab.plots.style import SERIES, new_figure, style
from seglab.results import Results

_DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))


def phases(results: Results) -> Figure:
    """What to see: whether freezing and small pictures at first pay, at equal cost.

    Soccer scenes; an epoch of pictures of half the size costs a quarter. The shading shows the phases of the
    full schedule, `recipe`. `unfrozen_fast` gives the encoder the rate that it has where nothing is frozen,
    `not_resized_half_batch` takes as many steps as `recipe`. `leak` and `interpolated_masks` are mistakes
    made on purpose: the validation pictures of the first were trained on.
    """
    table = results.study("soccer_phases", "seglab study-full")
    with style():
        figure = new_figure(170, 85)
        axes, ends = figure.subplots(1, 2, width_ratios=[5, 3])
        names = list(table.groupby("name")["scores.test.mean_iou"].mean().sort_values(ascending=False).index)
        for nth, name in enumerate(names):
            of_name = table[table["name"] == name].sort_values("seed")
            histories = [_costed(folder) for folder in of_name["folder"]]
            color, dash = SERIES[nth % len(SERIES)], _DASHES[nth % len(_DASHES)]
            scored = pd.concat(histories).dropna(subset="mean_iou").groupby("cost")["mean_iou"].mean()
            axes.plot(scored.index, 100 * scored, ls=dash, color=color, label=name)
            scores = 100 * of_name["scores.test.mean_iou"]
            ends.plot(scores, [nth] * len(scores), "o", color=color, ms=4)
            ends.plot(scores.mean(), nth, "|", color="black", ms=12)
            if name == "recipe":
                _shade(axes, histories[0])
        axes.set(xlabel="pixels seen, in epochs of full-size pictures", ylabel="mean IoU (%)", xlim=(0, None))
        axes.set_title("validation, mean over the seeds", loc="left")
        ends.set_title("test, each seed", loc="left")
        ends.set(xlabel="mean IoU (%)", ylim=(len(names) - 0.5, -0.5))
        ends.set_yticks(range(len(names)), names)
        ends.margins(x=0.15)
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def _costed(folder: str) -> pd.DataFrame:
    """The history with what it cost so far; minutes would depend on what else the machine did."""
    history, experiment = runs.read_history(folder), runs.read_experiment(folder)
    height, width = experiment.data.input_size
    costs = {one.name: one.input_size[0] * one.input_size[1] / (height * width) for one in experiment.plan}
    return history.assign(cost=history["phase"].map(costs).fillna(1.0).cumsum())


def _shade(axes, history: pd.DataFrame) -> None:
    """Shades every second phase and writes the names of all at the top."""
    ends = history.groupby("phase", sort=False)["cost"].max()
    start = 0.0
    for nth, (phase, end) in enumerate(ends.items()):
        if nth % 2:
            axes.axvspan(start, end, color="#eeeeee", lw=0, zorder=0)
        axes.text(
            (start + end) / 2, 0.98, phase, ha="center", va="top", fontsize=6.5,
            transform=axes.get_xaxis_transform(),
        )
        start = end
