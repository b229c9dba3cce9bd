"""What one change to approach 3 does to its score."""

from __future__ import annotations

from matplotlib.figure import Figure

from seglab.differences import ablation_differences, comparison_spread
from seglab.plots.style import SERIES, new_figure, seeds, seeds_each, style
from seglab.results import Results


def ablation(results: Results) -> Figure:
    """What to see: a change whose bar crosses the line cannot be told from another seed.

    Which does not mean that it has no effect. CamVid, test; differences from the mean of approach 3. A bar is
    the 95 % interval by the spread of a seed, pooled over all networks of the comparison with several; where
    there are no bars yet, no difference can be told from chance.
    """
    changes = (100 * ablation_differences(results)).sort_values("value", ascending=False, kind="stable")
    table = results.ablations
    base = table["name"].iloc[0]
    own, others = table[table["name"] == base], table[table["name"] != base]
    with style():
        figure = new_figure(170, 30 + 6 * len(changes))
        axes = figure.subplots()
        axes.axvline(0, color="#333333", lw=1)
        places = range(len(changes))
        axes.hlines(places, changes["low"], changes["high"], color=SERIES[4], lw=3)
        of_gpu = others.groupby("name")["on_gpu"].any()[changes.index].tolist()
        for place, value, hollow in zip(places, changes["value"], of_gpu, strict=True):
            axes.plot(value, place, "o", color=SERIES[0], ms=5, mfc="white" if hollow else SERIES[0])
        for place, value in enumerate(changes["value"]):
            axes.annotate(
                f"{value:+.1f}", (value, place), xytext=(0, 6), textcoords="offset points", ha="center",
                fontsize=7, bbox={"facecolor": "white", "lw": 0, "pad": 0.5},
            )
        axes.set_yticks(places, changes.index)
        axes.set_ylim(len(changes) - 0.5, -0.8)
        axes.margins(x=0.1)
        axes.set_xlabel("difference in mean IoU on CamVid test (points)")
        axes.grid(axis="y", visible=False)
        spread = comparison_spread(results)
        title = f"0: {base}, mean of {seeds(own)}; changes: {seeds_each(others)}"
        title += "; hollow: trained on a GPU" if any(of_gpu) else ""
        axes.set_title(f"{title}\n{spread}" if spread else title, loc="left")
    return figure
