"""Verbs of the study: figures, notebooks, and the one-command ways in."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from seglab.cli.app import app
from seglab.errors import ConfigError, RunError


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
        names: Which ones; by default all for which there are results.
        results: Folder of the results; by default results/.
        out: Folder for the PNG and SVG files; by default figures/.
    """
    from seglab import runs
    from seglab.plots import draw

    home = runs.workspace()
    for path in draw(names, results or home / "results", out or home / "figures", say=print):
        print(path)


@app.command
def notebooks(
    action: Positional[Literal["build", "check", "smoke"]],
    names: Annotated[Positional[tuple[str, ...]], arg(metavar="[NAME ...]")] = (),
    /,
    *,
    out: Path | None = None,
) -> None:
    """Runs notebooks without a browser, or checks the committed ones without running them.

    Args:
        action: `build` runs them in place, with their own parameters, as they are committed; `check` says in
            a moment whether the outputs belong to the code and to the results; `smoke` runs them in the
            quick profile and writes copies.
        names: Beginnings of their file names, for example 03; by default all.
        out: Folder for the copies of `smoke`; by default a temporary one that is removed at the end.
    """
    from seglab import notebooks, runs

    if out is not None and action != "smoke":
        raise ConfigError(f"--out: `{action}` writes no copies; allowed is it with smoke")
    paths = notebooks.select(names)
    if action == "smoke":
        with TemporaryDirectory() as temporary:
            notebooks.smoke(paths, out or Path(temporary), watch=print)
    elif action == "build":
        for path in paths:
            notebooks.build(path, watch=print)
            print(path)
    else:
        root = runs.workspace()
        faults = [f"{path.name}: {fault}" for path in paths for fault in notebooks.check(path, root)]
        for fault in faults:
            print(fault)
        if faults:
            raise RunError(f"{len(faults)} faults found, listed above")
        print(f"{len(paths)} notebooks: the outputs belong to the code and to the results")


@app.command
def study() -> None:
    """Runs notebook 03 without a browser, redraws the figures, and says what was reached."""
    from seglab.study import run_study

    run_study()


@app.command
def tables(*, results: Path | None = None) -> None:
    """Makes the tables of README.md anew from the stored results.

    Args:
        results: Folder of the results; by default results/.
    """
    from seglab import runs
    from seglab.results import Results
    from seglab.tables import fill

    home = runs.workspace()
    path = home / "README.md"
    text = path.read_text(encoding="utf-8")
    runs.write_text(path, fill(text, Results(results or home / "results")))
    print(path)


@app.command
def report(*, html: bool = False, results: Path | None = None, out: Path | None = None) -> None:
    """Writes the study as a chapter, from the stored results; or the notebooks as pages.

    Args:
        html: Write a folder of pages with the committed notebooks and their outputs instead of the PDF.
        results: Folder of the results; by default results/.
        out: File to write, or with --html the folder; by default report.pdf or site/ below runs/.
    """
    from seglab import runs

    if out is not None and not html and out.suffix.lower() != ".pdf":
        raise ConfigError(f"--out: got {out}; allowed is a file that ends in .pdf, or a folder with --html")
    from seglab.report import write_pdf, write_site

    home = runs.workspace()
    if html:
        print(write_site(out or home / "runs" / "site")[0])
    else:
        target = out or home / "runs" / "report.pdf"
        write_pdf(results or home / "results", target)
        print(target)


@app.command
def study_full(*, at_once: int = 1) -> None:
    """Trains all that the study rests on (`seglab.comparison`), but for what is there; redraws the figures.

    It takes about a day on two processor cores and less on a GPU; stopped, it goes on where it was.

    Args:
        at_once: Trainings side by side; more than one is for GPUs.
    """
    from seglab.study import run_full_study

    run_full_study(at_once)


@app.command
def latency() -> None:
    """Measures how long each network takes for a picture, for the tables; the machine must be idle."""
    from seglab.study import measure_latency

    print(measure_latency())


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


@app.command
def faults() -> None:
    """Kills, fills, damages and interrupts trainings in full numbers, and tells how many it did no harm."""
    from seglab.study import run_faults

    sys.exit(run_faults())
