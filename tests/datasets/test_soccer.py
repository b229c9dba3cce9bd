"""Real soccer pictures: the Mini-UNet project's layout with its one split, and the HULKs' NAO pictures."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from seglab.datasets import create_dataset, own, soccer
from seglab.errors import ConfigError, DataError
from seglab.labels import IGNORE_INDEX, SOCCER4

from .conftest import random_pair, write_png

BACKGROUND, BALL, LINES, FIELD = range(4)


@pytest.fixture
def soccer_root(tmp_path):
    """The Mini-UNet project's layout: 20 pictures of 32 x 40 pixels with dots in their names."""
    root = tmp_path / "data" / "soccer"
    (root / "JPEG_images").mkdir(parents=True)
    for number in range(20):
        image, mask = random_pair(number, (32, 40), range(4))
        ending = ("jpg", "png", "jpeg", "JPG")[number % 4]
        Image.fromarray(image).save(root / "JPEG_images" / f"frame.{number:02}.cam0.{ending}")
        write_png(root / "Annotations" / f"frame.{number:02}.cam0.png", mask)
    return root


@pytest.fixture
def hulks_root(tmp_path):
    """Two pairs in the layout of the HULKs' NAO pictures; each colour is a column of the first mask."""
    root = tmp_path / "data" / "hulks_nao"
    for number, name in enumerate(("00096", "00104")):
        image, _ = random_pair(number, (32, 35))
        write_png(root / f"{name}_RGB.png", image)
        write_png(root / f"{name}.png", np.tile(np.repeat(np.array(HULKS, np.uint8), 5, axis=0), (32, 1, 1)))
    return root


# Field, others, robot, line, uncertain, goal and ball, from the data set's description.
HULKS = [(245, 41, 5), (45, 10, 199), (10, 193, 199), (70, 199, 10), (0, 0, 0), (199, 10, 193), (199, 92, 10)]


def _names(root):
    return {split: create_dataset("soccer", split, root).names for split in soccer.SPLITS}


def test_classes():
    assert SOCCER4.classes == ("background", "ball", "lines", "field")
    assert SOCCER4.file_ids == {0: 0, 1: 1, 2: 2, 3: 3}
    assert soccer.HULKS4.classes == SOCCER4.classes


# The Mini-UNet project's layout


def test_images_and_masks_of_dotted_names_are_pairs(soccer_root):
    dataset = create_dataset("soccer", "train", soccer_root)
    for index, name in enumerate(dataset.names):
        number = int(name.split(".")[1])
        image, mask = dataset.read(index)
        expected, expected_mask = random_pair(number, (32, 40), range(4))
        assert (mask == expected_mask).all()
        if dataset.samples[index].image.suffix == ".png":
            assert (image == expected).all()


def test_the_split_is_drawn_once_and_kept(soccer_root):
    names = _names(soccer_root)
    assert {split: len(part) for split, part in names.items()} == {"train": 14, "val": 2, "test": 4}
    everything = [name for part in names.values() for name in part]
    assert sorted(everything) == [f"frame.{number:02}.cam0" for number in range(20)]
    assert names["test"] not in (sorted(everything)[:4], sorted(everything)[-4:])
    stored = json.loads((soccer_root / "splits.json").read_text())
    assert stored["splits"] == names
    # What is stored counts, not what would be drawn today.
    splits = stored["splits"]
    splits["val"], splits["train"][:2] = splits["train"][:2], splits["val"]
    (soccer_root / "splits.json").write_text(json.dumps(stored))
    assert _names(soccer_root) == splits != names


def test_the_split_depends_on_the_names_alone(soccer_root):
    before = _names(soccer_root)
    (soccer_root / "splits.json").unlink()
    for path in (soccer_root / "Annotations").iterdir():  # other pixels, another resolution
        number = int(path.name.split(".")[1])
        write_png(path, random_pair(number, (16, 20), range(4))[1])
    assert _names(soccer_root) == before


def test_the_split_of_a_folder_that_cannot_be_written_stands_beside_it(soccer_root, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: path != soccer_root)
    names = _names(soccer_root)
    assert not (soccer_root / "splits.json").exists()
    beside = soccer_root.with_name("soccer.splits.json")
    assert json.loads(beside.read_text())["splits"] == names
    assert _names(soccer_root) == names
    beside.unlink()

    def write_text(path, text):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(own, "write_text", write_text)
    with pytest.raises(DataError, match=r"soccer.splits.json: .* cannot be stored \(Permission denied\)"):
        create_dataset("soccer", "train", soccer_root)


def test_a_stored_split_that_does_not_fit_is_refused(soccer_root):
    _names(soccer_root)
    path = soccer_root / "splits.json"
    whole = path.read_text()
    path.write_text("{")
    with pytest.raises(DataError, match=r"splits.json: damaged"):
        create_dataset("soccer", "val", soccer_root)
    path.write_text(whole)
    image, mask = random_pair(99, (32, 40), range(4))
    write_png(soccer_root / "JPEG_images" / "new.png", image)
    write_png(soccer_root / "Annotations" / "new.png", mask)
    with pytest.raises(DataError, match=r"splits.json: the splits were drawn from other pictures"):
        create_dataset("soccer", "val", soccer_root)


def test_what_does_not_pair_is_refused(soccer_root):
    image, mask = random_pair(0, (32, 40), range(4))
    write_png(soccer_root / "JPEG_images" / "frame.00.cam0.png", image)  # frame.00.cam0.jpg is there
    with pytest.raises(DataError, match=r"frame.00.cam0.png: the same name as .*frame.00.cam0.jpg"):
        create_dataset("soccer", "train", soccer_root)
    (soccer_root / "JPEG_images" / "frame.00.cam0.png").unlink()
    write_png(soccer_root / "Annotations" / "frame.00.png", mask)  # a cut name is another name
    with pytest.raises(DataError, match=r"Annotations.frame.00.png: mask without an image"):
        create_dataset("soccer", "train", soccer_root)


def test_masks_with_losses_or_other_ids_are_refused(soccer_root):
    name = create_dataset("soccer", "val", soccer_root).names[0]
    path = soccer_root / "Annotations" / f"{name}.png"
    _, mask = random_pair(0, (32, 40), range(5))
    write_png(path, mask)
    with pytest.raises(DataError, match=r"ids 4 are not ids of soccer4; allowed are 0..3"):
        create_dataset("soccer", "val", soccer_root).read(0)
    path.unlink()
    Image.fromarray(mask % 4).save(path.with_suffix(".jpg"))
    with pytest.raises(DataError, match=r"\.jpg: this is no PNG file.*allowed is a PNG of ids"):
        create_dataset("soccer", "val", soccer_root).read(0)


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(DataError, match=r"soccer: data set not found; set SEGLAB_DATA.*JPEG_images/NAME.jpg"):
        create_dataset("soccer", "train")
    (tmp_path / "soccer" / "JPEG_images").mkdir(parents=True)
    with pytest.raises(DataError, match=r"soccer.Annotations does not exist"):
        create_dataset("soccer", "train", tmp_path / "soccer")
    (tmp_path / "soccer" / "Annotations").mkdir()
    with pytest.raises(DataError, match=r"JPEG_images: holds no pictures"):
        create_dataset("soccer", "train", tmp_path / "soccer")


# The HULKs' NAO pictures


def test_colours_become_the_four_classes(hulks_root):
    dataset = create_dataset("hulks_nao", "test", hulks_root)
    assert dataset.names == ["00096", "00104"]
    image, mask = dataset.read(0)
    assert (image == random_pair(0, (32, 35))[0]).all()
    expected = [FIELD, BACKGROUND, BACKGROUND, LINES, IGNORE_INDEX, BACKGROUND, BALL]
    assert (mask == np.repeat(np.array(expected, np.uint8), 5)).all()


def test_another_colour_is_refused(hulks_root):
    pixels = np.array(Image.open(hulks_root / "00104.png"))
    pixels[7, 3] = (245, 41, 6)
    write_png(hulks_root / "00104.png", pixels)
    dataset = create_dataset("hulks_nao", "test", hulks_root)
    dataset.read(0)
    with pytest.raises(DataError, match=r"00104.png: .*\(245, 41, 6\).* hulks4; allowed are \(245"):
        dataset.read(1)


def test_the_hulks_pictures_are_a_test_set_only(hulks_root):
    with pytest.raises(ConfigError, match=r"split 'train' of hulks_nao.*test"):
        create_dataset("hulks_nao", "train", hulks_root)
    (hulks_root / "00096.png").unlink()
    with pytest.raises(DataError, match=r"00096_RGB.png: image without a mask"):
        create_dataset("hulks_nao", "test", hulks_root)


def test_the_real_hulks_pictures(real_hulks):
    dataset = create_dataset("hulks_nao", "test", real_hulks)
    masks = np.stack([dataset.read(index)[1] for index in range(len(dataset))])
    assert masks.shape == (20, 480, 640)
    assert set(np.unique(masks)) == {*range(4), IGNORE_INDEX}
    assert (masks == BALL).any(axis=(1, 2)).sum() == 9
    assert (masks == LINES).any(axis=(1, 2)).sum() == 18
    # Goals, in 6 pictures, count as background.
    goal = [(np.array(Image.open(s.mask)) == (199, 10, 193)).all(axis=-1) for s in dataset.samples]
    assert sum(part.any() for part in goal) == 6
    assert (masks[np.stack(goal)] == BACKGROUND).all()
