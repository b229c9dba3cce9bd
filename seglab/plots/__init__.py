"""The figures of the study, each drawn from the folder of results and from nothing else. No torch here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from matplotlib.figure import Figure

from seglab.config import unknown
from seglab.errors import ConfigError
from seglab.plots.ablation import ablation
from seglab.plots.architecture import architectures
from seglab.plots.class_frequencies import class_frequencies
from seglab.plots.class_heat_map import class_heat_map
from seglab.plots.class_iou import class_iou
from seglab.plots.confusion import confusions
from seglab.plots.conventions import conventions
from seglab.plots.cost_by_part import costs_by_part
from seglab.plots.iou_frequency import iou_frequency
from seglab.plots.iou_vs_cost import iou_vs_cost
from seglab.plots.loss_share import loss_share
from seglab.plots.lr_range import lr_range
from seglab.plots.machine_times import machine_times
from seglab.plots.multi_scale_gain import multi_scale_gain
from seglab.plots.phases import phases
from seglab.plots.qualitative import qualitative
from seglab.plots.style import save
from seglab.plots.training_curves import training_curves
from seglab.results import MissingResults, Results

FIGURES: dict[str, Callable[[Results], Figure]] = {
    "architectures": architectures,
    "cost_by_part": costs_by_part,
    "class_frequencies": class_frequencies,
    "loss_share": loss_share,
    "lr_range": lr_range,
    "training_curves": training_curves,
    "qualitative": qualitative,
    "class_iou": class_iou,
    "class_heat_map": class_heat_map,
    "iou_vs_cost": iou_vs_cost,
    "iou_frequency": iou_frequency,
    "confusions": confusions,
    "machine_times": machine_times,
    "ablation": ablation,
    "multi_scale_gain": multi_scale_gain,
    "phases": phases,
    "conventions": conventions,
}


def draw(
    names: Iterable[str] = (),
    results: Path | str = "results",
    figures: Path | str = "figures",
    say: Callable[[str], None] = lambda text: None,
) -> list[Path]:
    """Draws figures of the study as PNG and SVG.

    Args:
        names: Which ones; none means all for which there are results.
        results: Folder of the results.
        figures: Folder to write to.
        say: Told which figures are left out, and why.

    Returns:
        The files written.

    Raises:
        ConfigError: If a name is unknown.
        MissingResults: If the results for a figure that was named are missing.
    """
    names = list(names)
    for name in names:
        if name not in FIGURES:
            raise ConfigError(unknown(f"figure {name!r}", name, FIGURES))
    table = Results(Path(results))
    written: list[Path] = []
    for name in names or FIGURES:
        try:
            written += save(FIGURES[name](table), Path(figures), name)
        except MissingResults as missing:
            if names:
                raise
            say(f"{name} is left out: {missing}")
    return written
