"""Verbs about data sets."""

from __future__ import annotations

from typing import Annotated, Literal

from tyro.conf import Positional, arg

from seglab.cli.app import app
from seglab.errors import DataError


@app.command
def data(
    action: Positional[Literal["list", "make", "check"]],
    names: Annotated[Positional[tuple[str, ...]], arg(metavar="[NAME ...]")] = (),
    /,
) -> None:
    """Lists the data sets and where they were found; makes the embedded one; checks every file of a set.

    Args:
        action: What to do.
        names: Data sets; by default all for `list`, the embedded one for `make` and `check`.
    """
    from seglab.datasets import inventory

    if action == "list":
        print(inventory.listing(names))
    elif action == "make":
        print(inventory.make(names or ("street_scenes",)))
    else:
        problems = inventory.check_sets(names or ("street_scenes",), print)
        if problems:
            raise DataError(f"{problems} problems found, listed above")
