"""How far the seams between tiles are felt."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from seglab.metrics.confusion import ratio
from seglab.plots.style import SERIES, new_figure, style


def seam_distance(counts: Mapping[str, tuple[np.ndarray, np.ndarray]], bin_px: int = 8) -> Figure:
    """What to see: a curve that falls to 0 has an interior that does not feel the tiles, a flat one has none.

    Args:
        counts: By the name for the legend: pixels whose answer changes, and all pixels, both int (D,) by
            their distance to the nearest seam.
        bin_px: Distances are joined to bins of so many pixels.
    """
    with style():
        figure = new_figure(170, 70)
        axes = figure.subplots()
        for nth, (label, both) in enumerate(counts.items()):
            starts = np.arange(0, len(both[0]), bin_px)
            changed, pixels = (np.add.reduceat(one, starts) for one in both)
            ends = np.minimum(starts + bin_px, len(both[0]))
            axes.plot(
                (starts + ends - 1) / 2, 100 * ratio(changed, pixels), ls=("-", "--", "-.", ":")[nth % 4],
                marker="osD^"[nth % 4], ms=3, color=SERIES[nth % len(SERIES)], label=label,
            )
        axes.set(xlabel="distance to the nearest seam (pixels)", ylabel="pixels whose answer changes (%)")
        axes.set_ylim(bottom=0)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(counts))
    return figure
