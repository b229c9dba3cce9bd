"""A training that can be watched in a notebook: curves and one prediction, renewed while it runs."""

from __future__ import annotations

import io
import time

import numpy as np
import pandas as pd
from IPython.display import DisplayHandle, Image, display
from matplotlib.figure import Figure
from tqdm import tqdm

from seglab import render
from seglab.labels import LabelSpace
from seglab.plots.pictures import picture_grid
from seglab.plots.style import style
from seglab.plots.training_curves import draw_histories
from seglab.trainers.observers import Observer, Progress, epoch_line

# Seconds between two renewals of the progress line.
RENEW_S = 1.0


class LiveView(Observer):
    """Shows the progress as a line, the curves so far, and what the network says about one picture.

    Args:
        image: uint8 (H,W,3) RGB, best from a split that is not trained on.
        mask: uint8 (H,W) of train ids, its truth.
    """

    def __init__(self, image: np.ndarray, mask: np.ndarray) -> None:
        self.image, self.mask = image, mask
        self.line, self.curves, self.prediction = (DisplayHandle() for _ in range(3))
        self.renewed = 0.0

    def message(self, text: str) -> None:
        display({"text/plain": text}, raw=True)

    def start(self, progress: Progress) -> None:
        self.line.display({"text/plain": "first step …"}, raw=True)
        for handle in (self.curves, self.prediction):
            handle.display({"text/plain": ""}, raw=True)

    def step(self, progress: Progress) -> None:
        if time.monotonic() - self.renewed < RENEW_S:
            return
        self.renewed = time.monotonic()
        total = progress.experiment.training.epochs * progress.steps_per_epoch
        batch_size = progress.experiment.training.batch_size
        left = tqdm.format_interval((total - progress.step) * batch_size / progress.images_per_second)
        speed = f"{progress.images_per_second:.1f} images/s, {left} left"
        text = f"step {progress.step} of {total}: loss {progress.loss:.3f}, {speed}"
        self.line.update({"text/plain": text}, raw=True)

    def epoch(self, progress: Progress) -> None:
        self.line.update({"text/plain": epoch_line(progress)}, raw=True)
        history = pd.DataFrame(progress.history).astype({"mean_iou": float})
        self.curves.update(as_image(draw_histories({progress.experiment.name: history})))
        prediction = progress.predict(self.image)
        row = comparison(self.image, self.mask, prediction, progress.labels)
        self.prediction.update(as_image(picture_grid([row])))


def comparison(
    image: np.ndarray, mask: np.ndarray, prediction: np.ndarray, labels: LabelSpace
) -> dict[str, np.ndarray]:
    """One row of a picture grid: picture, truth, prediction, and where it is wrong."""
    return {
        "picture": image,
        "truth": render.colorize(mask, labels),
        "prediction": render.colorize(prediction, labels),
        "right (blue), wrong (yellow)": render.error_map(prediction, mask),
    }


def as_image(figure: Figure) -> Image:
    """A figure as a PNG that any notebook shows, with or without a kernel."""
    buffer = io.BytesIO()
    with style():
        figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return Image(buffer.getvalue())
