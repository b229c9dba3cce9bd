"""Cityscapes against its own tools: conversion byte for byte, scores to the ninth digit."""

import json
import math
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from cityscapesscripts.helpers.annotation import Annotation
from cityscapesscripts.helpers.labels import labels as official_labels
from cityscapesscripts.preparation import createTrainIdLabelImgs
from cityscapesscripts.preparation.json2instanceImg import createInstanceImage
from cityscapesscripts.preparation.json2labelImg import json2labelImg
from PIL import Image

from seglab import metrics
from seglab.datasets import cityscapes, create_dataset
from seglab.datasets.cityscapes_server import official_scores, write_predictions
from seglab.errors import ConfigError, DataError
from seglab.labels import CITYSCAPES

from .conftest import random_pair, write_png

HEIGHT, WIDTH = 64, 128
NAMES = {"train": ("aachen_000000_000019", "bonn_000001_000019"), "val": ("ulm_000002_000019",)}


def polygons(seed: int) -> dict:
    """Annotations of random quadrangles, at least two of every one of the 35 labels."""
    rng = np.random.default_rng(seed)
    objects = []
    for label in [*official_labels, *official_labels]:
        corner = rng.integers(0, (WIDTH, HEIGHT))
        polygon = (corner + rng.integers(-12, 13, (4, 2))).clip(0, (WIDTH - 1, HEIGHT - 1))
        objects.append({"label": label.name, "polygon": polygon.tolist()})
    rng.shuffle(objects)
    objects.append({"label": "cargroup", "polygon": [[0, 0], [20, 0], [20, 9]]})
    objects.append({"label": "sky", "polygon": [[0, 0], [99, 0], [50, 50]], "deleted": 1})
    return {"imgHeight": HEIGHT, "imgWidth": WIDTH, "objects": objects}


@pytest.fixture
def tree(tmp_path) -> Path:
    """Cityscapes' layout as it is delivered, painted from annotations by the official tools."""
    root = tmp_path / "cityscapes"
    annotations = (("gtFine", "train"), ("gtFine", "val"), ("gtCoarse", "train"), ("gtCoarse", "train_extra"))
    for seed, (kind, split) in enumerate(annotations):
        for i, name in enumerate(NAMES[split.removesuffix("_extra")]):
            folder = root / kind / split / name.split("_")[0]
            folder.mkdir(parents=True, exist_ok=True)
            source = folder / f"{name}_{kind}_polygons.json"
            source.write_text(json.dumps(polygons(10 * seed + i)))
            stem = str(source).removesuffix("polygons.json")
            json2labelImg(str(source), f"{stem}labelIds.png")
            annotation = Annotation()
            annotation.fromJsonFile(str(source))
            instances = createInstanceImage(annotation, "ids")
            Image.fromarray(np.array(instances, np.uint16)).save(f"{stem}instanceIds.png")
            image = root / "leftImg8bit" / split / name.split("_")[0] / f"{name}_leftImg8bit.png"
            write_png(image, random_pair(seed, (HEIGHT, WIDTH))[0])
    for kind, name in (("leftImg8bit", "leftImg8bit"), ("gtFine", "gtFine_labelIds")):
        pixels = np.zeros((HEIGHT, WIDTH, 3) if kind == "leftImg8bit" else (HEIGHT, WIDTH), np.uint8)
        write_png(root / kind / "test" / "berlin" / f"berlin_000000_000019_{name}.png", pixels)
    return root


def files(root: Path, pattern: str) -> dict[Path, bytes]:
    return {path.relative_to(root): path.read_bytes() for path in sorted(root.rglob(pattern))}


def test_the_tree_holds_every_id(tree):
    ids = {int(i) for path in tree.rglob("*_labelIds.png") for i in np.unique(Image.open(path))}
    assert ids == {label.id for label in official_labels if label.id >= 0} and len(official_labels) == 35


def test_ids_names_and_colours_are_the_official_ones():
    for label in official_labels:
        if label.id >= 0:
            assert CITYSCAPES.file_ids[label.id] == label.trainId
        if 0 <= label.trainId < 255:
            k = label.trainId
            assert (CITYSCAPES.classes[k], CITYSCAPES.colors[k], CITYSCAPES.categories[k]) == (
                *(label.name, label.color, label.category),
            )


def test_the_conversion_equals_the_official_one_byte_for_byte(tree, monkeypatch, capsys):
    read = {split: create_dataset("cityscapes", split, tree).read(0)[1] for split in ("train", "train_extra")}
    for path in (tree / "gtFine" / "test").rglob("*.png"):
        path.unlink()  # a delivered test mask is void; the official tool paints from polygons, which it lacks
    assert cityscapes.convert(tree) == (7, 0)
    ours = files(tree, "*_labelTrainIds.png")
    for path in ours:
        (tree / path).unlink()
    monkeypatch.setenv("CITYSCAPES_DATASET", str(tree))
    createTrainIdLabelImgs.main()
    official = files(tree, "*_labelTrainIds.png")
    assert len(official) == 7 and ours == official
    for split, mask in read.items():
        dataset = create_dataset("cityscapes", split, tree)
        assert "labelTrainIds" in dataset.samples[0].mask.name
        assert np.array_equal(dataset.read(0)[1], mask)
    capsys.readouterr()


def test_an_interrupted_conversion_goes_on(tree):
    whole = cityscapes.convert(tree)[0]
    first, *rest = sorted(tree.rglob("*_labelTrainIds.png"))
    time = first.stat().st_mtime_ns
    for path in rest[:3]:
        path.unlink()
    assert cityscapes.convert(tree) == (3, whole - 3)
    assert first.stat().st_mtime_ns == time
    assert not list(tree.rglob("*.tmp"))


def test_coarse_and_joined_splits(tree):
    fine, coarse = (create_dataset("cityscapes", split, tree) for split in ("train", "train_coarse"))
    assert fine.names == coarse.names and "gtCoarse" in str(coarse.samples[0].mask)
    assert not np.array_equal(fine.read_mask(0), coarse.read_mask(0))
    assert len(create_dataset("cityscapes", "train_extra", tree)) == 2
    assert create_dataset("cityscapes", "trainval", tree).names == [*NAMES["train"], *NAMES["val"]]


def test_the_test_split_has_no_labels(tree):
    dataset = create_dataset("cityscapes", "test", tree)
    assert dataset.names == ["berlin_000000_000019"] and not dataset.labelled
    assert dataset.read_image(0).shape == (HEIGHT, WIDTH, 3) and len(dataset.digest()) == 16
    for read in (dataset.read, dataset.read_mask):
        with pytest.raises(DataError, match="cityscapes test has no masks"):
            read(0)


def guess(image: np.ndarray) -> np.ndarray:
    """A prediction that is right in most pixels of class 0 and random elsewhere; a function of the image."""
    return (image[..., 0] % 19).astype(np.uint8)


@pytest.mark.parametrize("converted", [False, True])
def test_scores_equal_the_official_ones(tree, tmp_path, converted):
    if converted:
        cityscapes.convert(tree)
    dataset = create_dataset("cityscapes", "train", tree)
    truth = [dataset.read_mask(i) for i in range(2)]
    rng = np.random.default_rng(0)

    def predict(image):
        """Right in half of the pixels, so that each class has true and false positives."""
        index = next(i for i in range(2) if np.array_equal(dataset.read_image(i), image))
        return np.where(
            (truth[index] < 19) & (rng.random(truth[index].shape) < 0.5), truth[index], guess(image)
        )

    # Both pictures of a split of the fixture look alike; they are told apart by one pixel.
    picture = dataset.read_image(1)
    picture[0, 0] ^= 1
    write_png(dataset.samples[1].image, picture)
    archive = write_predictions(dataset, predict, tmp_path / "out" / "predictions.zip")
    zipfile.ZipFile(archive).extractall(tmp_path / "unpacked")
    paths = sorted((tmp_path / "unpacked").iterdir())
    assert [path.name for path in paths] == [f"{name}_pred_labelIds.png" for name in NAMES["train"]]
    confusion = np.zeros((19, 19), np.int64)
    for i, path in enumerate(paths):
        ids = np.array(Image.open(path))
        assert ids.shape == (HEIGHT, WIDTH) and set(np.unique(ids)) <= set(CITYSCAPES.file_ids)
        predicted = CITYSCAPES.to_train_ids(ids, path)
        confusion += metrics.confusion_matrix(predicted, truth[i], 19)
    official = official_scores(dataset, tmp_path / "unpacked")
    assert list(official.class_iou) == list(CITYSCAPES.classes)
    np.testing.assert_allclose(list(official.class_iou.values()), metrics.iou(confusion), rtol=0, atol=1e-9)
    assert 0 < np.nanmin(metrics.iou(confusion)) < np.nanmax(metrics.iou(confusion)) < 1

    # Category and instance scores are passed through: here by their definitions, from the pixels.
    members = [k for k, name in enumerate(CITYSCAPES.categories) if name == "vehicle"]
    inside = confusion[np.ix_(members, members)].sum()
    union = confusion[members].sum() + confusion[:, members].sum() - inside
    assert official.category_iou["vehicle"] == pytest.approx(inside / union, abs=1e-9)
    assert {name for name, v in official.class_iiou.items() if not math.isnan(v)} == {
        label.name for label in official_labels if label.hasInstances and 0 <= label.trainId < 255
    }
    assert set(official.category_iou) == set(CITYSCAPES.categories)
    assert not math.isnan(official.category_iiou["human"]) and math.isnan(official.category_iiou["sky"])
    assert "vehicle" in str(official) and f"{official.class_iou['car']:.2%}" in str(official)


def test_without_instances_their_scores_are_missing_and_the_others_are_not(tree, tmp_path):
    dataset = create_dataset("cityscapes", "val", tree)
    archive = write_predictions(dataset, guess, tmp_path / "a.zip")
    zipfile.ZipFile(archive).extractall(tmp_path / "unpacked")
    whole = official_scores(dataset, tmp_path / "unpacked")
    next(tree.glob("gtFine/val/*/*instanceIds.png")).unlink()
    part = official_scores(dataset, tmp_path / "unpacked")
    assert part.class_iou == whole.class_iou and part.category_iou == whole.category_iou
    assert all(map(math.isnan, part.class_iiou.values())) and not math.isnan(whole.class_iiou["car"])
    (tmp_path / "unpacked" / "ulm_000002_000019_pred_labelIds.png").unlink()
    with pytest.raises(DataError, match=r"ulm_000002_000019_pred_labelIds\.png: no such file"):
        official_scores(dataset, tmp_path / "unpacked")


def test_predictions_of_the_test_split_need_no_masks(tree, tmp_path):
    archive = write_predictions(create_dataset("cityscapes", "test", tree), guess, tmp_path / "test.zip")
    with zipfile.ZipFile(archive) as file:
        assert file.namelist() == ["berlin_000000_000019_pred_labelIds.png"]
        with file.open(file.namelist()[0]) as entry:
            assert (np.array(Image.open(entry)) == 7).all()  # road: the picture is black
    with pytest.raises(ConfigError, match=r"test\.zip: allowed is a new file"):
        write_predictions(create_dataset("cityscapes", "test", tree), guess, archive)


def test_an_interrupted_export_leaves_nothing(tree, tmp_path):
    def fail(image):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_predictions(create_dataset("cityscapes", "val", tree), fail, tmp_path / "out" / "a.zip")
    assert list((tmp_path / "out").iterdir()) == []


def test_other_classes_are_refused(camvid_root, tmp_path):
    dataset = create_dataset("camvid", "test", camvid_root)
    with pytest.raises(ConfigError, match="got classes of camvid11"):
        write_predictions(dataset, guess, tmp_path / "a.zip")
    with pytest.raises(ConfigError, match="got classes of camvid11"):
        official_scores(dataset, tmp_path)


def test_without_the_official_package_the_message_says_how_to_get_it():
    program = (
        "import sys; sys.modules['cityscapesscripts.evaluation'] = None\n"
        "from seglab.datasets.cityscapes_server import _script\n"
        "from seglab.errors import ConfigError\n"
        "try: _script()\n"
        "except ConfigError as error: assert 'pip install' in str(error); sys.exit(3)\n"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 3


def test_published_shares_are_those_that_erfnets_other_weights_give():
    # Its encoder has weights of its own, 1 / ln(1.20 + share), counted on masks of an eighth of the size.
    encoder = np.array([
        2.3654, 4.4238, 2.9691, 5.3442, 5.2984, 5.2275, 5.4394, 5.3660, 3.4170, 5.2415,
        4.7376, 5.2286, 5.4551, 4.3019, 5.4264, 5.4332, 5.4338, 5.4631, 5.3947,
    ])  # fmt: skip
    shares = cityscapes.published_shares()
    assert np.abs(shares - (np.exp(1 / encoder) - 1.20)).max() < 2e-3
    assert shares[CITYSCAPES.classes.index("road")] == pytest.approx(0.3265, abs=1e-4)  # by hand
    assert shares.argmin() == CITYSCAPES.classes.index("motorcycle")
    assert 0.88 < shares.sum() < 0.89
