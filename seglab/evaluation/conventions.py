"""One set of predictions scored in every way in use."""

from __future__ import annotations

import pandas as pd

from seglab.metrics.conventions import CONVENTIONS
from seglab.runs import ImageCounts


def convention_table(images: ImageCounts, quarter: ImageCounts | None = None) -> pd.DataFrame:
    """The same predictions scored under every convention of `metrics.conventions`.

    Args:
        images: The confusion matrix of each picture.
        quarter: The same at a quarter of the resolution; without it conventions that need it are left out.

    Returns:
        One row per convention: `convention`, `mean_iou` in [0, 1], `system` that uses it, `source`.
    """
    counts = {1: images.counts} | ({} if quarter is None else {4: quarter.counts})
    rows = [
        {
            "convention": name,
            "mean_iou": use.convention.score(counts[use.resolution]),
            "system": use.system,
            "source": use.source,
        }
        for name, use in CONVENTIONS.items()
        if use.resolution in counts
    ]
    return pd.DataFrame(rows)
