"""One look for all figures: sizes in millimetres, fonts, colours of methods."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

MM_PER_INCH = 25.4
# Okabe and Ito (2008): told apart by the colour-blind; ordered so that neighbours differ in lightness.
SERIES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")

# Colour and marker of each family of networks, told apart in grey by the marker.
_FAMILIES = {
    "minihrnet": ("#0072B2", "o"),
    "a3": ("#0072B2", "o"),
    "hrnet": ("#E69F00", "s"),
    "erfnet": ("#009E73", "^"),
    "segsmall": ("#D55E00", "D"),
    "miniunet": ("#CC79A7", "v"),
}
# Colours of the kinds of layers, as `analysis.layer_times` names them.
LAYER_KINDS = {
    "dense convolution": SERIES[0],
    "pointwise convolution": SERIES[2],
    "depthwise convolution": SERIES[1],
    "transposed convolution": SERIES[6],
    "normalisation": SERIES[3],
    "other": "#999999",
}
# The networks of the three projects, which some figures show in detail.
SUBJECTS = ("minihrnet_a3", "segsmall", "miniunet")

_RC = {
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.labelsize": 8,
    "legend.fontsize": 7,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "legend.frameon": False,
    "figure.dpi": 110,
    "savefig.dpi": 200,
    # Together these make the bytes of an SVG repeat.
    "svg.hashsalt": "seglab",
    "svg.fonttype": "none",
}


def look(name: str) -> tuple[str, str]:
    """Colour and marker of a network or run, by the family that its name begins with."""
    found = (value for family, value in _FAMILIES.items() if name.startswith(family))
    return next(found, ("#555555", "x"))


def two_digits(value: float) -> str:
    """A number to two digits, or to more where it is of 100 and above."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def seeds(table: pd.DataFrame) -> str:
    """How many runs a title speaks of: `3 seeds`."""
    return f"{len(table)} seed{'s' * (len(table) > 1)}"


def seeds_each(table: pd.DataFrame) -> str:
    """How many runs stand behind each name of a table: `1 seed each`, `1 to 3 seeds each`."""
    number = table.groupby("name").size()
    low, high = int(number.min()), int(number.max())
    return f"{low if low == high else f'{low} to {high}'} seed{'s' * (high > 1)} each"


@contextmanager
def style() -> Iterator[None]:
    """Draws in the study's style, whatever the surroundings have set."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_RC)
        yield


def new_figure(width_mm: float, height_mm: float) -> Figure:
    """An empty figure of a printed size, known to no window system."""
    return Figure(figsize=(width_mm / MM_PER_INCH, height_mm / MM_PER_INCH), layout="constrained")


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Writes `name.png` and `name.svg`, the same bytes each time."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.png", folder / f"{name}.svg"]
    with style():
        figure.savefig(paths[0], metadata={"Software": None})
        figure.savefig(paths[1], metadata={"Date": None, "Creator": None})
    return paths
