"""Verbs of the study: figures, notebooks, and the one-command ways in."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from seglab.cli.app import app


@app.command
def figures(
    names: Annotated[Positional[tuple[str, ...]], arg(metavar="[NAME ...]")] = (),
    /,
    *,
    results: Path | None = None,
    out: Path | None = None,
) -> None:
    """Redraws the figures from the stored results.

    Args:
        names: Which ones; by default all.
        results: Folder of the runs; by default results/.
        out: Folder for the PNG and SVG files; by default figures/.
    """
    from seglab import runs
    from seglab.plots import draw

    home = runs.workspace()
    for path in draw(names, results or home / "results", out or home / "figures"):
        print(path)


@app.command
def notebook(name: Annotated[Positional[str], arg(metavar="NAME")], /) -> None:
    """Runs a notebook from top to bottom and writes its outputs into it, as it is committed.

    Args:
        name: Beginning of its file name, for example 03.
    """
    from seglab import notebooks

    print(notebooks.build(name, watch=print))


@app.command
def study() -> None:
    """Runs notebook 03 without a browser, redraws the figures, and says what was reached."""
    from seglab.study import run_study

    run_study()


@app.command
def study_full(*, at_once: int = 1) -> None:
    """Trains all that the study rests on (`seglab.comparison`), but for what is there; redraws the figures.

    It takes days on a processor and hours on a GPU; stopped, it goes on where it was.

    Args:
        at_once: Trainings side by side; more than one is for GPUs.
    """
    from seglab.study import run_full_study

    run_full_study(at_once)


@app.command
def lab() -> None:
    """Opens notebook 03 in JupyterLab."""
    from seglab.study import open_lab

    sys.exit(open_lab())


@app.command
def test() -> None:
    """Runs the tests and tells their time."""
    from seglab.study import run_tests

    sys.exit(run_tests())
