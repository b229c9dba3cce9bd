"""What the verbs share: the application that collects them, and the types of their arguments."""

from __future__ import annotations

from typing import Annotated, Literal

import tyro
from tyro.conf import Positional, arg

app = tyro.extras.SubcommandApp()

Overrides = Annotated[Positional[tuple[str, ...]], arg(metavar="[FIELD=VALUE ...]")]
Device = Literal["auto", "cpu", "cuda"]
