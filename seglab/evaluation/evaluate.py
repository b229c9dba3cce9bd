"""Finished runs scored on a split, in one way or another; each evaluation is recorded once.

The plain evaluation belongs to the run, and its files lie in the run folder. Every other has a folder of its
own with the same files: `<run>/evaluations/<split>-<tag>/`, the tag saying how the network was asked. So has
a plain one whose counts are not those of the run, because another machine or number format rounds otherwise.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seglab import metrics, runs
from seglab.config import Experiment
from seglab.datasets import SegmentationDataset, create_dataset
from seglab.datasets.loading import evaluation_samples
from seglab.errors import ConfigError
from seglab.evaluation.confusion import count_images
from seglab.evaluation.inference import PLAIN, InferenceConfig, Predictor, load_predictor
from seglab.labels import LabelSpace
from seglab.metrics.intervals import bootstrap


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found.

    Args:
        images: The confusion matrix of each picture.
        labels: What the classes are.
        split: On which split.
        inference: How the network was asked.
        folder: Where it is recorded; None for a run that has not ended, or if other counts are there already.
        summary: Data, scores, time and provenance, as in `summary.json` of an evaluation that is not plain.
    """

    images: runs.ImageCounts
    labels: LabelSpace
    split: str
    inference: InferenceConfig
    folder: Path | None
    summary: dict[str, Any]

    @property
    def confusion(self) -> np.ndarray:
        """int64 (K,K) over the split, rows true."""
        return self.images.confusions.sum(0)


def evaluate(
    folder: Path | str,
    split: str | None = None,
    device: str = "auto",
    inference: InferenceConfig = PLAIN,
    on_batch: Callable[[int], None] = lambda pictures: None,
    data: str | None = None,
) -> Evaluation:
    """Scores the selected weights of a run, and records the scores unless that was done before.

    What is recorded is never touched. A run that has not ended gets no record.

    Args:
        folder: Run folder with its weights.
        split: Split of the run's data set; None takes its `data.eval_split`.
        device: `auto`, `cpu` or `cuda`.
        inference: How the network is asked.
        on_batch: Told the number of pictures done, after each batch.
        data: Another data set with the same classes, or the YAML file of one; None is the run's own.

    Raises:
        RunError, CheckpointError, ConfigError, DataError: If the run, its weights, the split or its pictures
            are not there, or the other data set has other classes.
    """
    experiment = runs.read_experiment(folder)
    split = split or experiment.data.eval_split
    dataset = create_dataset(data or experiment.data.name, split, None if data else experiment.data.root)
    predictor = load_predictor(folder, device, inference)
    if dataset.labels.classes != predictor.labels.classes:
        raise ConfigError(
            f"data: got {dataset.name}, whose classes are {', '.join(dataset.labels.classes)}; allowed is a "
            f"set with those of {folder}, {', '.join(predictor.labels.classes)}"
        )
    # Views of several sizes take memory for all scores at once, so they go picture by picture.
    batch_size = 4 if inference == PLAIN else 1
    started = time.perf_counter()
    counts = count_images(
        predictor.model,
        evaluation_samples(dataset),
        predictor.labels.num_classes,
        predictor.execution,
        experiment.data,
        inference,
        batch_size,
        on_batch,
    )
    seconds = time.perf_counter() - started
    images = runs.ImageCounts(tuple(dataset.names), counts)
    summary = _summary(experiment, dataset, predictor, images, seconds)
    target = None
    if (Path(folder) / "summary.json").is_file():
        own = _own_folder(folder, f"{dataset.name}-{split}" if data else split, inference)
        places = [own] if data else [record_folder(folder, split, inference), own]
        target = next((place for place in places if _agrees(place, split, images)), None)
        if target is not None:
            _record(target, split, images, predictor.labels, summary)
    return Evaluation(images, predictor.labels, split, inference, target, summary)


def record_folder(folder: Path | str, split: str, inference: InferenceConfig = PLAIN) -> Path:
    """Where an evaluation of a run is recorded first."""
    folder = Path(folder)
    return folder if inference == PLAIN else _own_folder(folder, split, inference)


def _own_folder(folder: Path | str, what: str, inference: InferenceConfig) -> Path:
    return Path(folder) / "evaluations" / f"{what}-{inference.tag}"


def _agrees(folder: Path, split: str, images: runs.ImageCounts) -> bool:
    """Whether a folder holds no other confusion matrix of this split."""
    if split not in runs.splits(folder):
        return True
    return np.array_equal(runs.read_confusion(folder, split)[0], images.confusions.sum(0))


def _record(
    folder: Path, split: str, images: runs.ImageCounts, labels: LabelSpace, summary: dict[str, Any]
) -> None:
    """Writes what is not there yet into a folder that holds no other counts."""
    folder.mkdir(parents=True, exist_ok=True)
    if split not in runs.splits(folder):
        runs.write_confusion(folder, split, images.confusions.sum(0), labels.classes)
    if not runs.has_images(folder, split):
        runs.write_images(folder, split, images)
    if not (folder / "summary.json").exists():
        runs.write_summary(folder, summary)


def _summary(
    experiment: Experiment,
    dataset: SegmentationDataset,
    predictor: Predictor,
    images: runs.ImageCounts,
    seconds: float,
) -> dict[str, Any]:
    confusion = images.confusions.sum(0)
    interval = bootstrap(images.confusions, metrics.mean_iou)
    ends = interval.low, interval.high
    execution = predictor.execution
    cuda = execution.device.type == "cuda"
    return {
        "data": dataset.name,
        "inference": asdict(predictor.inference),
        "scores": {
            dataset.split: {
                "mean_iou": interval.value,
                "mean_iou_interval": [None if np.isnan(end) else float(end) for end in ends],
                "classes": metrics.scored_classes(confusion),
                "pixel_accuracy": metrics.pixel_accuracy(confusion),
            }
        },
        "time": {"seconds": round(seconds, 1), "images_per_second": round(len(images.names) / seconds, 3)},
        "provenance": runs.provenance(
            experiment,
            code_revision=runs.code_revision(),
            data_digests={dataset.split: dataset.digest()},
            device=torch.cuda.get_device_name(execution.device) if cuda else "cpu",
            precision=execution.precision,
            memory_format=execution.memory_format,
            threads=torch.get_num_threads(),
        ),
    }


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
        lines.append(f"{name:16} " + " ".join(map(percent, values)))
    counted = f"mean of {metrics.scored_classes(confusion)}"
    lines.append(f"{counted:16} {percent(metrics.mean_iou(confusion))}")
    return "\n".join(lines)


def interval_table(images: runs.ImageCounts, labels: LabelSpace) -> str:
    """The scores of each class, of their mean and of all pixels, with 95 % confidence intervals, as text."""
    confusions = images.confusions
    confusion = confusions.sum(0)
    scores = bootstrap(confusions, metrics.iou)
    shares = confusion.sum(1) / max(1, confusion.sum())
    columns = (scores.value, scores.low, scores.high, metrics.dice(confusion))
    columns += (metrics.class_accuracy(confusion), shares)
    lines = [f"{'class':20} {'IoU':>7} {'95 % interval':>17} {'Dice':>7} {'recall':>7} {'share':>7}"]
    for name, value, low, high, *rest in zip(labels.classes, *columns, strict=True):
        lines.append(f"{name:20} {percent(value)} [{percent(low)}, {percent(high)}] {_row(rest)}")
    joined, _ = metrics.category_confusion(confusions, labels.categories)
    totals = {
        f"mean of {metrics.scored_classes(confusion)} classes": (confusions, metrics.mean_iou),
        f"mean of {metrics.scored_classes(joined.sum(0))} categories": (joined, metrics.mean_iou),
        "weighted by share": (confusions, metrics.frequency_weighted_iou),
        "pixel accuracy": (confusions, metrics.pixel_accuracy),
    }
    for name, (matrices, score) in totals.items():
        total = bootstrap(matrices, score)
        lines.append(f"{name:20} {percent(total.value)} [{percent(total.low)}, {percent(total.high)}]")
    return "\n".join(lines)


def _row(values: list[float]) -> str:
    return " ".join(map(percent, values))


def percent(value: float) -> str:
    """A share in seven characters; a dash where there is none."""
    return "      -" if np.isnan(value) else f"{100 * value:6.2f}%"
