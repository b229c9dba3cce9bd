"""What networks make of a few pictures."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Patch
from PIL import Image

from seglab import render, samples
from seglab.labels import IGNORE_INDEX, LABEL_SPACES, LabelSpace
from seglab.plots.pictures import draw_pictures, patch
from seglab.plots.style import new_figure, style
from seglab.results import Results
from seglab.samples import Sample

_WIDTH_MM, _LABELS_MM, _LEGEND_LINE_MM = 170, 10, 4
_LEGEND_COLUMNS = 7
_LARGEST_PX = 256  # of a picture's longer side: enough for print, and an SVG holds all pixels


def qualitative(results: Results) -> Figure:
    """What to see: what the networks find, what they miss, and that their errors follow the edges of things.

    Painted scenes, spread evenly over a split and picked by nobody; one block for each data set and one
    prediction, with its errors and the share of wrong pixels, for each run that keeps samples of it.
    """
    groups: dict[tuple, dict[str, list[Sample]]] = {}
    for row in results.with_samples.itertuples():
        kept, labels = samples.read(row.folder, row.split)
        key = row.data, row.split, labels.name, tuple(sample.name for sample in kept)
        name = f"seed {row.seed}" if row.name == row.model else f"{row.name}, seed {row.seed}"
        groups.setdefault(key, {})[f"{row.model}\n{name}"] = kept
    with style():
        heights = [_height_mm(networks, LABEL_SPACES[key[2]]) for key, networks in groups.items()]
        figure = new_figure(_WIDTH_MM, sum(heights))
        parts = figure.subfigures(len(groups), 1, squeeze=False, height_ratios=heights)[:, 0]
        for part, ((data, split, space, _), networks) in zip(parts, groups.items(), strict=True):
            _draw(part, networks, LABEL_SPACES[space])
            part.suptitle(f"{data}, {split}", fontsize=9, x=0.01, ha="left")
    return figure


def _draw(part: SubFigure, networks: Mapping[str, list[Sample]], labels: LabelSpace) -> None:
    """Draws the block of a data set: a column for each picture, and two rows for each network."""
    first = next(iter(networks.values()))
    rows = [[sample.image for sample in first], [render.colorize(sample.mask, labels) for sample in first]]
    for kept in networks.values():
        rows.append([render.colorize(sample.prediction, labels) for sample in kept])
        rows.append([render.error_map(sample.prediction, sample.mask) for sample in kept])
    names = [sample.name for sample in first]
    shown = [dict(zip(names, map(_shrunk, row), strict=True)) for row in rows]
    titles = ["picture", "truth", *(title for name in networks for title in (name, "errors"))]
    grid = draw_pictures(part, shown, titles)
    for kept, axes in zip(networks.values(), grid[3::2], strict=True):
        for sample, one in zip(kept, axes, strict=True):
            scored = sample.mask != IGNORE_INDEX
            wrong = (sample.prediction != sample.mask)[scored].mean()
            one.set_xlabel(f"{100 * wrong:.1f} % wrong", fontsize=6.5, labelpad=2)
    part.legend(
        handles=_legend(networks, labels), ncols=_LEGEND_COLUMNS, loc="outside lower center",
        handlelength=1.2, handleheight=1.2,
    )  # fmt: skip


def _legend(networks: Mapping[str, list[Sample]], labels: LabelSpace) -> list[Patch]:
    """The classes that are to be seen, and the colours of the errors."""
    kept = [sample for samples_of in networks.values() for sample in samples_of]
    seen = np.unique(np.concatenate([np.ravel((one.mask, one.prediction)) for one in kept]))
    classes = [patch(labels.classes[k], labels.colors[k]) for k in seen if k != IGNORE_INDEX]
    errors = {"right": render.RIGHT, "wrong": render.WRONG, "not scored": render.VOID}
    return classes + [patch(*one) for one in errors.items()]


def _height_mm(networks: Mapping[str, list[Sample]], labels: LabelSpace) -> float:
    """What a block needs, with pictures as large as the page's width allows."""
    first = next(iter(networks.values()))
    height, width = first[0].mask.shape
    cell_mm = (_WIDTH_MM - _LABELS_MM) / len(first) * height / width + 1.5
    lines = -(-len(_legend(networks, labels)) // _LEGEND_COLUMNS)
    return (2 + 2 * len(networks)) * cell_mm + 3.5 * len(networks) + 12 + _LEGEND_LINE_MM * lines


def _shrunk(image: np.ndarray) -> np.ndarray:
    factor = -(-max(image.shape) // _LARGEST_PX)
    return np.asarray(Image.fromarray(image).reduce(factor))
