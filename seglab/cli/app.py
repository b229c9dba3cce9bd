"""What the verbs share: the application that collects them, and the types of their arguments."""

from __future__ import annotations

from typing import Annotated, Literal

import tyro
from tyro.conf import Positional, arg

from seglab.errors import ConfigError

app = tyro.extras.SubcommandApp()

Overrides = Annotated[Positional[tuple[str, ...]], arg(metavar="[FIELD=VALUE ...]")]
Device = Literal["auto", "cpu", "cuda"]


def parse_size(option: str, text: str) -> tuple[int, int]:
    """Reads `512x1024`, height first."""
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        raise ConfigError(f"{option}: got {text!r}; allowed is HEIGHTxWIDTH, for example 512x1024")
    return int(parts[0]), int(parts[1])
