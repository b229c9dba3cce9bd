"""The verbs about data sets: what they do is tested with the library, here that they do it."""

import hashlib
import json
import shutil
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from seglab import cli, datasets
from seglab.datasets import class_statistics, create_dataset
from seglab.trainers.loop import train


@pytest.fixture
def run(capsys):
    def run(*arguments):
        code = cli.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def garden(tmp_path):
    """Four pictures of two classes, with a YAML file."""
    rng = np.random.default_rng(0)
    for folder, high, shape in (("photos", 256, (32, 40, 3)), ("labels", 2, (32, 40))):
        (tmp_path / folder).mkdir()
        for i in range(4):
            pixels = rng.integers(0, high, shape, dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"{i}.png")
    path = tmp_path / "garden.yaml"
    path.write_text(
        "name: garden\nimages: photos\nmasks: labels\nclasses: {soil: {id: 0}, plant: {id: 1}}\n"
        "splits: {train: 0.5, val: 0.5}\n"
    )
    return path


def test_own_data_is_listed_checked_and_verified(run, garden, tmp_path):
    code, out, _ = run("data", "list", garden)
    assert code == 0 and "2 classes; train 2, val 2" in out
    code, out, _ = run("data", "check", garden)
    assert code == 0 and "garden can be used: 0 errors, 0 warnings" in out
    files = sorted(path for folder in ("photos", "labels") for path in (tmp_path / folder).iterdir())
    lines = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.relative_to(tmp_path)}" for p in files]
    (tmp_path / "garden.sha256").write_text("\n".join(lines) + "\n")
    code, out, _ = run("data", "verify", garden)
    assert code == 0 and "every file is as it was" in out
    (tmp_path / "photos" / "2.png").write_bytes(b"")
    code, out, err = run("data", "verify", garden)
    assert code == 6 and "2.png: has changed" in out and "1 files differ" in err


def test_statistics_are_counted_printed_and_kept(run, scenes, tmp_path, monkeypatch):
    monkeypatch.setattr(class_statistics, "workspace", lambda: tmp_path)
    monkeypatch.setitem(datasets._DATASETS, "street_scenes", at(scenes))
    code, out, err = run("data", "statistics")
    assert code == 0 and "bicycle" in out and "counting street_scenes train" in err
    record = json.loads((tmp_path / "results" / "datasets" / "street_scenes.json").read_text())
    assert sum(record["splits"]["train"]["images"]) > 0
    assert "counting" not in run("data", "statistics")[2]


def at(root):
    """The street scenes as if they lay in the folder by default."""
    info = datasets.dataset_info("street_scenes")
    return replace(info, open_split=lambda split, _: info.open_split(split, root))


def test_statistics_of_other_data_lie_beside_it(run, garden, scenes, tmp_path, monkeypatch):
    monkeypatch.setattr(class_statistics, "workspace", lambda: pytest.fail("they would be the study's"))
    code, out, err = run("data", "statistics", garden)
    assert code == 0 and "plant" in out and "counting garden train" in err
    beside = tmp_path / "garden.statistics.json"
    record = json.loads(beside.read_text())
    assert sum(record["splits"]["train"]["pixels"]) == 2 * 32 * 40 and str(beside) in out
    assert "counting" not in run("data", "statistics", garden)[2]
    shutil.copytree(scenes, tmp_path / "other")
    for options, expected in (
        ((), tmp_path / "other" / "street_scenes.statistics.json"),
        (("--out", tmp_path / "new" / "counts.json"), tmp_path / "new" / "counts.json"),
    ):
        assert run("data", "statistics", "street_scenes", "--root", tmp_path / "other", *options)[0] == 0
        assert json.loads(expected.read_text())["name"] == "street_scenes"


def test_counts_of_other_classes_are_not_mixed(run, garden, tmp_path):
    assert run("data", "statistics", garden)[0] == 0
    before = (tmp_path / "garden.statistics.json").read_bytes()
    garden.write_text(garden.read_text().replace("plant", "weed"))
    code, _, err = run("data", "statistics", garden)
    assert code == 6 and "soil, plant; allowed are counts of garden with soil, weed" in err and "--out" in err
    assert (tmp_path / "garden.statistics.json").read_bytes() == before
    garden.write_text(garden.read_text().replace("name: garden", "name: camvid"))
    code, _, err = run("data", "statistics", garden, "--out", tmp_path / "garden.statistics.json")
    assert code == 6 and "counts of garden" in err


def test_without_a_labelled_pixel_no_statistics_are_written(run, garden, tmp_path):
    text = garden.read_text().replace("{id: 0}", "{id: 2}").replace("{id: 1}", "{id: 3}")
    garden.write_text(text + "ignore: [0, 1]\n")
    code, _, err = run("data", "statistics", garden)
    assert code == 6 and "no labelled pixel in train of garden; check its ids and `ignore`" in err
    assert not list(tmp_path.glob("*.statistics.json"))


def test_conversion_says_what_it_did(run, scenes):
    copies = list(scenes.rglob("*_labelTrainIds.png"))
    try:
        code, out, _ = run("data", "convert", "cityscapes", "--root", scenes)
        assert code == 0 and f"{10 - len(copies)} files written, {len(copies)} were there" in out
        assert "labelTrainIds" in str(create_dataset("street_scenes", "train", scenes).samples[0].mask)
    finally:
        for path in scenes.rglob("*_labelTrainIds.png"):
            path.unlink()


def test_a_submission_is_packed_and_scored_where_the_truth_is_known(run, tiny, change, tmp_path):
    train(change(tiny, "training", epochs=1), tmp_path / "run")
    code, out, _ = run("submit", tmp_path / "run", "--split", "val", "--out", tmp_path / "val.zip")
    assert code == 0 and "val.zip" in out and "iIoU" in out and "vehicle" in out
    with zipfile.ZipFile(tmp_path / "val.zip") as file:
        names = file.namelist()
        with file.open(names[0]) as entry:
            assert np.array(Image.open(entry)).shape == (64, 128)
    assert names == [
        f"{name}_pred_labelIds.png" for name in create_dataset("street_scenes", "val", tiny.data.root).names
    ]
    code, _, err = run("submit", tmp_path / "run", "--split", "val", "--out", tmp_path / "val.zip")
    assert code == 2 and "allowed is a new file" in err


@pytest.mark.parametrize(
    ("arguments", "code", "parts"),
    [
        (["check", "camvid", "street_scenes", "--root", "x"], 2, ["--root", "one data set"]),
        (["list", "camvid", "--root", "x"], 2, ["--root"]),
        (["make", "street_scenes", "--out", "x"], 2, ["--out", "check"]),
        (["verify", "street_scenes"], 2, ["street_scenes", "camvid"]),
        (["convert", "camvid"], 2, ["camvid", "cityscapes"]),
        (["download", "street_scenes"], 2, ["street_scenes", "camvid, cityscapes"]),
        (["download", "camvid"], 2, ["SEGLAB_DATA", "--root"]),
        (["statistics", "nowhere.yaml"], 6, ["nowhere.yaml"]),
    ],
)
def test_mistakes_are_answered_with_a_line(run, monkeypatch, arguments, code, parts):
    monkeypatch.delenv("SEGLAB_DATA", raising=False)
    answer, _, err = run("data", *arguments)
    assert answer == code and len(err.splitlines()) == 1
    for part in parts:
        assert part in err
