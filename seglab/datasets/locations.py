"""Where data lies on this machine: the user's own data sets, and what seglab makes and may make again."""

from __future__ import annotations

import os
from pathlib import Path

from seglab.errors import DataError
from seglab.runs import workspace


def data_root() -> Path | None:
    """The folder that holds the data sets' folders, from `SEGLAB_DATA`; None if that is not set.

    A relative path counts from the checkout, so that it means the same in a notebook, whose working folder is
    its own.
    """
    value = os.environ.get("SEGLAB_DATA")
    return workspace() / Path(value).expanduser() if value else None


def cache_root() -> Path:
    """The folder for generated and decoded pictures: `$SEGLAB_CACHE`, else `$XDG_CACHE_HOME/seglab`,
    else `~/.cache/seglab`. It need not exist yet, and can be deleted at any time. A relative path counts as
    for `data_root`."""
    if value := os.environ.get("SEGLAB_CACHE"):
        return workspace() / Path(value).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "seglab"


def find_root(name: str, folder: str, root: Path | str | None, layout: str, source: str) -> Path:
    """The folder of a data set that the user has to provide.

    Args:
        name: The data set's name.
        folder: Its folder's customary name below `SEGLAB_DATA`.
        root: The folder itself, if the user named it.
        layout: The expected folders and files.
        source: How to get the data set.

    Raises:
        DataError: If there is no such folder; the message says where it was looked for and what to do.
    """
    if root is not None:
        place, looked = Path(root).expanduser(), f"looked for {root}"
    elif (base := data_root()) is not None:
        place, looked = base / folder, f"looked for {base / folder} (SEGLAB_DATA is {base})"
    else:
        place, looked = None, f"set SEGLAB_DATA to the folder that holds {folder}/, or data.root to it"
    if place is not None and place.is_dir():
        return place
    raise DataError(f"{name}: data set not found; {looked}. Expected: {layout}. {source}")
