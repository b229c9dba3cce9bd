"""What the results give, shown in a notebook; or that they are not there yet."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
from IPython.display import Markdown, display
from matplotlib.figure import Figure

from seglab.results import MissingResults
from seglab.tables import markdown
from seglab.widgets.live import as_image


def show(make: Callable[[], Figure | pd.DataFrame | str]) -> None:
    """Shows a figure, a table or a sentence; where its results are missing, the command that makes them.

    Args:
        make: Called once; the cells of a table may hold Markdown.
    """
    try:
        found = make()
    except MissingResults as missing:
        found = f"*Not there yet; `{missing.command}` makes it.*"
    if isinstance(found, Figure):
        display(as_image(found))
    else:
        display(Markdown(markdown(found) if isinstance(found, pd.DataFrame) else found))
