"""The figures of the study, each drawn from the table of runs and from nothing else. No torch here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from seglab import runs
from seglab.config import unknown
from seglab.errors import ConfigError, RunError
from seglab.plots.class_iou import class_iou
from seglab.plots.style import save
from seglab.plots.training_curves import training_curves

FIGURES: dict[str, Callable[[pd.DataFrame], Figure]] = {
    "training_curves": training_curves,
    "class_iou": class_iou,
}


def draw(
    names: Iterable[str] = (), results: Path | str = "results", figures: Path | str = "figures"
) -> list[Path]:
    """Draws figures of the study as PNG and SVG.

    Args:
        names: Which ones; none means all.
        results: Folder of the runs.
        figures: Folder to write to.

    Returns:
        The files written.

    Raises:
        ConfigError: If a name is unknown.
        RunError: If there is no finished run.
    """
    names = list(names) or list(FIGURES)
    for name in names:
        if name not in FIGURES:
            raise ConfigError(unknown(f"figure {name!r}", name, FIGURES))
    table = runs.load(results)
    if table.empty:
        raise RunError(f"{results}: holds no finished run to draw figures from")
    return [path for name in names for path in save(FIGURES[name](table), Path(figures), name)]
