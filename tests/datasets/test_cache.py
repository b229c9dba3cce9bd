"""The decoded cache gives the same pixels, or it is not used."""

import logging
import os
import pickle

import numpy as np
import pytest

from seglab.datasets import create_dataset
from seglab.datasets.cache import cached
from seglab.datasets.loading import evaluation_samples
from seglab.datasets.locations import cache_root
from seglab.errors import DataError

from .conftest import random_pair, write_png


@pytest.fixture
def train(camvid_root):
    return create_dataset("camvid", "train", camvid_root)


def decoded() -> list[str]:
    """What lies in the cache folder for decoded pictures."""
    return sorted(path.name for path in (cache_root() / "decoded").glob("*"))


def assert_same_pixels(dataset, other):
    assert len(dataset) == len(other) and dataset.names == other.names
    for i in range(len(other)):
        for pixels, expected in zip(dataset.read(i), other.read(i), strict=True):
            assert pixels.dtype == np.uint8 and np.array_equal(pixels, expected)
        assert np.array_equal(dataset.read_mask(i), other.read_mask(i))


def forbid_decoding(monkeypatch):
    import seglab.datasets.base as base

    for name in ("read_pair", "read_mask"):
        monkeypatch.setattr(base, name, lambda *args: pytest.fail("a picture was decoded"))


def test_the_cache_holds_the_same_pixels_and_is_made_once(train, monkeypatch):
    expected = [train.read(i) for i in range(len(train))]
    digest = train.digest()
    assert_same_pixels(cached(train, 1), train)
    assert decoded() == [digest]
    forbid_decoding(monkeypatch)
    again = cached(create_dataset("camvid", "train", train.root), 1)
    for i, pair in enumerate(expected):
        assert all(np.array_equal(a, b) for a, b in zip(again.read(i), pair, strict=True))
    assert again.digest() == digest and again.labels == train.labels
    assert (again.name, again.split) == ("camvid", "train")


def test_the_caller_may_write_into_what_he_read(train):
    dataset = cached(train, 1)
    for pixels in dataset.read(0):
        pixels[:] = 77
    assert_same_pixels(dataset, train)


def test_it_travels_to_another_process_without_its_pixels(train):
    dataset = cached(train, 1)
    dataset.read(0)
    message = pickle.dumps(dataset)
    assert len(message) < 10_000
    assert_same_pixels(pickle.loads(message), train)


def test_evaluation_reads_it(train):
    samples, expected = evaluation_samples(cached(train, 1)), evaluation_samples(train)
    assert all(np.array_equal(a[2], b[2]) for a, b in zip(samples, expected, strict=True))


@pytest.mark.parametrize("name", ["images.npy", "masks.npy", "sha256.json"])
@pytest.mark.parametrize("damage", ["byte", "cut", "gone"])
def test_a_damaged_cache_is_made_again(train, caplog, name, damage):
    cached(train, 1)
    path = cache_root() / "decoded" / train.digest() / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.unlink() if damage == "gone" else path.write_bytes(data if damage == "byte" else data[:-1])
    assert_same_pixels(cached(train, 1), train)
    assert "damaged" in caplog.text
    caplog.clear()
    cached(train, 1)
    assert caplog.text == ""


def test_a_changed_picture_never_meets_the_old_cache(train):
    cached(train, 1)
    write_png(train.samples[3].image, random_pair(999)[0])
    assert_same_pixels(cached(train, 1), train)
    assert len(decoded()) == 2


def test_nothing_is_left_of_a_cache_that_could_not_be_finished(train):
    path = train.samples[7].mask
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match=r"train_07\.png: damaged"):
        cached(train, 1)
    assert decoded() == []


def test_what_a_killed_process_left_goes_after_a_day(train):
    folder = cache_root() / "decoded"
    for name in ("old.1.part", "new.1.part"):
        (folder / name).mkdir(parents=True)
    os.utime(folder / "old.1.part", (1e9, 1e9))
    cached(train, 1)
    assert decoded() == sorted([train.digest(), "new.1.part"])


def refused(dataset, limit_gib, caplog) -> str:
    caplog.set_level(logging.WARNING)
    assert cached(dataset, limit_gib) is dataset
    assert decoded() == []
    assert len(caplog.records) == 1 and "pictures are decoded each time" in caplog.text
    return caplog.text


def test_no_cache_beyond_the_limit(train, caplog):
    limit_gib = 10 * 48 * 64 * 4 / 2**30  # ten pictures with three colours and a mask
    message = refused(train, limit_gib * 0.99, caplog)
    assert "data.cache_gib" in message
    assert cached(train, limit_gib) is not train


def test_no_cache_for_limit_zero_and_no_word_about_it(train, caplog):
    assert cached(train, 0) is train
    assert decoded() == [] and not caplog.records


def test_no_cache_for_pictures_of_unequal_size(train, caplog):
    image, mask = random_pair(5, (40, 64))
    write_png(train.samples[4].image, image)
    write_png(train.samples[4].mask, mask)
    assert "they differ in size" in refused(train, 1, caplog)


def test_no_cache_where_the_folder_cannot_be_made(train, caplog, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SEGLAB_CACHE", str(tmp_path / "file" / "cache"))
    assert "cannot hold them" in refused(train, 1, caplog)


def test_no_cache_on_a_full_disk(train, caplog, monkeypatch):
    usage = type("usage", (), {"free": 100_000})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    assert "0.0 GiB are free" in refused(train, 1, caplog)
