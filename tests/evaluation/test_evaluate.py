"""Evaluations are recorded once, picture by picture, and can be compared without weights."""

import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import yaml

from seglab import metrics, runs
from seglab.config import Experiment
from seglab.datasets import SegmentationDataset, create_dataset
from seglab.errors import CheckpointError, ConfigError, DataError, RunError
from seglab.evaluation.compare import compare, comparison_table
from seglab.evaluation.evaluate import evaluate, interval_table
from seglab.evaluation.inference import InferenceConfig, load_predictor
from seglab.labels import CAMVID11, CITYSCAPES
from seglab.metrics import intervals

TWO_SCALES = InferenceConfig((1.0, 1.5), flip=True)


def by_hand(folder, split, inference):
    """Confusion matrices of the pictures, predicted and counted one by one."""
    experiment = runs.read_experiment(folder)
    dataset = create_dataset(experiment.data.name, split, experiment.data.root)
    predict = load_predictor(folder, "cpu", inference)
    pairs = [dataset.read(index) for index in range(len(dataset))]
    return np.stack([metrics.confusion_matrix(predict(image), mask, 19) for image, mask in pairs])


@pytest.mark.parametrize("inference", [InferenceConfig(), TWO_SCALES, InferenceConfig(tile=(48, 64))])
def test_counts_and_records_every_picture(make_run, inference):
    folder = make_run()
    found = evaluate(folder, "test", "cpu", inference)
    expected = by_hand(folder, "test", inference)
    np.testing.assert_array_equal(found.images.confusions, expected)
    plain = inference == InferenceConfig()
    assert found.folder == (folder if plain else folder / "evaluations" / f"test-{inference.tag}")
    recorded = runs.read_images(found.folder, "test")
    assert recorded.names == found.images.names
    np.testing.assert_array_equal(recorded.counts, found.images.counts)
    matrix, classes = runs.read_confusion(found.folder, "test")
    np.testing.assert_array_equal(matrix, expected.sum(0))
    assert classes == CITYSCAPES.classes
    assert found.summary["scores"]["test"]["mean_iou"] == pytest.approx(metrics.mean_iou(expected.sum(0)))


def test_the_record_of_an_evaluation_says_how_it_was_made(make_run, monkeypatch):
    folder = make_run()
    few = runs.read_summary(evaluate(folder, "test", "cpu", InferenceConfig(flip=True)).folder)
    assert few["scores"]["test"]["mean_iou_interval"] == [None, None]  # of two pictures
    monkeypatch.setattr(intervals, "MIN_PICTURES", 2)
    found = evaluate(folder, "test", "cpu", TWO_SCALES)
    summary = runs.read_summary(found.folder)
    assert summary["inference"]["scales"] == [1.0, 1.5] and summary["inference"]["flip"] is True
    low, high = summary["scores"]["test"]["mean_iou_interval"]
    assert low <= summary["scores"]["test"]["mean_iou"] <= high
    provenance = summary["provenance"]
    assert provenance["device"] == "cpu" and len(provenance["data_digests"]["test"]) == 16


def test_nothing_is_ever_overwritten(make_run, files_of):
    folder = make_run()
    for inference in (InferenceConfig(), TWO_SCALES):
        evaluate(folder, "val", "cpu", inference)
    before = files_of(folder)
    for inference in (InferenceConfig(), TWO_SCALES):
        evaluate(folder, "val", "cpu", inference)
    assert files_of(folder) == before
    assert len(runs.find(folder.parent)) == 1  # an evaluation is no run of its own


def test_other_counts_than_the_runs_own_get_a_folder_of_their_own(make_run, files_of):
    folder = make_run()
    runs.write_confusion(folder, "val", np.eye(19, dtype=int), CITYSCAPES.classes)
    before = files_of(folder)
    found = evaluate(folder, "val", "cpu")
    assert found.folder == folder / "evaluations" / "val-plain"
    after = files_of(folder)
    assert {name: after[name] for name in before} == before
    np.testing.assert_array_equal(runs.read_images(found.folder, "val").confusions.sum(0), found.confusion)
    runs.write_confusion(found.folder, "val", np.eye(19, dtype=int), CITYSCAPES.classes)
    assert evaluate(folder, "val", "cpu").folder is None  # two other counts, and none is touched
    assert runs.read_confusion(found.folder, "val")[0].sum() == 19
    other = make_run(1)
    evaluate(other, "val", "cpu")
    compare(folder, other, "val")  # finds it there


def test_a_run_that_has_not_ended_gets_no_record(make_run, files_of):
    folder = make_run()
    (folder / "summary.json").unlink()
    before = files_of(folder)
    assert evaluate(folder, "val", "cpu").folder is None
    assert files_of(folder) == before


def test_a_run_without_weights_is_named(make_run):
    folder = make_run()
    (folder / "weights.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"run0: no weights"):
        evaluate(folder, "val", "cpu")


def test_an_empty_split_is_named(make_run, tiny, monkeypatch):
    folder = make_run()
    empty = create_dataset(tiny.data.name, "val", tiny.data.root)
    empty.samples = ()
    monkeypatch.setattr("seglab.evaluation.evaluate.create_dataset", lambda *_: empty)
    with pytest.raises(DataError, match="split is empty"):
        evaluate(folder, "val", "cpu")


def test_the_table_shows_intervals_and_totals(random_counts):
    images = runs.ImageCounts(tuple("abcdefghijkl"), random_counts(1))
    text = interval_table(images, CITYSCAPES)
    confusion = images.confusions.sum(0)
    (car,) = (line for line in text.splitlines() if line.startswith("car"))
    assert f"{100 * metrics.iou(confusion)[13]:.2f}%" in car
    assert f"{100 * metrics.frequency_weighted_iou(confusion):.2f}%" in text
    assert "mean of 19 classes" in text and "mean of 7 categories" in text


# ------------------------------------------------------------------------------------------ comparing


def record(folder, counts, names="abcdefghijkl", classes=CITYSCAPES.classes):
    runs.create(folder, Experiment("tests", folder.name))
    runs.write_summary(folder, {"provenance": {"data_digests": {}}})
    images = runs.ImageCounts(tuple(names), counts)
    runs.write_images(folder, "test", images)
    runs.write_confusion(folder, "test", images.confusions.sum(0), classes)
    return folder


def test_few_pictures_give_differences_without_intervals_and_stars(tmp_path, random_counts):
    folders = [record(tmp_path / str(seed), random_counts(seed, 9), "abcdefghi") for seed in range(2)]
    lines = comparison_table(folders, "test").splitlines()[3:]
    assert len(lines) == 20
    assert all(re.search(r" [+-]\d+\.\d\d  \[     -,      -\]  $", line) for line in lines), lines
    text = interval_table(runs.read_images(folders[0], "test"), CITYSCAPES)
    assert text.count("[      -,       -]") == 19 + 4


def test_compare_tells_a_real_difference_from_none(tmp_path, random_counts):
    counts = random_counts(0)
    better = counts.copy()
    better[:, 7, 7] += better[:, 7, 8]  # signs that were called vegetation are right now
    better[:, 7, 8] = 0
    one, two = record(tmp_path / "one", counts), record(tmp_path / "two", better)
    found = compare(one, two, "test")
    expected = metrics.iou(better[:, :-1].sum(0)) - metrics.iou(counts[:, :-1].sum(0))
    np.testing.assert_allclose(found.iou.value, expected)
    assert found.iou.low[7] > 0 and found.iou.low[8] > 0  # vegetation has fewer false pixels
    untouched = [k for k in range(19) if k not in (7, 8)]
    assert not found.iou.low[untouched].any() and not found.iou.high[untouched].any()
    lines = comparison_table([one, two, one], "test").splitlines()
    (sign,) = (line for line in lines if line.startswith("traffic sign"))
    assert sign.count("*") == 1 and f"{100 * expected[7]:+.2f}" in sign
    (road,) = (line for line in lines if line.startswith("road"))
    assert "*" not in road


def test_what_cannot_be_compared_is_refused(tmp_path, random_counts):
    one = record(tmp_path / "one", random_counts(0))
    other_names = record(tmp_path / "names", random_counts(0), "ABCDEFGHIJKL")
    other_classes = record(tmp_path / "classes", random_counts(0), classes=CITYSCAPES.classes[::-1])
    counts = random_counts(0)
    counts[3, 2] *= 2
    other_truth = record(tmp_path / "truth", counts)
    for folder, message in (
        (other_names, "pictures"),
        (other_classes, "classes"),
        (other_truth, "same pictures and masks"),
    ):
        with pytest.raises(RunError, match=message):
            compare(one, folder, "test")
    with pytest.raises(RunError, match=r"images_val\.npz.*seglab evaluate"):
        compare(one, one, "val")


def test_counts_of_pictures_round_trip_with_the_same_bytes(tmp_path, random_counts):
    one, two = (record(tmp_path / name, random_counts(3)) for name in ("one", "two"))
    np.testing.assert_array_equal(runs.read_images(one, "test").counts, random_counts(3))
    assert (one / "images_test.npz").read_bytes() == (two / "images_test.npz").read_bytes()
    assert runs.has_images(one, "test") and not runs.has_images(one, "val")


@pytest.mark.parametrize("kept", [0, 100, -200])
def test_damaged_counts_are_named(tmp_path, random_counts, kept):
    path = record(tmp_path / "one", random_counts(3)) / "images_test.npz"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(RunError, match=r"images_test\.npz: damaged"):
        runs.read_images(path.parent, "test")


def test_seeds_become_mean_and_spread(tiny, change, tmp_path):
    for seed, score in enumerate((0.4, 0.5, 0.6)):
        folder = runs.create(tmp_path / f"seed{seed}", replace(tiny, seed=seed))
        runs.write_summary(folder, {"scores": {"test": {"mean_iou": score}}})
    shutil.copytree(tmp_path / "seed0", tmp_path / "other")
    (tmp_path / "other" / "config.yaml").write_text(
        (tmp_path / "seed0" / "config.yaml").read_text().replace("name: tiny", "name: lonely")
    )
    table = runs.over_seeds(runs.load(tmp_path), "scores.test.mean_iou").set_index("name")
    assert table.loc["tiny", "mean"] == pytest.approx(0.5) and table.loc["tiny", "std"] == pytest.approx(0.1)
    assert table.loc["tiny", "seeds"] == 3 and table.loc["lonely", "seeds"] == 1
    assert np.isnan(table.loc["lonely", "std"])


def test_a_run_can_be_scored_on_another_data_set_with_its_classes(make_run, monkeypatch):
    folder = make_run()
    own = create_dataset("street_scenes", "test", runs.read_experiment(folder).data.root)
    other = SegmentationDataset("elsewhere", "test", own.labels, own.samples[:1], own.root)
    monkeypatch.setattr("seglab.evaluation.evaluate.create_dataset", lambda name, split, root: other)
    found = evaluate(folder, "test", data="elsewhere")
    assert found.folder == folder / "evaluations" / "elsewhere-test-plain"
    assert found.folder in runs.evaluations(folder)
    assert runs.read_summary(found.folder)["data"] == "elsewhere"
    confusion, _ = runs.read_confusion(found.folder, "test")
    assert 0 < confusion.sum() <= own.read_mask(0).size

    strange = SegmentationDataset("strange", "test", CAMVID11, own.samples, own.root)
    monkeypatch.setattr("seglab.evaluation.evaluate.create_dataset", lambda name, split, root: strange)
    with pytest.raises(ConfigError, match=r"got strange, whose classes are sky.*allowed is a set with those"):
        evaluate(folder, "test", data="strange")


@pytest.fixture
def garden(tiny, tmp_path):
    """Two test pictures of the street scenes as somebody's own data."""
    scenes, path = create_dataset("street_scenes", "test", tiny.data.root), tmp_path / "plot" / "mine.yaml"
    for kind in ("photos", "labels"):
        (path.parent / kind).mkdir(parents=True)
    for sample in scenes.samples[:2]:
        shutil.copy(sample.image, path.parent / "photos" / f"{sample.name}.png")
        shutil.copy(sample.mask, path.parent / "labels" / f"{sample.name}.png")
    ids = scenes.labels.file_ids
    classes = {CITYSCAPES.classes[k]: {"id": file_id} for file_id, k in ids.items() if k != 255}
    void = [file_id for file_id, k in ids.items() if k == 255]
    description = {"name": "garden", "images": "photos", "masks": "labels", "classes": classes}
    path.write_text(yaml.safe_dump({**description, "ignore": void, "splits": {"test": 1}}, sort_keys=False))
    return path


def test_own_data_is_recorded_in_the_run_under_its_name(make_run, garden, files_of, tmp_path, monkeypatch):
    folder, before = make_run(), set(files_of(garden.parent))
    monkeypatch.chdir(tmp_path)
    for data in ("plot/mine.yaml", str(garden), "run0/../plot/mine.yaml"):
        found = evaluate(folder, "test", "cpu", data=data)
        assert found.folder == folder / "evaluations" / "garden-test-plain"
    assert runs.evaluations(folder) == [found.folder]
    assert runs.read_summary(found.folder)["data"] == "garden"
    assert set(files_of(garden.parent)) - before == {"mine.splits.json"}


def test_a_run_on_own_data_keeps_the_meaning_of_its_outputs(make_run, garden, tmp_path, monkeypatch):
    folder = make_run()
    config = (folder / "config.yaml").read_text()
    config = config.replace("name: street_scenes", "name: plot/mine.yaml").replace("root: /", "root: null #")
    (folder / "config.yaml").write_text(config)
    monkeypatch.chdir(tmp_path)
    load_predictor(folder, "cpu")  # not scored yet: it holds no names of classes
    evaluate(folder, "test", "cpu")
    assert load_predictor(folder, "cpu").labels.classes == CITYSCAPES.classes
    description = yaml.safe_load(garden.read_text())
    description["classes"]["road"] = description["classes"].pop("road")  # is the last one now
    garden.write_text(yaml.safe_dump(description, sort_keys=False))
    for ask in (load_predictor, lambda run, device: evaluate(run, "test", device)):
        with pytest.raises(DataError, match=r"mine\.yaml: its classes are sidewalk.*run0.*order: road, side"):
            ask(folder, "cpu")
    monkeypatch.chdir(folder)
    for ask in (load_predictor, lambda run, device: evaluate(run, "test", device)):
        with pytest.raises(DataError, match=r"plot/mine\.yaml: .*looked for from .*run0, .*was trained"):
            ask(folder, "cpu")
