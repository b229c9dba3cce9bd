"""Somebody's own data: every kind of mask, of split and of mistake."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seglab.datasets import create_dataset, dataset_info, label_space, own
from seglab.errors import ConfigError, DataError

from .conftest import random_pair, write_png

SOIL, PLANT, NONE = (120, 80, 40), (0, 160, 0), (0, 0, 0)
COLORS = np.array([SOIL, PLANT, NONE], np.uint8)
DESCRIPTION = """\
name: garden
images: photos
masks: labels
classes:
  soil: {id: 3, color: [120, 80, 40]}
  plant: {id: 1, color: [0, 160, 0]}
ignore: [255]
splits: {train: 0.7, val: 0.1, test: 0.2}
"""
NUMBER = 20


@pytest.fixture
def garden(tmp_path) -> Path:
    """The YAML file of 20 pictures, half of them JPEG, with masks of ids."""
    for seed in range(NUMBER):
        image, mask = random_pair(seed, (32, 40), (1, 3, 255))
        name = f"row {seed % 3}.plant-{seed:02}"  # a space and a dot
        (tmp_path / "photos").mkdir(exist_ok=True)
        Image.fromarray(image).save(tmp_path / "photos" / f"{name}{('.png', '.JPG')[seed % 2]}")
        write_png(tmp_path / "labels" / f"{name}.png", mask)
    path = tmp_path / "garden.yaml"
    path.write_text(DESCRIPTION, encoding="utf-8")
    return path


def change(path: Path, old: str, new: str) -> Path:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


def opened(path: Path, split: str = "train"):
    return create_dataset(str(path), split)


def refused(kind, path: Path, *parts: str, split: str = "train") -> None:
    with pytest.raises(kind) as caught:
        opened(path, split).read(0)
    for part in parts:
        assert part in str(caught.value), caught.value


def test_ten_lines_and_no_more(garden):
    assert len(DESCRIPTION.splitlines()) <= 10
    info = dataset_info(str(garden))
    assert (info.name, info.splits) == ("garden", ("train", "val", "test"))
    assert info.labels.classes == ("soil", "plant") and info.labels.colors == (SOIL, PLANT)
    assert [len(opened(garden, split)) for split in info.splits] == [14, 2, 4]


def test_ids_become_train_ids_in_the_order_of_the_file(garden):
    dataset = opened(garden)
    for index, sample in enumerate(dataset.samples):
        ids = np.array(Image.open(sample.mask))
        expected = np.select([ids == 3, ids == 1, ids == 255], [0, 1, 255])
        image, mask = dataset.read(index)
        assert np.array_equal(mask, expected) and image.shape == (32, 40, 3)
        assert sample.image.stem == sample.mask.stem == sample.name
    assert np.array_equal(np.unique(dataset.labels.to_file_ids(mask % 255)), [1, 3])


@pytest.mark.parametrize("kind", ["RGB", "P"])
def test_masks_of_colours(garden, kind):
    rng = np.random.default_rng(0)
    expected = {}
    for path in sorted((garden.parent / "labels").iterdir()):
        index = rng.integers(0, 3, (32, 40), dtype=np.uint8)
        picture = Image.fromarray(COLORS[index])
        if kind == "P":  # the palette is in another order than the classes
            picture = Image.fromarray(2 - index)
            picture.putpalette(COLORS[::-1].reshape(-1).tolist())
        picture.save(path)
        expected[path.stem] = np.array([0, 1, 255])[index]
    change(garden, "id: 3, ", "")
    change(garden, "id: 1, ", "")
    change(garden, "[255]", "[[0, 0, 0]]")
    dataset = opened(garden)
    for index, name in enumerate(dataset.names):
        assert np.array_equal(dataset.read_mask(index), expected[name])
    pixels = np.tile(COLORS[0], (32, 40, 1))
    pixels[5, 6] = 1, 2, 3
    write_png(dataset.samples[0].mask, pixels)
    refused(DataError, garden, "(1, 2, 3) are not colours of garden", "(120, 80, 40), (0, 160, 0), (0, 0, 0)")
    write_png(dataset.samples[0].mask, pixels[..., 0])
    refused(DataError, garden, "PNG mask in grey", "RGB or palette")


def test_masks_of_a_palette_hold_its_indices_where_classes_have_ids(garden):
    path = opened(garden).samples[0].mask
    picture = Image.fromarray(np.full((32, 40), 3, np.uint8))
    picture.putpalette([9] * 768)
    picture.save(path)
    assert (opened(garden).read_mask(0) == 0).all()


def test_the_digest_knows_the_table(garden):
    ids = opened(garden).digest()
    change(garden, "id: 3", "id: 2")
    change(garden, "[255]", "[255, 3]")
    assert opened(garden).digest() != ids


# ----------------------------------------------------------------------------- splits


def test_a_draw_is_stored_and_stays(garden):
    stored = garden.parent / "garden.splits.json"
    names = {split: opened(garden, split).names for split in ("train", "val", "test")}
    assert len(Counter(name for part in names.values() for name in part)) == NUMBER
    content = stored.read_bytes()
    record = json.loads(content)
    record["splits"]["val"], record["splits"]["train"][:2] = record["splits"]["train"][:2], names["val"]
    stored.write_text(json.dumps(record))  # what is stored counts, not what would be drawn
    assert set(opened(garden).names) == {*names["train"][2:], *names["val"]}
    stored.unlink()
    assert opened(garden).names == names["train"] and stored.read_bytes() == content


def test_a_draw_is_not_silently_another_one(garden):
    opened(garden)
    change(garden, "train: 0.7, val: 0.1", "train: 0.6, val: 0.2")
    refused(DataError, garden, "garden.splits.json", "other shares or another seed", "delete")
    change(garden, "train: 0.6, val: 0.2", "train: 0.7, val: 0.1")
    opened(garden)
    for folder in ("photos", "labels"):
        write_png(garden.parent / folder / "new.png", random_pair(99, (32, 40))[folder == "labels"])
    refused(DataError, garden, "garden.splits.json", "other pictures than there are now")
    (garden.parent / "garden.splits.json").write_text("{")
    refused(DataError, garden, "garden.splits.json: damaged")


def test_a_draw_depends_on_seed_and_names_alone():
    names = [f"n{i}" for i in range(1000)]
    shares = {"train": 0.7, "val": 0.15, "test": 0.15}
    first, other = own.draw_splits(names, shares, 0), own.draw_splits(names, shares, 1)
    assert own.draw_splits(reversed(names), shares, 0) == first != other
    assert [len(first[split]) for split in shares] == [700, 150, 150]
    assert sorted(name for part in first.values() for name in part) == sorted(names)
    # Two independent draws share 0.7 * 0.7 of their training pictures.
    assert 430 < len(set(first["train"]) & set(other["train"])) < 550


def test_splits_by_list(garden):
    names = sorted(path.name for path in (garden.parent / "photos").iterdir())
    (garden.parent / "a.txt").write_text(f"# comment\n{names[3]}\n\n  some/where/{names[1]}  \n")
    (garden.parent / "b.txt").write_text(f"{Path(names[0]).stem}\n")
    change(garden, "{train: 0.7, val: 0.1, test: 0.2}", "{train: a.txt, val: b.txt}")
    assert [sample.image.name for sample in opened(garden).samples] == [names[3], names[1]]
    assert [sample.image.name for sample in opened(garden, "val").samples] == [names[0]]
    (garden.parent / "a.txt").write_text(f"{names[3]}\nnobody.png\n")
    refused(DataError, garden, "a.txt, line 2", "'nobody.png'")
    (garden.parent / "a.txt").write_text(f"{names[3]}\n{names[4]}\n{names[3]}\n")
    refused(DataError, garden, "a.txt, line 3", "line 1 already")
    (garden.parent / "a.txt").write_text("\n")
    refused(DataError, garden, "a.txt: names no pictures")
    (garden.parent / "a.txt").unlink()
    refused(DataError, garden, "a.txt: cannot be read")


def test_splits_by_folder(garden):
    for folder in ("photos", "labels"):
        files = sorted((garden.parent / folder).iterdir())
        for i, path in enumerate(files):
            target = garden.parent / folder / ("train" if i < 15 else "val") / path.name
            target.parent.mkdir(exist_ok=True)
            path.rename(target)
    change(garden, "{train: 0.7, val: 0.1, test: 0.2}", "[train, val]")
    assert (len(opened(garden)), len(opened(garden, "val"))) == (15, 5)
    change(garden, "[train, val]", "[train, val, test]")
    refused(DataError, garden, "photos/test: no such folder", split="test")
    with pytest.raises(ConfigError, match="train, val, test"):
        opened(garden, "dev")


@pytest.mark.parametrize(
    ("image_end", "mask_end"),
    [("_RGB.png", ".png"), (".jpg", "_mask.png"), (".png", "_mask.png"), ("_in.png", "_out.png")],
)
def test_names_may_end_differently_and_lie_in_one_folder(tmp_path, image_end, mask_end):
    for seed in range(4):
        image, mask = random_pair(seed, (32, 40), (1, 3))
        write_png(tmp_path / "both" / f"{seed}{image_end}", image)
        write_png(tmp_path / "both" / f"{seed}{mask_end}", mask)
    path = tmp_path / "d.yaml"
    suffixes = {"image_suffix": Path(image_end).stem, "mask_suffix": Path(mask_end).stem}
    path.write_text(
        DESCRIPTION.replace("photos", "both").replace("labels", "both")
        + "".join(f"{field}: {end}\n" for field, end in suffixes.items() if not end.startswith("."))
    )
    change(path, "{train: 0.7, val: 0.1, test: 0.2}", "{train: 1}")
    assert opened(path).names == ["0", "1", "2", "3"]
    assert opened(path).samples[2].image.name == f"2{image_end}"
    assert opened(path).samples[2].mask.name == f"2{mask_end}"


# ----------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("name: garden", "name: ../garden", ["name", "'../garden'"]),
        ("images: photos\n", "", ["images: missing"]),
        ("images:", "imags:", ["imags", "did you mean images"]),
        ("id: 3", "id: 1", ["1 occurs twice"]),
        ("[255]", "[3]", ["3 occurs twice"]),
        ("id: 3", "id: 256", ["256", "0 to 255"]),
        ("id: 3, ", "", ["classes.soil", "no id"]),
        ("id: 3", "id: three", ["classes.soil.id", "'three'"]),
        ("[120, 80, 40]", "[120, 80]", ["classes.soil.color"]),
        ("[0, 160, 0]", "[0, 300, 0]", ["classes.plant.color", "[0, 300, 0]", "0 to 255"]),
        ("[0, 160, 0]", "[0, -1, 0]", ["classes.plant.color", "[0, -1, 0]", "0 to 255"]),
        ("[255]", "[[0, 0, 0]]", ["[0, 0, 0]", "ids from 0 to 255"]),
        ("{id: 3, color: [120, 80, 40]}", "3", ["classes.soil", "mapping"]),
        ("train: 0.7", "train: 0.8", ["splits", "add up to 1"]),
        ("train: 0.7", "train: a.txt", ["splits", "shares"]),
        ("{train: 0.7, val: 0.1, test: 0.2}", "[]", ["splits"]),
        ("{train: 0.7, val: 0.1, test: 0.2}", "[a/b]", ["splits", "'a/b'"]),
        ("name: garden", "name: {", ["not a YAML file"]),
    ],
)
def test_a_mistake_in_the_file_is_named(garden, old, new, parts):
    refused(ConfigError, change(garden, old, new), "garden.yaml", *parts)


def test_missing_partners_folders_and_files(garden):
    photo = min((garden.parent / "photos").iterdir())
    (garden.parent / "photos" / f"{photo.stem}.jpeg").write_bytes(b"")
    refused(DataError, garden, "the same name as", ".jpeg", photo.name)
    (garden.parent / "photos" / f"{photo.stem}.jpeg").unlink()
    mask = garden.parent / "labels" / f"{photo.stem}.png"
    content = mask.read_bytes()
    mask.unlink()
    refused(DataError, garden, "image without a mask", photo.name)
    mask.write_bytes(content)
    change(garden, "masks: labels", "masks: lables")
    refused(DataError, garden, "lables: no such folder")
    refused(DataError, garden.parent / "none.yaml", "none.yaml: cannot be read")


def test_too_few_pictures_for_a_share(garden):
    change(garden, "train: 0.7, val: 0.1, test: 0.2", "train: 0.98, val: 0.01, test: 0.01")
    refused(DataError, garden, "20 pictures are too few", "val")
    assert not (garden.parent / "garden.splits.json").exists()


def test_classes_without_colours_get_different_ones(garden):
    change(garden, ", color: [120, 80, 40]", "")
    change(garden, ", color: [0, 160, 0]", "")
    colors = label_space(str(garden)).colors
    assert len(set(colors)) == 2 and all(0 <= c <= 255 for color in colors for c in color)


def test_from_outside_the_package(garden):
    """What the README shows, run as a program of somebody else in another folder."""
    program = (
        "from seglab.datasets import create_dataset\n"
        "train = create_dataset('garden.yaml', 'train')\n"
        "image, mask = train.read(0)\n"
        "assert sorted(set(mask.flat)) == [0, 1, 255] and train.labels.classes == ('soil', 'plant')\n"
        "print(train)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=garden.parent, capture_output=True, text=True, check=True
    )
    assert done.stdout == "<garden train: 14 pictures, 2 classes>\n"
