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


@pytest.mark.filterwarnings("ignore:This DataLoader will create 4 worker")  # on fewer cores
def test_loader_processes_change_nothing(train):
    alone = batches_of(train)
    expected = [list(alone.epoch(epoch)) for epoch in (0, 1)]
    for workers in (1, 4):
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


# ------------------------------------------------------------------------------------- class-uniform crops


@pytest.fixture
def uneven(tmp_path) -> SegmentationDataset:
    """Ten pictures of class 0, void at the edge; a bit of class 5 in one, and of 8 in it and another."""
    for i in range(10):
        image, _ = random_pair(i, (128, 160))
        mask = np.zeros((128, 160), np.uint8)
        mask[:2] = 11  # void
        mask[100:102, 10:12] = {3: 5}.get(i, 0)
        mask[10:12, 140:142] = {3: 8, 7: 8}.get(i, 0)
        write_png(tmp_path / "uneven" / "train" / f"{i}.png", image)
        write_png(tmp_path / "uneven" / "trainannot" / f"{i}.png", mask)
    return create_dataset("camvid", "train", tmp_path / "uneven")


def uniform(dataset, share, workers=0, batch_size=5, **options) -> TrainingBatches:
    data = DataConfig(name="camvid", workers=workers, class_uniform=share)
    augment = AugmentConfig(scale=(1.0, 2.0), crop=(32, 32))
    return TrainingBatches(dataset, data, augment, batch_size, seed=1, **options)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_classes_are_drawn_alike_and_then_their_pictures(uneven, share):
    epochs = 80
    batches = [batch for epoch in range(epochs) for batch in uniform(uneven, share).epoch(epoch)]
    names = [name for batch in batches for name in batch["name"]]
    # Class 0 is in all ten pictures, 5 in the fourth, 8 in the fourth and the eighth.
    chosen = {"3": (1 / 10 + 1 + 1 / 2) / 3, "7": (1 / 10 + 1 / 2) / 3}
    for name in map(str, range(10)):
        expected = (1 - share) / 10 + share * chosen.get(name, 1 / 30)
        deviation = (expected * (1 - expected) / len(names)) ** 0.5
        assert abs(names.count(name) / len(names) - expected) < 3.5 * deviation
    crops = [mask for batch in batches for mask in batch["mask"]]
    rare = sum(bool((mask == 5).any()) for mask in crops) / len(crops)
    assert rare == pytest.approx(share / 3, abs=0.05)  # hardly ever by chance


def test_every_crop_shows_the_class_that_it_was_drawn_for(uneven):
    # Two pictures that hold class 5 or 8 and are void elsewhere: a crop that missed them would be all void.
    for i, class_id in ((3, 5), (7, 8)):
        mask = np.full((128, 160), 11, np.uint8)
        mask[15 * i, 20 * i] = class_id
        write_png(uneven.samples[i].mask, mask)
    pair = [uneven.samples[3], uneven.samples[7]]
    dataset = SegmentationDataset(uneven.name, uneven.split, uneven.labels, pair, uneven.root)
    batches = [batch for epoch in range(40) for batch in uniform(dataset, 1.0, batch_size=2).epoch(epoch)]
    for batch in batches:
        for name, mask in zip(batch["name"], batch["mask"], strict=True):
            assert set(mask.unique().tolist()) == {{"3": 5, "7": 8}[name], 255}


def test_a_picture_that_comes_twice_in_an_epoch_is_cut_twice(uneven):
    (batch,) = uniform(uneven, 1.0, batch_size=10).epoch(0)
    fourth = [image for name, image in zip(batch["name"], batch["image"], strict=True) if name == "3"]
    assert len(fourth) >= 3
    assert all(not torch.equal(fourth[0], other) for other in fourth[1:])


def test_class_uniform_batches_depend_on_seed_and_epoch_alone(uneven):
    whole = list(uniform(uneven, 0.7, batch_size=2).epoch(4))
    assert_equal(uniform(uneven, 0.7, batch_size=2).epoch(4, start=3), whole[3:])
    for workers in (1, 2):
        assert_equal(uniform(uneven, 0.7, workers, batch_size=2).epoch(4), whole)
    for rank in (0, 1):
        shares = uniform(uneven, 0.7, batch_size=2, rank=rank, world_size=2).epoch(4)
        for batch, expected in zip(shares, whole, strict=True):
            assert batch["name"] == expected["name"][rank::2]
            assert torch.equal(batch["mask"], expected["mask"][rank::2])
    assert [b["name"] for b in uniform(uneven, 0.7, batch_size=2).epoch(5)] != [b["name"] for b in whole]


def test_pictures_that_are_not_replaced_stay_what_they_are(uneven):
    """The order and the changes of the rest are those of an epoch without class-uniform crops."""
    plain, mixed = (list(uniform(uneven, share, batch_size=1).epoch(0)) for share in (0.0, 0.4))
    same = [torch.equal(a["image"], b["image"]) for a, b in zip(plain, mixed, strict=True)]
    assert 0 < sum(same) < 10
