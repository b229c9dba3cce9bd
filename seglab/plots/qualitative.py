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

_WIDTH_MM = 170
# Around and between the pictures of a block, in millimetres.
_LEFT_MM, _TOP_MM, _BELOW_MM, _GAP_MM = 9, 12.5, 4, 3.4
_LEGEND_LINE_MM, _LEGEND_COLUMNS = 4, 7
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
        model = row.model.replace("_small", "\n_small")  # longer than a row is high
        groups.setdefault(key, {})[f"{model}\n{name}"] = kept
    spaces = [LABEL_SPACES[space] for _, _, space, _ in groups]
    with style():
        blocks = [_Block(networks, labels) for networks, labels in zip(groups.values(), spaces, strict=True)]
        heights = [block.height_mm for block in blocks]
        figure = new_figure(_WIDTH_MM, sum(heights))
        # Places are computed here: a solver's last bits, and with them an SVG's, change with what was drawn
        # before.
        figure.set_layout_engine("none")
        parts = figure.subfigures(len(blocks), 1, squeeze=False, height_ratios=heights)[:, 0]
        for part, block, (data, split, *_) in zip(parts, blocks, groups, strict=True):
            block.draw(part)
            part.text(0.005, 1 - 3 / block.height_mm, f"{data}, {split}", fontsize=9, va="top")
    return figure


class _Block:
    """The pictures of a data set: a column for each, and below picture and truth two rows for each network.

    Args:
        networks: The same pictures as each network sees them, by what is written beside its row.
        labels: Of the data set.
    """

    def __init__(self, networks: Mapping[str, list[Sample]], labels: LabelSpace) -> None:
        self.networks, self.labels = networks, labels
        self.first = next(iter(networks.values()))
        self.legend = _legend([one for kept in networks.values() for one in kept], labels)
        height, width = self.first[0].mask.shape
        columns = len(self.first)
        self.column_mm = (_WIDTH_MM - _LEFT_MM - 1 - (columns - 1) * _GAP_MM / 2) / columns
        self.row_mm = self.column_mm * height / width
        self.legend_mm = _LEGEND_LINE_MM * -(-len(self.legend) // _LEGEND_COLUMNS) + 2

    @property
    def height_mm(self) -> float:
        """What the block needs on a page, with pictures as wide as they can be."""
        rows = 2 + 2 * len(self.networks)
        return _TOP_MM + rows * self.row_mm + (rows - 1) * _GAP_MM + _BELOW_MM + self.legend_mm

    def draw(self, part: SubFigure) -> None:
        """Draws into a part of a figure that has the block's size."""
        rows = [
            [one.image for one in self.first],
            [render.colorize(one.mask, self.labels) for one in self.first],
        ]
        for kept in self.networks.values():
            rows.append([render.colorize(one.prediction, self.labels) for one in kept])
            rows.append([render.error_map(one.prediction, one.mask) for one in kept])
        names = [sample.name for sample in self.first]
        shown = [dict(zip(names, map(_shrunk, row), strict=True)) for row in rows]
        titles = ["picture", "truth", *(title for name in self.networks for title in (name, "errors"))]
        grid = draw_pictures(
            part, shown, titles,
            {
                "left": _LEFT_MM / _WIDTH_MM, "right": 1 - 1 / _WIDTH_MM, "top": 1 - _TOP_MM / self.height_mm,
                "bottom": (_BELOW_MM + self.legend_mm) / self.height_mm,
                "wspace": _GAP_MM / 2 / self.column_mm, "hspace": _GAP_MM / self.row_mm,
            },
        )  # fmt: skip
        for kept, axes in zip(self.networks.values(), grid[3::2], strict=True):
            for sample, one in zip(kept, axes, strict=True):
                scored = sample.mask != IGNORE_INDEX
                wrong = (sample.prediction != sample.mask)[scored]
                share = f"{100 * wrong.mean():.1f} % wrong" if wrong.size else "-"
                one.set_xlabel(share, fontsize=6.5, labelpad=1.5)
        part.align_ylabels(grid[:, 0])
        part.legend(
            handles=self.legend, ncols=_LEGEND_COLUMNS, loc="lower center", handlelength=1.2,
            handleheight=1.2,
        )  # fmt: skip


def _legend(seen: list[Sample], labels: LabelSpace) -> list[Patch]:
    """The classes that are to be seen, and the colours of the errors."""
    ids = np.unique(np.concatenate([np.ravel((one.mask, one.prediction)) for one in seen]))
    classes = [patch(labels.classes[k], labels.colors[k]) for k in ids if k != IGNORE_INDEX]
    errors = {"right": render.RIGHT, "wrong": render.WRONG, "not scored": render.VOID}
    return classes + [patch(*one) for one in errors.items()]


def _shrunk(image: np.ndarray) -> np.ndarray:
    factor = -(-max(image.shape) // _LARGEST_PX)
    return np.asarray(Image.fromarray(image).reduce(factor))
