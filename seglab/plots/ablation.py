"""What one change to approach 3 does to its score."""

from __future__ import annotations

from matplotlib.figure import Figure

from seglab.plots.style import SERIES, new_figure, seeds, style
from seglab.results import Results


def ablation(results: Results) -> Figure:
    """What to see: changes whose point lies in the band are no more than another seed would do.

    CamVid, test; the line is the mean of approach 3 itself, where a bar starts; the band, where it has
    several seeds, reaches from the worst to the best. What lies outside may be chance as well: a fourth seed
    would fall outside the range of three every other time.
    """
    table = results.ablations
    base, others = table["name"].iloc[0], list(dict.fromkeys(table["name"]))[1:]
    column = "scores.test.mean_iou"
    of_base = 100 * table.loc[table["name"] == base, column]
    scores = {name: 100 * table.loc[table["name"] == name, column] for name in others}
    ordered = sorted(others, key=lambda name: -scores[name].mean())
    with style():
        figure = new_figure(170, 22 + 6 * len(ordered))
        axes = figure.subplots()
        axes.axvspan(of_base.min(), of_base.max(), color="#cccccc", lw=0, zorder=0)
        axes.axvline(of_base.mean(), color="#333333", lw=1)
        for y, name in enumerate(ordered):
            mean = scores[name].mean()
            axes.barh(y, mean - of_base.mean(), left=of_base.mean(), height=0.5, color=SERIES[4], lw=0)
            axes.plot(scores[name], [y] * len(scores[name]), "o", color=SERIES[0], ms=4)
            side = 1 if mean >= of_base.mean() else -1
            axes.annotate(
                f"{mean - of_base.mean():+.1f}", (mean, y), xytext=(6 * side, 0), textcoords="offset points",
                ha="left" if side > 0 else "right", va="center", fontsize=7,
            )
        axes.set_yticks(range(len(ordered)), ordered)
        axes.invert_yaxis()
        axes.use_sticky_edges = False  # else a bar's end is the edge of the figure
        axes.margins(x=0.15, y=0.05)
        axes.set_xlabel("mean IoU on CamVid test (%)")
        axes.grid(axis="y", visible=False)
        line = "line and band: {}, mean and range of {}" if len(of_base) > 1 else "line: {}, {}"
        axes.set_title(line.format(base, seeds(of_base)), loc="left")
    return figure
