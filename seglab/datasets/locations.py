"""Where data lies on this machine: the user's own data sets, and what seglab makes and may make again."""

from __future__ import annotations

import os
from pathlib import Path


def data_root() -> Path | None:
    """The folder that holds the data sets' folders, from `SEGLAB_DATA`; None if that is not set."""
    value = os.environ.get("SEGLAB_DATA")
    return Path(value).expanduser() if value else None


def cache_root() -> Path:
    """The folder for generated and decoded pictures: `$SEGLAB_CACHE`, else `$XDG_CACHE_HOME/seglab`,
    else `~/.cache/seglab`. It need not exist yet, and can be deleted at any time."""
    if value := os.environ.get("SEGLAB_CACHE"):
        return Path(value).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "seglab"
