"""Predictions of picture files, folders, videos and webcams, written as PNG files or as a video."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from PIL import Image

from seglab import render
from seglab.datasets.reading import read_image
from seglab.errors import ConfigError, DataError, RunError
from seglab.evaluation.inference import Predictor
from seglab.labels import LabelSpace

Output = Literal["mask", "overlay", "index", "ids"]
"""`mask` is in the classes' colours, `overlay` lays it over the picture, `index` holds train ids, and `ids`
the ids of the data set's own files, which its official evaluation reads."""

PICTURES = (".png", ".jpg", ".jpeg")
VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v")


def predict_files(
    load: Callable[[], Predictor],
    sources: Iterable[Path],
    out: Path,
    outputs: Sequence[Output] = ("mask", "overlay"),
) -> Iterator[Path]:
    """Predicts pictures, all pictures of folders, and videos.

    Everything is found to exist before the network is loaded, and no file is overwritten.

    Args:
        load: Makes the network; called once.
        sources: Picture files, video files, and folders, of which the pictures directly inside are taken.
        out: Folder for `<name>_<output>.png` and `<name>_overlay.avi`; made where it is missing.
        outputs: What to write of each picture.

    Yields:
        The path of each file once it is written.

    Raises:
        ConfigError: If an output is unknown, a video is given and OpenCV is not installed, or `ids` are
            wanted where the data set's files hold colours.
        DataError: If a picture or video cannot be read.
        RunError: If an output file exists, or two sources would have the same one.
    """
    for output in outputs:
        if output not in get_args(Output):
            raise ConfigError(f"output: got {output!r}; allowed are {', '.join(get_args(Output))}")
    targets: dict[Path, Path] = {}  # output file -> its source
    plan = [(source, _targets(source, out, outputs)) for source in _pictures(sources)]
    for source, paths in plan:
        for path in paths:
            if path in targets:
                raise RunError(f"{source}: {targets[path]} has the same name; predict them one by one")
            if path.exists():
                raise RunError(f"{path}: exists already and is not overwritten; allowed is another --out")
            targets[path] = source
        if _is_video(source):
            with _video(source):
                pass
        else:
            read_image(source)
    predictor = load()
    if "ids" in outputs:
        predictor.labels.check_file_ids()
    out.mkdir(parents=True, exist_ok=True)
    for source, paths in plan:
        if _is_video(source):
            yield predict_video(predictor, source, paths[0])
            continue
        image = read_image(source)
        mask = predictor(image)
        for path, output in zip(paths, outputs, strict=True):
            Image.fromarray(paint(output, image, mask, predictor.labels)).save(path)
            yield path


def paint(output: Output, image: np.ndarray, mask: np.ndarray, labels: LabelSpace) -> np.ndarray:
    """What is written of one picture: uint8 (H,W,3) for `mask` and `overlay`, (H,W) for `index` and `ids`."""
    if output == "mask":
        return render.colorize(mask, labels)
    if output == "overlay":
        return render.overlay(image, mask, labels)
    return labels.to_file_ids(mask) if output == "ids" else mask


def predict_video(
    predictor: Predictor, source: Path | int, out: Path, max_frames: int | None = None
) -> Path:
    """Predicts a video or webcam frame by frame and writes the overlays as a video (Motion JPEG).

    Args:
        predictor: The network.
        source: Video file, or number of the webcam.
        out: `.avi` file to write.
        max_frames: Frames after which it ends; a webcam has no end of its own.

    Returns:
        `out`.

    Raises:
        ConfigError: If OpenCV is not installed.
        DataError: If the source cannot be read or holds no frame.
        RunError: If `out` exists.
    """
    if out.exists():
        raise RunError(f"{out}: exists already and is not overwritten; allowed is another --out")
    cv2 = _opencv()
    writer, number = None, 0
    with _video(source) as video:
        try:
            while number != max_frames:
                success, frame = video.read()
                if not success:
                    break
                image = np.ascontiguousarray(frame[..., ::-1])  # OpenCV has BGR
                painted = render.overlay(image, predictor(image), predictor.labels)
                if writer is None:
                    out.parent.mkdir(parents=True, exist_ok=True)
                    rate = video.get(cv2.CAP_PROP_FPS) or 25.0  # some webcams do not tell
                    code = cv2.VideoWriter.fourcc(*"MJPG")
                    writer = cv2.VideoWriter(str(out), code, rate, image.shape[1::-1])
                writer.write(np.ascontiguousarray(painted[..., ::-1]))
                number += 1
        finally:
            if writer is not None:
                writer.release()
    if number == 0:
        raise DataError(f"{source}: holds no frame")
    return out


def _pictures(sources: Iterable[Path]) -> Iterator[Path]:
    """The files given, folders replaced by the pictures inside them, sorted."""
    for source in sources:
        if not source.is_dir():
            yield source
            continue
        found = sorted(path for path in source.iterdir() if path.suffix.lower() in PICTURES)
        if not found:
            raise DataError(f"{source}: holds no pictures; allowed are {', '.join(PICTURES)}")
        yield from found


def _targets(source: Path, out: Path, outputs: Sequence[Output]) -> list[Path]:
    if _is_video(source):
        return [out / f"{source.stem}_overlay.avi"]
    return [out / f"{source.stem}_{output}.png" for output in outputs]


def _is_video(source: Path) -> bool:
    return source.suffix.lower() in VIDEOS


@contextmanager
def _video(source: Path | int) -> Iterator:
    """An opened video."""
    cv2 = _opencv()
    if isinstance(source, Path) and not source.is_file():
        raise DataError(f"{source}: there is no such file")
    capture = cv2.VideoCapture(source if isinstance(source, int) else str(source))
    try:
        if not capture.isOpened():
            what = f"webcam {source}" if isinstance(source, int) else source
            raise DataError(f"{what}: cannot be opened as a video")
        yield capture
    finally:
        capture.release()


def _opencv():
    try:
        import cv2
    except ImportError:
        raise ConfigError("videos and webcams need OpenCV; allowed is: pip install 'seglab[video]'") from None
    return cv2
