"""Finished runs at work: scores of a split, predictions of picture files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from seglab import metrics, render, runs
from seglab.datasets import SegmentationDataset, create_dataset
from seglab.datasets.loading import evaluation_samples
from seglab.datasets.reading import read_image
from seglab.errors import RunError
from seglab.evaluation.confusion import count_confusion
from seglab.evaluation.inference import Predictor, load_predictor
from seglab.labels import LabelSpace


def evaluate_run(
    folder: Path | str, split: str | None = None, device: str = "auto"
) -> tuple[np.ndarray, LabelSpace]:
    """Scores the selected weights of a run.

    A finished run gets the confusion matrix of a split that it has none of; one that is there is not touched.

    Args:
        folder: Run folder with its checkpoints.
        split: Split of the run's data set; None takes its `data.eval_split`.
        device: `auto`, `cpu` or `cuda`.

    Returns:
        The confusion matrix, int64 (K,K) with true classes as rows, and what the classes are.

    Raises:
        RunError, CheckpointError, ConfigError, DataError: If the run, its weights, the split or its pictures
            are not there.
    """
    experiment = runs.read_experiment(folder)
    split = split or experiment.data.eval_split
    dataset = create_dataset(experiment.data.name, split, experiment.data.root)
    predictor = load_predictor(folder, device)
    confusion = count_confusion(
        predictor.model,
        evaluation_samples(dataset),
        predictor.labels.num_classes,
        predictor.execution,
        experiment.data,
    )
    confusion = confusion.cpu().numpy()
    if (Path(folder) / "summary.json").is_file() and split not in runs.splits(folder):
        runs.write_confusion(Path(folder), split, confusion, predictor.labels.classes)
    return confusion, predictor.labels


def picture_scores(predictor: Predictor, dataset: SegmentationDataset) -> np.ndarray:
    """Mean IoU of each picture by itself, over the classes that occur in it or were predicted.

    Good for finding pictures to look at. It is no score of a split: rare classes count in few pictures.

    Args:
        predictor: The network.
        dataset: A split of its data set.

    Returns:
        float64 (len(dataset),) in [0, 1].
    """
    num_classes = predictor.labels.num_classes
    return np.array(
        [
            metrics.mean_iou(metrics.confusion_matrix(predictor(image), mask, num_classes))
            for image, mask in map(dataset.read, range(len(dataset)))
        ]
    )


def class_table(confusion: np.ndarray, labels: LabelSpace) -> str:
    """The scores of each class and their mean as text."""
    lines = [f"{'class':16} {'IoU':>7} {'recall':>7} {'share':>7}"]
    shares = confusion.sum(1) / max(1, confusion.sum())
    scores = (metrics.iou(confusion), metrics.class_accuracy(confusion), shares)
    for name, *values in zip(labels.classes, *scores, strict=True):
        lines.append(f"{name:16} " + " ".join(map(_percent, values)))
    counted = f"mean of {metrics.scored_classes(confusion)}"
    lines.append(f"{counted:16} {_percent(metrics.mean_iou(confusion))}")
    return "\n".join(lines)


def _percent(value: float) -> str:
    return "      -" if np.isnan(value) else f"{100 * value:6.2f}%"


def predict_files(
    folder: Path | str, pictures: Iterable[Path], out: Path, device: str = "auto"
) -> Iterator[Path]:
    """Predicts picture files and writes the masks in colours and as overlays.

    All pictures are found to exist before the first is predicted, and no file is overwritten.

    Args:
        folder: Run folder with its checkpoints.
        pictures: RGB picture files.
        out: Folder for `<name>_mask.png` and `<name>_overlay.png`; made where it is missing.
        device: `auto`, `cpu` or `cuda`.

    Yields:
        The path of each file once it is written.

    Raises:
        DataError: If a picture cannot be read.
        RunError: If an output file exists, or two pictures would have the same one.
    """
    targets: dict[Path, tuple[Path, Path]] = {}
    for picture in pictures:
        files = (out / f"{picture.stem}_mask.png", out / f"{picture.stem}_overlay.png")
        if files in targets.values():
            raise RunError(f"{picture}: another picture of the same name is given; predict it by itself")
        for path in files:
            if path.exists():
                raise RunError(f"{path}: exists already and is not overwritten; allowed is another --out")
        read_image(picture)
        targets[picture] = files
    predictor = load_predictor(folder, device)
    out.mkdir(parents=True, exist_ok=True)
    for picture, files in targets.items():
        image = read_image(picture)
        mask = predictor(image)
        colors = render.colorize(mask, predictor.labels), render.overlay(image, mask, predictor.labels)
        for path, pixels in zip(files, colors, strict=True):
            Image.fromarray(pixels).save(path)
            yield path
