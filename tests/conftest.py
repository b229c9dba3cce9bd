"""What all tests share: a cache of their own, a tiny set of street scenes, a tiny experiment."""

from dataclasses import replace

import pytest
import torch

from seglab.config import AugmentConfig, DataConfig, Experiment, ModelConfig, TrainingConfig
from seglab.datasets import street_scenes


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


@pytest.fixture
def change():
    """Replaces fields of one section of an experiment: `change(experiment, "training", epochs=1)`."""

    def change(experiment, section, **fields):
        return replace(experiment, **{section: replace(getattr(experiment, section), **fields)})

    return change
