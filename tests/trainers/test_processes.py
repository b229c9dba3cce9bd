"""Two processes against one: the same steps, the same scores of the same pictures, one that writes."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from seglab import checkpoints, runs
from seglab.config import IMAGENET_MEAN, IMAGENET_STD, LossConfig, ModelConfig, PhaseConfig, to_yaml
from seglab.datasets import create_dataset
from seglab.datasets.loading import TrainingBatches
from seglab.evaluation.evaluate import evaluate
from seglab.models import create_model
from seglab.trainers.loop import train
from seglab.trainers.lr_range import find_lr

RANKS = (0, 1)


def torchrun(*command, fails=False):
    """Runs a command in two processes; returns what they printed, or complained about if it is to fail."""
    command = [
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        "2",
        "--no-python",
        sys.executable,
        *command,
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TORCH_CPP_LOG_LEVEL": "ERROR"}
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, env=environment, timeout=300
    )
    assert (done.returncode != 0) is fails, done.stderr
    return done.stderr if fails else done.stdout


@pytest.fixture
def experiments(gentle, change):
    """What is trained in two processes, by name."""
    options = {**gentle.model.options, "norm": "batch"}
    small = change(gentle, "training", epochs=3)
    head = LossConfig(class_weights="log_inverse")
    return {
        "instance": gentle,
        "batch": change(change(gentle, "model", options=options), "training", ema_decay=0.9),
        "phases": replace(
            small,
            phases=(
                PhaseConfig("frozen", 1, input_size=(32, 64), freeze=("stem",)),
                PhaseConfig("all", 1),
                PhaseConfig("other", 1, freeze=("cascade",)),
            ),
        ),
        "aux": replace(
            small,
            model=ModelConfig("erfnet"),
            data=replace(small.data, input_size=(32, 64)),
            phases=(
                PhaseConfig("encoder", 1, freeze=("decoder", "head"), head="aux", loss=head),
                PhaseConfig("both", 1, loss=LossConfig(aux_weight=0.4)),
                PhaseConfig("decoder", 1),
            ),
        ),
    }


@pytest.fixture(scope="module")
def shared_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("processes") / "two"


@pytest.fixture
def two(experiments, shared_folder):
    """Folder of the trainings in two processes, done once for all tests."""
    if not shared_folder.exists():
        shared_folder.mkdir()
        for name, experiment in experiments.items():
            (shared_folder / f"{name}.yaml").write_text(to_yaml(experiment), encoding="utf-8")
        torchrun(str(Path(__file__).with_name("two_processes.py")), str(shared_folder))
    return shared_folder


def seen(two, name):
    return [json.loads((two / f"{name}.rank{rank}.json").read_text()) for rank in RANKS]


def distance(one, other):
    """Largest difference of two sets of weights, and the length of their difference."""
    differences = torch.cat([(one[name] - other[name]).double().flatten() for name in one])
    return differences.abs().max().item(), differences.norm().item()


@pytest.mark.parametrize("name", ["instance", "phases"])
def test_without_batch_statistics_two_take_the_steps_of_one(experiments, two, tmp_path, name):
    train(experiments[name], tmp_path / "one")
    largest, _ = distance(*(checkpoints.load_weights(folder) for folder in (tmp_path / "one", two / name)))
    assert largest < 1e-5
    one, other = (runs.read_history(folder) for folder in (tmp_path / "one", two / name))
    np.testing.assert_allclose(one["loss"], other["loss"], rtol=1e-5)
    assert list(one["step"]) == list(other["step"]) and list(one["phase"]) == list(other["phase"])
    assert runs.read_summary(two / name)["provenance"]["processes"] == 2


def by_hand(experiment):
    """The weights after two steps of SGD, the halves of each batch computed one after the other.

    Each half is normalised with its own statistics; its loss is divided by the labelled pixels of both.
    """
    torch.manual_seed(experiment.seed)
    model = create_model(experiment.model.name, 19, **experiment.model.options)
    dataset = create_dataset("street_scenes", "train", experiment.data.root)
    optimizer = torch.optim.SGD(
        [{"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": 1e-4},
         {"params": [p for p in model.parameters() if p.ndim == 1]}],
        lr=1e-3, momentum=0.9,
    )  # fmt: skip
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    halves = [
        TrainingBatches(dataset, experiment.data, experiment.augment, 6, 0, rank=rank, world_size=2)
        for rank in RANKS
    ]
    for step in range(2):
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * (1 - step / 2) ** 0.9
        batch = [next(half.epoch(step)) for half in halves]
        labelled = sum((half["mask"] != 255).sum() for half in batch)
        for half in batch:
            logits = model((half["image"] / 255 - mean) / std)
            F.cross_entropy(logits, half["mask"].long(), ignore_index=255, reduction="sum").div(
                labelled
            ).backward()
        optimizer.step()
        optimizer.zero_grad()
    return {name: weight.detach() for name, weight in model.named_parameters()}


def test_with_batch_statistics_each_process_normalises_with_its_own_half(experiments, two, tmp_path):
    experiment = experiments["batch"]
    expected = by_hand(experiment)
    both = checkpoints.load_newest(two / "batch" / "checkpoints")[0]["model"]
    assert distance(expected, both)[0] < 2e-5  # it was 3.4e-6

    # And that is all that tells two processes from one: after two steps their weights are apart by 0.027 of
    # a length of 61, and their losses by 2 in a thousand.
    train(experiment, tmp_path / "one")
    one = checkpoints.load_newest(tmp_path / "one" / "checkpoints")[0]["model"]
    length = torch.cat([weight.flatten() for weight in expected.values()]).norm().item()
    assert 1e-5 < distance({name: one[name] for name in expected}, both)[1] / length < 1e-3
    losses = [runs.read_history(folder)["loss"].to_numpy() for folder in (tmp_path / "one", two / "batch")]
    np.testing.assert_allclose(*losses, rtol=0.01)


@pytest.mark.parametrize("name", ["instance", "batch", "phases", "aux"])
def test_both_processes_hold_the_same_weights_and_statistics(experiments, two, name):
    first, second = seen(two, name)
    assert first["digests"] == second["digests"]
    assert len(set(first["digests"])) == experiments[name].training.epochs


@pytest.mark.parametrize("name", ["instance", "batch", "phases", "aux"])
@pytest.mark.parametrize("split", ["val", "test"])
def test_two_score_every_picture_once_exactly_as_one_does(two, name, split):
    alone = evaluate(two / name, split)
    np.testing.assert_array_equal(alone.confusion, runs.read_confusion(two / name, split)[0])
    recorded = runs.read_images(two / name, split)
    assert recorded.names == alone.images.names and len(recorded.names) == 2
    np.testing.assert_array_equal(recorded.counts, alone.images.counts)


def test_an_auxiliary_head_is_trained_where_it_should_be(experiments, two):
    torch.manual_seed(0)
    start, end = dict(create_model("erfnet", 19).named_parameters()), checkpoints.load_weights(two / "aux")
    # Biases are left out: normalisation takes away what they add, and their gradients are rounding.
    assert all(not torch.equal(start[name], end[name]) for name in start if start[name].ndim > 1)
    history = runs.read_history(two / "aux")
    assert list(history["phase"]) == ["encoder", "both", "decoder"] and history["loss"].notna().all()


@pytest.mark.parametrize("name", ["instance", "phases", "aux"])
def test_dropout_draws_other_numbers_in_each_process_and_step(experiments, two, name):
    drawn = [tuple(numbers) for rank in seen(two, name) for numbers in rank["drawn"]]
    assert len(drawn) == len(set(drawn)) == 2 * experiments[name].training.epochs


def test_a_new_phase_leaves_no_wrapper_of_the_one_before(two):
    assert [rank["wrappers"] for rank in seen(two, "phases")] == [[1, 1, 1]] * 2


def test_both_run_the_range_test_of_one(experiments, two):
    one = find_lr(experiments["aux"], first=1e-5, last=1e-2, steps=30).loss
    first, second = seen(two, "lr")
    assert first == second
    np.testing.assert_allclose(one[:3], first[:3], rtol=0.05)


def test_the_command_runs_in_two_processes_and_one_of_them_speaks(gentle, change, tmp_path):
    (tmp_path / "config.yaml").write_text(to_yaml(change(gentle, "training", epochs=1)), encoding="utf-8")
    program = "from seglab.cli import main; raise SystemExit(main())"
    out = torchrun(
        "-c", program, "train", f"--config={tmp_path / 'config.yaml'}", f"--out={tmp_path / 'run'}"
    )
    assert out.count("val: mean IoU") == 1
    assert runs.read_summary(tmp_path / "run")["provenance"]["processes"] == 2


FULL_DISK = """
import os, sys
from seglab import runs
from seglab.config import read_yaml
from seglab.errors import DiskError
from seglab.trainers.loop import train

def full(folder, history):
    raise DiskError("no space on this disk")

if os.environ["RANK"] == "0":
    runs.write_history = full
train(read_yaml(sys.argv[1]), sys.argv[2])
"""


def test_an_error_of_one_process_ends_both(gentle, tmp_path):
    """The other one waits for the next step meanwhile, and would wait for ever."""
    (tmp_path / "config.yaml").write_text(to_yaml(gentle), encoding="utf-8")
    said = torchrun("-c", FULL_DISK, str(tmp_path / "config.yaml"), str(tmp_path / "run"), fails=True)
    assert "no space on this disk" in said
