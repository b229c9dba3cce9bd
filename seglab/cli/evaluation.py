"""Verbs that use a trained network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from seglab.cli.app import Device, app, parse_size
from seglab.errors import ConfigError

MultiScale = Annotated[bool, arg(name="multi-scale")]
Tile = Annotated[str | None, arg(metavar="HEIGHTxWIDTH")]


@app.command
def evaluate(
    run: Annotated[Positional[Path], arg(metavar="RUN")],
    /,
    *,
    split: str | None = None,
    data: str | None = None,
    multi_scale: MultiScale = False,
    tile: Tile = None,
    average: Literal["probabilities", "logits"] = "probabilities",
    device: Device = "auto",
) -> None:
    """Scores the network of a run and prints each class, with 95 % confidence intervals.

    The scores are recorded with the run unless they are there already; with an option other than --split in
    a folder of their own, RUN/evaluations/.

    Args:
        run: Run folder.
        split: Split of the data set; by default the one that was watched during training.
        data: Another data set with the same classes, for example hulks_nao; by default the run's own.
        multi_scale: Ask at six scales from 0.5 to 1.75, and mirrored.
        tile: Show the pictures in pieces of this size, for pictures too large for the memory.
        average: What is averaged over scales and mirror images.
        device: Where to compute.
    """
    from tqdm import tqdm

    from seglab.evaluation.evaluate import evaluate, interval_table
    from seglab.metrics.intervals import CAVEAT

    inference = _inference(multi_scale, tile, average)
    with tqdm(unit=" pictures", disable=None, leave=False) as bar:  # in a terminal alone
        found = evaluate(run, split, device, inference, bar.update, data)
    print(interval_table(found.images, found.labels))
    if found.folder is not None:
        print(f"recorded in {found.folder}")
    else:
        print("not recorded: the run has not ended, or other counts of this evaluation are there already")
    print(CAVEAT)


@app.command
def compare(
    first: Annotated[Positional[Path], arg(metavar="RUN")],
    second: Annotated[Positional[Path], arg(metavar="RUN")],
    more: Annotated[Positional[tuple[Path, ...]], arg(metavar="[RUN ...]")] = (),
    /,
    *,
    split: str = "test",
) -> None:
    """Compares runs on the same pictures: differences from the first, with 95 % confidence intervals.

    Weights and data are not needed.

    Args:
        first: Run folder, or folder below RUN/evaluations/, that the others are compared with.
        second: Likewise.
        more: Likewise.
        split: Split that all of them were scored on.
    """
    from seglab.evaluation.compare import comparison_table
    from seglab.metrics.intervals import CAVEAT

    print(comparison_table([first, second, *more], split))
    print(CAVEAT)


@app.command
def predict(
    pictures: Annotated[Positional[tuple[Path, ...]], arg(metavar="[PICTURE ...]")] = (),
    /,
    *,
    run: Path,
    out: Path,
    write: tuple[Literal["mask", "overlay", "index", "ids"], ...] = ("mask", "overlay"),
    multi_scale: MultiScale = False,
    tile: Tile = None,
    webcam: int | None = None,
    frames: int = 250,
    device: Device = "auto",
) -> None:
    """Predicts pictures, folders of pictures, videos or a webcam.

    Args:
        pictures: Picture files, folders and videos; videos need the extra `video`.
        run: Run folder whose network is used.
        out: Folder for NAME_mask.png and the like; NAME_overlay.avi for a video.
        write: Of each picture: mask in colours, overlay on the picture, index (train ids), ids (official).
        multi_scale: Ask at six scales from 0.5 to 1.75, and mirrored.
        tile: Show the pictures in pieces of this size, for pictures too large for the memory.
        webcam: Number of a webcam to predict, instead of pictures.
        frames: Frames to take from the webcam.
        device: Where to compute.
    """
    from seglab.evaluation.inference import load_predictor
    from seglab.evaluation.predict import predict_files, predict_video

    if bool(pictures) == (webcam is not None):
        raise ConfigError("predict: give either pictures, folders or videos, or --webcam NUMBER")
    inference = _inference(multi_scale, tile)
    if webcam is not None:
        print(predict_video(load_predictor(run, device, inference), webcam, out / "webcam.avi", frames))
        return
    for path in predict_files(lambda: load_predictor(run, device, inference), pictures, out, write):
        print(path)


@app.command
def samples(
    run: Annotated[Positional[Path], arg(metavar="RUN")],
    /,
    *,
    split: str = "test",
    number: int = 4,
    device: Device = "auto",
) -> None:
    """Keeps a few painted pictures with truth and prediction in a run, for the figure `qualitative`.

    Args:
        run: Folder of a finished run with its weights.
        split: Split of its data set.
        number: How many pictures; they are spread evenly over the split.
        device: Where to compute.
    """
    from seglab.evaluation.samples import make_samples

    print(make_samples(run, split, number, device))


def _inference(multi_scale: bool, tile: str | None, average: str = "probabilities"):
    """The way to ask a network that the options describe."""
    from seglab.evaluation.inference import MULTI_SCALE, InferenceConfig

    if average == "logits" and not multi_scale and tile is None:
        raise ConfigError("--average: nothing is averaged without --multi-scale or --tile")
    size = None if tile is None else parse_size("--tile", tile)
    return InferenceConfig(MULTI_SCALE if multi_scale else (1.0,), multi_scale, size, average=average)
