"""Verbs that use a trained network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from seglab.cli.app import Device, app


@app.command
def evaluate(
    run: Annotated[Positional[Path], arg(metavar="RUN")],
    /,
    *,
    split: str | None = None,
    device: Device = "auto",
) -> None:
    """Scores the network of a run and prints the IoU of each class.

    Args:
        run: Run folder.
        split: Split of the run's data set; by default the one that was watched during training.
        device: Where to compute.
    """
    from seglab.evaluation.evaluate import class_table, evaluate_run

    confusion, labels = evaluate_run(run, split, device)
    print(class_table(confusion, labels))


@app.command
def predict(
    pictures: Annotated[Positional[tuple[Path, ...]], arg(metavar="PICTURE [PICTURE ...]")],
    /,
    *,
    run: Path,
    out: Path,
    device: Device = "auto",
) -> None:
    """Predicts pictures: writes each mask in colours, and laid over its picture.

    Args:
        pictures: Picture files.
        run: Run folder whose network is used.
        out: Folder for NAME_mask.png and NAME_overlay.png.
        device: Where to compute.
    """
    from seglab.evaluation.evaluate import predict_files

    for path in predict_files(run, pictures, out, device):
        print(path)
