"""The same predictions under the conventions of several systems."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from seglab import runs
from seglab.metrics.conventions import CONVENTIONS
from seglab.plots.style import look, new_figure, seeds_each, style
from seglab.results import MissingResults, Results


def conventions(results: Results) -> Figure:
    """What to see: how far apart the mean IoUs of one network are under the conventions of several systems.

    CamVid, test; a point is a network of the comparison, mean over its seeds; the line is its score by this
    study's convention.
    """
    table = convention_scores(results)
    ours = table.iloc[0]
    with style():
        figure = new_figure(170, 26 + 6.5 * len(table))
        axes = figure.subplots()
        for name in table.columns:
            color, marker = look(name)
            axes.axvline(ours[name], color=color, lw=0.6, ls=":")
            axes.plot(table[name], range(len(table)), marker, color=color, ms=5, label=name)
        systems = [CONVENTIONS[name].system for name in table.index]
        labels = [f"{name}\n{system}".strip() for name, system in zip(table.index, systems, strict=True)]
        axes.set_yticks(range(len(table)), labels, fontsize=6)
        axes.invert_yaxis()
        axes.set_xlabel(f"mean IoU on CamVid test (%), {seeds_each(results.comparison)}")
        figure.legend(loc="outside lower center", ncols=3)
    return figure


def convention_scores(results: Results) -> pd.DataFrame:
    """One row per convention and one column per network, in per cent; the best, middle and worst network.

    Conventions that count at another resolution need other predictions and are left out.

    Raises:
        MissingResults: If no run has the matrices of its single pictures.
    """
    found: dict[str, list[pd.Series]] = {}
    for row in results.comparison.itertuples():
        folder = runs.plain_record(row.folder, "test")
        if not runs.has_images(folder, "test"):
            continue
        counts = runs.read_images(folder, "test").counts
        used = {name: use.convention for name, use in CONVENTIONS.items() if use.resolution == 1}
        scores = {name: 100 * convention.score(counts) for name, convention in used.items()}
        found.setdefault(row.name, []).append(pd.Series(scores))
    if not found:
        how = "seglab evaluate RUN --split test"
        raise MissingResults(f"{results.root}: no run has matrices of single pictures", how)
    table = pd.DataFrame({name: pd.concat(seeds, axis=1).mean(axis=1) for name, seeds in found.items()})
    ranked = table.iloc[0].sort_values(ascending=False, kind="stable").index
    return table[list(dict.fromkeys((ranked[0], ranked[len(ranked) // 2], ranked[-1])))]
