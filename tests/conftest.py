"""What all tests share: a cache of their own, a tiny set of street scenes, a tiny experiment."""

import json
import shutil
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from seglab import comparison, lr_curve, metrics, repeats, runs, samples
from seglab.config import AugmentConfig, DataConfig, Experiment, ModelConfig, TrainingConfig
from seglab.datasets import street_scenes
from seglab.labels import CAMVID11, IGNORE_INDEX, SOCCER4
from seglab.recipes import recipe
from seglab.samples import Sample


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory):
    """No test reads or fills the cache folder of the person who runs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGLAB_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """The networks of the tests are too small to share out; on a busy machine threads wait for each other."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def scenes(own_cache, tmp_path_factory):
    """Folder of a set of street scenes of 64x128 pixels: 6 to train on, 2 each for val and test."""
    root = tmp_path_factory.mktemp("data") / "scenes"
    return street_scenes.make(root, counts={"train": 6, "val": 2, "test": 2}, size=(64, 128), processes=1)


@pytest.fixture
def tiny(scenes):
    """An experiment that trains in a second: a thousandth of Mini-HRNet on the tiny scenes, six steps."""
    return Experiment(
        "tests",
        "tiny",
        "quick",
        data=DataConfig("street_scenes", str(scenes), report_splits=("val", "test")),
        augment=AugmentConfig(scale=(0.8, 1.2), brightness=0.2),
        model=ModelConfig("minihrnet_a3", {"widths": [4, 4], "repetitions": 0, "block": "basic"}),
        training=TrainingConfig(
            epochs=3, batch_size=3, precision="fp32", memory_format="contiguous", save_every_s=0.0
        ),
    )


# The runs of `study_results` on CamVid: the networks of the projects, a rival, the largest, three ablations.
INVENTED = (
    "minihrnet_a3", "segsmall", "miniunet", "erfnet", "hrnetv2_w48",
    "a3_norm_batch", "a3_block_basic", "a3_no_augmentation",
)  # fmt: skip


@pytest.fixture(scope="session")
def study_results(tmp_path_factory):
    """A folder of results such as a whole study leaves: every kind of file, its numbers drawn at random."""
    root = tmp_path_factory.mktemp("study") / "results"
    for name in ("models", "datasets", "benchmarks"):
        shutil.copytree(Path(__file__).parents[1] / "results" / name, root / name)
    rng = np.random.default_rng(0)
    planned = [*comparison.networks(), *comparison.ablations(), *comparison.soccer_phases()]
    planned = [one for one in planned if one.seed < 2 and (one.name in INVENTED or one.phases)]
    planned += [*comparison.tuning(), *(one for one in comparison.twins() if one.name in INVENTED)]
    for nth, experiment in enumerate(planned):
        _invent_run(root, experiment, nth, rng)
    names = [one.name for one in comparison.networks() if one.name in INVENTED]
    times = pd.DataFrame({"model": list(dict.fromkeys(names)), "median_ms": 50.0, "p95_ms": 60.0})
    times["median_ms"] += 7.0 * np.arange(len(times))
    times = times.assign(height=180, width=240, precision="fp32", memory_format="contiguous")
    times.to_csv(root / comparison.STUDY / "latency.csv", index=False)
    _invent_gpu_latency(list(times["model"])).to_csv(root / "benchmarks" / "gpu_latency.csv", index=False)
    run = root / comparison.STUDY / "erfnet" / "seed0"
    compared = {"history": repeats.SAME, "confusion matrices": "test: 7 of 9 pixels counted otherwise"}
    repeats.write(run, repeats.Repeat(compared, {"code_revision": "c0ffee"}))
    faults = [{"fault": "F1", "injected": 40, "survived": 40}, {"fault": "F2", "injected": 9, "survived": 8}]
    (root / "faults.json").write_text(json.dumps(faults), encoding="utf-8")
    for name in ("segsmall", "minihrnet_a3"):
        loss = 1 + 3 / (1 + np.geomspace(0.01, 100, 60)) + rng.random(60) / 9
        experiment = recipe(name, "street_scenes", "laptop")
        lr_curve.write(
            root / "lr_range" / "street_scenes" / name,
            experiment,
            lr_curve.LrCurve(np.geomspace(1e-6, 1, 60), loss, loss),
        )
    for name in ("recipe", "not_frozen"):
        kept = [_invent_sample(sample, rng) for sample in "xyz"]
        samples.write(root / "soccer_phases" / name / "seed0", "test", kept, SOCCER4)
    return root


@pytest.fixture
def copy(study_results, tmp_path):
    """A folder of results that a test may change."""
    return Path(shutil.copytree(study_results, tmp_path / "copy"))


def _invent_gpu_latency(names):
    """Two sizes, two formats, both ways; no time occurs twice."""
    rows = []
    for height, precision, recorded in product((512, 1024), ("fp32", "bf16"), (False, True)):
        for nth, name in enumerate(names):
            rows.append(
                {
                    "model": name, "median_ms": 3.0 + nth + len(rows) / 10, "device": "Some GPU",
                    "precision": precision, "memory_format": "contiguous", "cuda_graphs": recorded,
                    "macs": 10**9 * (1 + nth) * height, "height": height, "width": 2 * height,
                }
            )
    return pd.DataFrame(rows)  # fmt: skip


def _invent_sample(name, rng):
    """A picture in blocks, one of them ignored, and a prediction that is right in the lower half."""
    image = rng.integers(0, 256, (24, 32, 3), np.uint8)
    mask = np.kron(rng.integers(0, 4, (3, 4), np.uint8), np.ones((8, 8), np.uint8))
    prediction = mask.copy()
    prediction[:12] = 0
    mask[-8:, -8:] = IGNORE_INDEX
    return Sample(name, image, mask, prediction)


def _invent_run(root, experiment, nth, rng):
    labels = CAMVID11 if experiment.data.name == "camvid" else SOCCER4
    folder = runs.create(root / experiment.study / experiment.name / f"seed{experiment.seed}", experiment)
    epochs = max(6, experiment.training.epochs)
    names = [phase.name for phase in experiment.phases for _ in range(phase.epochs)]
    names += ["training"] * (epochs - len(names))
    runs.write_history(
        folder,
        [
            {
                "epoch": epoch + 1, "phase": names[epoch], "loss": 2 / (epoch + 1) ** 0.4 + nth % 3 / 9,
                "mean_iou": 0.6 - 0.5 / (epoch + 1) if epoch % 3 == 2 else None, "seconds": 20.0,
            }
            for epoch in range(epochs)
        ],
    )  # fmt: skip
    scores = {}
    for split in experiment.data.report_splits:
        scores[split] = {"mean_iou": _invent_scores(folder, split, labels, nth, rng)}
    params, macs = 10**6 * (1 + nth % 12), 10**9 * (1 + nth % 5)
    runs.write_summary(
        folder,
        {
            "scores": scores,
            "cost": {"params": params, "macs": macs, "input_size": [180, 240]},
            "time": {"seconds": 20.0 * epochs, "cpu_seconds": 39.0 * epochs},
            "provenance": {
                "data_digests": {}, "device": "A GPU" if experiment.training.device == "cuda" else "cpu",
            },
        },
    )
    if experiment.name in ("segsmall", "minihrnet_a3"):
        asked = folder / "evaluations" / "test-scales"
        asked.mkdir(parents=True)
        _invent_scores(asked, "test", labels, nth, rng)
        runs.write_summary(asked, {"inference": {"scales": [0.75, 1.0, 1.25]}})


def _invent_scores(folder, split, labels, nth, rng):
    """Writes matrices of ten pictures, the same truth in all runs, and their sum; returns the mean IoU."""
    number = labels.num_classes
    counts = np.empty((10, number + 1, number), int)
    for k in range(number + 1):  # the last one is what is ignored
        shares = np.full(number, 1 / number)
        if k < number:
            right = 0.3 + 0.08 * (nth % 7)
            shares = (1 - right) * shares + right * (np.arange(number) == k)
        counts[:, k] = rng.multinomial(20 * (number + 1 - k), shares, 10)
    runs.write_images(folder, split, runs.ImageCounts(tuple("abcdefghij"), counts))
    confusion = counts[:, :-1].sum(0)
    runs.write_confusion(folder, split, confusion, labels.classes)
    return metrics.mean_iou(confusion)


@pytest.fixture
def change():
    """Replaces fields of one section of an experiment: `change(experiment, "training", epochs=1)`."""

    def change(experiment, section, **fields):
        return replace(experiment, **{section: replace(getattr(experiment, section), **fields)})

    return change
