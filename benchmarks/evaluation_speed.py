"""Scoring masks: seglab beside torchmetrics, scikit-learn, cityscapesscripts and a loop over the classes.

All score the same predictions of the 101 validation masks of CamVid in this process and one thread, and agree
before anything is timed. They take turns, so that a busy machine slows all alike; seglab runs twice in every
round, and where those two differ by more than 5 per cent the comparison says nothing.

    python benchmarks/evaluation_speed.py [camvid | street_scenes]
"""

import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torchmetrics
from cityscapesscripts.evaluation import evalPixelLevelSemanticLabeling as official
from PIL import Image
from sklearn.metrics import confusion_matrix as sklearn_confusion

from seglab import metrics
from seglab.datasets import create_dataset
from seglab.evaluation.confusion import ConfusionCounter
from seglab.labels import CITYSCAPES, IGNORE_INDEX
from seglab.metrics.confusion import ratio

ROUNDS = 9
WARM_UP = 2
Pairs = list[tuple[np.ndarray, np.ndarray]]


def seglab_numpy(pairs: Pairs, classes: int) -> np.ndarray:
    return metrics.iou(sum(metrics.confusion_matrix(p, m, classes) for p, m in pairs))


def seglab_torch(pairs: Pairs, classes: int) -> np.ndarray:
    """What the training and `seglab evaluate` use: one matrix for each picture, predictions as int64."""
    counter = ConfusionCounter(classes, torch.device("cpu"))
    for index, (prediction, mask) in enumerate(pairs):
        counter.add(torch.from_numpy(prediction)[None].long(), torch.from_numpy(mask)[None], [str(index)])
    return metrics.iou(counter.images()[:, :-1].sum(0))


def torchmetrics_jaccard(pairs: Pairs, classes: int, validate: bool) -> np.ndarray:
    metric = torchmetrics.classification.MulticlassJaccardIndex(
        classes, average=None, ignore_index=IGNORE_INDEX, validate_args=validate
    )
    for prediction, mask in pairs:
        metric.update(torch.from_numpy(prediction)[None], torch.from_numpy(mask)[None].long())
    return metric.compute().numpy()


def class_by_class(pairs: Pairs, classes: int) -> np.ndarray:
    """The way of SegSmall: two masks of the whole picture for each class, intersected and joined."""
    both, either = np.zeros((2, classes))
    for prediction, mask in pairs:
        labelled = mask != IGNORE_INDEX
        for k in range(classes):
            said, true = (prediction == k) & labelled, mask == k
            both[k] += np.logical_and(said, true).sum()
            either[k] += np.logical_or(said, true).sum()
    return ratio(both, either)


def scikit_learn(pairs: Pairs, classes: int) -> np.ndarray:
    total = np.zeros((classes, classes), np.int64)
    for prediction, mask in pairs:
        kept = mask != IGNORE_INDEX
        total += sklearn_confusion(mask[kept], prediction[kept], labels=np.arange(classes))
    return metrics.iou(total)


def official_files(pairs: Pairs, folder: Path) -> tuple[list[str], list[str]]:
    """The same masks with the first Cityscapes ids, as uncompressed files: the script reads nothing else."""
    names: tuple[list[str], list[str]] = ([], [])
    for index, pair in enumerate(pairs):
        for kind, ids in enumerate(pair):
            path = folder / f"{index}_{kind}.pgm"
            Image.fromarray(CITYSCAPES.to_file_ids(ids)).save(path)
            names[kind].append(str(path))
    return names


def cityscapesscripts(files: tuple[list[str], list[str]], classes: int) -> np.ndarray:
    official.args.evalInstLevelScore = official.args.JSONOutput = False
    official.args.quiet = True
    scores = official.evaluateImgLists(*files, official.args)["classScores"]
    return np.array([scores[name] for name in CITYSCAPES.classes[:classes]])


def make_pairs(name: str) -> tuple[Pairs, int]:
    """The masks of the validation split, and predictions that are wrong in blocks, as a network's are."""
    dataset = create_dataset(name, "val")
    rng = np.random.default_rng(0)
    pairs = []
    for index in range(len(dataset)):
        mask = dataset.read_mask(index)
        height, width = mask.shape
        shape = -(-height // 8), -(-width // 8)
        wrong = (rng.random(shape) < 0.15).repeat(8, 0).repeat(8, 1)[:height, :width]
        other = rng.integers(0, dataset.labels.num_classes, shape, np.uint8)
        other = other.repeat(8, 0).repeat(8, 1)[:height, :width]
        pairs.append((np.where(wrong | (mask == IGNORE_INDEX), other, mask), mask))
    return pairs, dataset.labels.num_classes


def measure(ways: dict[str, Callable[[], np.ndarray]]) -> dict[str, np.ndarray]:
    """Seconds of each way in each round."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(WARM_UP + ROUNDS):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if number >= WARM_UP:
                seconds[name].append(time.perf_counter() - start)
    return {name: np.array(values) for name, values in seconds.items()}


def main(name: str = "camvid") -> None:
    torch.set_num_threads(1)
    pairs, classes = make_pairs(name)
    with tempfile.TemporaryDirectory() as folder:
        files = official_files(pairs, Path(folder))
        ways = {
            "seglab": lambda: seglab_numpy(pairs, classes),
            "seglab again": lambda: seglab_numpy(pairs, classes),
            "seglab, by picture": lambda: seglab_torch(pairs, classes),
            "torchmetrics, unchecked": lambda: torchmetrics_jaccard(pairs, classes, False),
            "torchmetrics": lambda: torchmetrics_jaccard(pairs, classes, True),
            "class by class": lambda: class_by_class(pairs, classes),
            "scikit-learn": lambda: scikit_learn(pairs, classes),
            "cityscapesscripts": lambda: cityscapesscripts(files, classes),
        }
        expected = seglab_numpy(pairs, classes)
        for label, way in ways.items():
            np.testing.assert_allclose(way(), expected, rtol=1e-5, err_msg=label)
        seconds = measure(ways)

    height, width = pairs[0][1].shape
    print(f"{len(pairs)} masks of {name}, {height} x {width}, {classes} classes; {ROUNDS} rounds, one thread")
    print(
        f"torch {torch.__version__}, torchmetrics {torchmetrics.__version__}, {platform.machine()}, "
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    rng = np.random.default_rng(0)
    for label, values in seconds.items():
        ratios = values / seconds["seglab"]
        drawn = np.median(rng.choice(ratios, (2000, ROUNDS)), axis=1)
        low, high = np.quantile(drawn, [0.025, 0.975])
        print(
            f"{label:24} median {1e3 * np.median(values):7.1f} ms, best {1e3 * values.min():7.1f} ms, "
            f"time relative to seglab {np.median(ratios):6.2f} [{low:.2f}, {high:.2f}]"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
