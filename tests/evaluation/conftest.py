"""A finished run that nobody had to train."""

import numpy as np
import pytest
import torch

from seglab import checkpoints, runs
from seglab.datasets import label_space
from seglab.models import create_model


@pytest.fixture
def make_run(tiny, tmp_path):
    """Makes run folders with random weights, by seed; none of them has scores yet."""

    def make(seed=0):
        folder = runs.create(tmp_path / f"run{seed}", tiny)
        torch.manual_seed(seed)
        classes = label_space(tiny.data.name).num_classes
        checkpoints.save_weights(folder, create_model(tiny.model.name, classes, **tiny.model.options))
        placed = {"device": "cpu", "precision": "fp32", "memory_format": "contiguous"}
        runs.write_summary(folder, {"provenance": placed})
        return folder

    return make


@pytest.fixture
def files_of():
    """The content of all files below a folder, by their path."""

    def files_of(folder):
        paths = (path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}

    return files_of


@pytest.fixture
def random_counts():
    """Confusion matrices (N,K+1,K) of pictures on one truth, different for each seed."""

    def random_counts(seed, number=12, classes=19):
        truth = np.random.default_rng(0).integers(1, 200, (number, classes + 1))
        rng = np.random.default_rng(seed)
        return rng.multinomial(truth, np.full(classes, 1 / classes))

    return random_counts
