"""Batches depend on seed and epoch, and on nothing else."""

import os
import signal
import time

import numpy as np
import pytest
import torch

from seglab.config import AugmentConfig, DataConfig
from seglab.datasets import create_dataset
from seglab.datasets.base import SegmentationDataset
from seglab.datasets.loading import TrainingBatches, _default_workers, evaluation_samples
from seglab.errors import ConfigError, DataError

from .conftest import random_pair, write_png

AUGMENT = AugmentConfig(scale=(0.5, 2.0), brightness=0.3, contrast=0.3, saturation=0.3)


@pytest.fixture
def train(camvid_root) -> SegmentationDataset:
    return create_dataset("camvid", "train", camvid_root)


def batches_of(dataset, workers=0, batch_size=4, seed=1, **options) -> TrainingBatches:
    data = DataConfig(name="camvid", input_size=(32, 40), workers=workers)
    return TrainingBatches(dataset, data, AUGMENT, batch_size, seed, **options)


def assert_equal(batches, expected):
    for batch, other in zip(batches, expected, strict=True):
        assert batch["name"] == other["name"]
        assert torch.equal(batch["image"], other["image"]) and torch.equal(batch["mask"], other["mask"])


def test_a_batch_has_the_promised_kinds_and_shapes(train):
    loader = batches_of(train)
    assert len(loader) == 2  # 10 pictures make two batches of 4; the last two are left out
    batches = list(loader.epoch(0))
    assert len(batches) == 2
    for batch in batches:
        assert batch["image"].dtype == batch["mask"].dtype == torch.uint8
        assert batch["image"].shape == (4, 3, 32, 40) and batch["mask"].shape == (4, 32, 40)
        assert type(batch["image"]) is type(batch["mask"]) is torch.Tensor
        assert all(name.startswith("train_") for name in batch["name"])


def test_an_epoch_shows_every_picture_once_in_an_order_of_its_own(train):
    orders = []
    for seed, epoch in ((1, 0), (1, 1), (2, 0)):
        loader = batches_of(train, batch_size=5, seed=seed)
        orders.append([name for batch in loader.epoch(epoch) for name in batch["name"]])
        assert sorted(orders[-1]) == train.names
    assert orders[0] != orders[1] and orders[0] != orders[2] and orders[1] != orders[2]


def test_a_picture_changes_from_epoch_to_epoch(train):
    loader = batches_of(train, batch_size=10)
    first, second = (next(loader.epoch(epoch)) for epoch in (0, 1))
    first, second = (dict(zip(batch["name"], batch["image"], strict=True)) for batch in (first, second))
    assert all(not torch.equal(first[name], second[name]) for name in train.names)


def test_loader_processes_change_nothing(train):
    alone = batches_of(train)
    expected = [list(alone.epoch(epoch)) for epoch in (0, 1)]
    for workers in (1, 2):
        loader = batches_of(train, workers)
        for epoch in (0, 1):
            assert_equal(loader.epoch(epoch), expected[epoch])


@pytest.mark.parametrize("workers", [0, 1])
def test_an_epoch_can_begin_in_its_middle_and_be_left_in_its_middle(train, workers):
    loader = batches_of(train, workers, batch_size=2)
    whole = list(loader.epoch(3))
    assert_equal(loader.epoch(3, start=2), whole[2:])
    assert list(loader.epoch(3, start=5)) == []
    next(loader.epoch(2))
    assert_equal(loader.epoch(3), whole)


def test_training_processes_share_every_batch(train):
    whole = list(batches_of(train).epoch(0))
    shares = [list(batches_of(train, rank=rank, world_size=2).epoch(0)) for rank in (0, 1)]
    for rank, batches in enumerate(shares):
        for batch, expected in zip(batches, whole, strict=True):
            assert batch["name"] == expected["name"][rank::2]
            assert torch.equal(batch["image"], expected["image"][rank::2])


def test_no_global_random_state_is_touched(train):
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    for workers in (0, 1):
        list(batches_of(train, workers).epoch(0))
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)


def test_augmentation_gives_the_threads_back(train):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        next(batches_of(train).epoch(0))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("batch_size", "world_size", "message"),
    [(11, 1, "got 11; allowed are up to 10, the pictures of camvid"), (4, 3, "allowed is a multiple of 3")],
)
def test_an_impossible_batch_size_is_refused(train, batch_size, world_size, message):
    with pytest.raises(ConfigError, match=f"training.batch_size: .*{message}"):
        batches_of(train, batch_size=batch_size, world_size=world_size)


def test_workers_are_chosen_by_device(monkeypatch):
    cores = len(os.sched_getaffinity(0))
    assert _default_workers("cpu") == 0
    assert _default_workers("cuda") == min(cores, 8)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(cores))
    assert _default_workers("cuda") == 1


@pytest.mark.parametrize("workers", [0, 2])
def test_a_damaged_picture_in_the_middle_of_an_epoch_is_named_in_one_sentence(train, workers):
    loader = batches_of(train, workers, batch_size=2)
    names = [batch["name"] for batch in loader.epoch(0)]
    path = train.root / "train" / f"{names[3][1]}.png"
    path.write_bytes(path.read_bytes()[:200])
    batches = loader.epoch(0)
    assert [next(batches)["name"] for _ in range(3)] == names[:3]
    with pytest.raises(DataError) as caught:
        next(batches)
    assert str(caught.value).startswith(f"{path}: damaged or cut off")
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize("workers", [0, 1])
def test_pictures_of_unequal_size_need_a_size(train, workers):
    image, mask = random_pair(0, (40, 64))
    write_png(train.samples[4].image, image)
    write_png(train.samples[4].mask, mask)
    loader = TrainingBatches(train, DataConfig(name="camvid", workers=workers), AUGMENT, 10, seed=0)
    with pytest.raises(ConfigError, match=r"^data\.input_size, augment\.crop: .*40 x 64, 48 x 64"):
        next(loader.epoch(0))
    cropped = AugmentConfig(crop=(32, 32))
    loader = TrainingBatches(train, DataConfig(name="camvid", workers=workers), cropped, 10, seed=0)
    assert next(loader.epoch(0))["mask"].shape == (10, 32, 32)


class Deadly(SegmentationDataset):
    """Kills the process that reads one certain picture."""

    def read(self, index: int):
        if self.samples[index].name == "train_07":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().read(index)


def test_a_loader_process_that_dies_is_reported_with_its_pictures(train):
    dataset = Deadly(train.name, train.split, train.labels, train.samples, train.root)
    with pytest.raises(DataError, match=r"a loader process died while it prepared .*train_07\.png"):
        for _ in batches_of(dataset, workers=2, batch_size=2).epoch(0):
            time.sleep(0.3)  # the training, into which no error of a loader process may burst


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_evaluation_gives_every_sample_once_and_unchanged(train, world_size):
    seen = []
    for rank in range(world_size):
        for index, name, image, mask in evaluation_samples(train, rank, world_size):
            expected_image, expected_mask = train.read(index)
            assert name == train.names[index]
            assert image.dtype == mask.dtype == torch.uint8 and image.shape == (3, 48, 64)
            assert np.array_equal(image.permute(1, 2, 0), expected_image)
            assert np.array_equal(mask, expected_mask)
            seen.append(index)
    assert sorted(seen) == list(range(10))


def test_evaluation_names_a_damaged_picture_when_its_turn_comes(train):
    path = train.samples[6].mask
    path.write_bytes(path.read_bytes()[:200])
    samples = evaluation_samples(train)
    assert [next(samples)[0] for _ in range(6)] == list(range(6))
    with pytest.raises(DataError, match=r"train_06\.png: damaged"):
        next(samples)
