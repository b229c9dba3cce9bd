"""Samples of runs: written once, read back, and the pictures that the runs were scored on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seglab import metrics, runs, samples
from seglab.errors import RunError
from seglab.labels import SOCCER4
from seglab.samples import Sample

ROOT = Path(__file__).parents[1]


@pytest.fixture
def two():
    """Two pictures of different sizes; their colours change slowly, as JPEG likes it."""
    rng = np.random.default_rng(0)
    made = []
    for name, (height, width) in {"first": (32, 48), "second": (40, 24)}.items():
        small = Image.fromarray(rng.integers(0, 256, (2, 2, 3), np.uint8))
        image = np.asarray(small.resize((width, height), Image.Resampling.BILINEAR))
        mask, prediction = rng.choice([0, 1, 2, 3, 255], (2, height, width)).astype(np.uint8)
        made.append(Sample(name, image, mask, prediction))
    return made


def test_round_trip_with_the_same_bytes(two, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        samples.write(tmp_path / name, "test", two, SOCCER4)
    found, labels = samples.read(tmp_path / "one", "test")
    assert labels == SOCCER4 and samples.splits(tmp_path / "one") == ["test"]
    for before, after in zip(two, found, strict=True):
        assert after.name == before.name
        np.testing.assert_array_equal(after.mask, before.mask)
        np.testing.assert_array_equal(after.prediction, before.prediction)
        assert after.image.shape == before.image.shape
        assert np.abs(after.image.astype(int) - before.image).mean() < 4
    first, second = (tmp_path / name / "samples_test.npz" for name in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()
    samples.write(tmp_path / "one", "val", [replace(two[0], prediction=two[0].mask)], SOCCER4)
    assert samples.splits(tmp_path / "one") == ["test", "val"]


def test_they_are_not_overwritten(two, tmp_path):
    path = samples.write(tmp_path, "test", two, SOCCER4)
    before = path.read_bytes()
    with pytest.raises(RunError, match=r"samples_test\.npz: exists already"):
        samples.write(tmp_path, "test", two[:1], SOCCER4)
    assert path.read_bytes() == before


@pytest.mark.parametrize("kept", [0, 100, -300])
def test_damaged_samples_are_named(two, tmp_path, kept):
    path = samples.write(tmp_path, "test", two, SOCCER4)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(RunError, match=r"samples_test\.npz: damaged"):
        samples.read(tmp_path, "test")
    with pytest.raises(RunError, match=r"samples_val\.npz: no samples; `seglab samples .* --split val`"):
        samples.read(tmp_path, "val")


@pytest.mark.parametrize(
    ("field", "change", "reason"),
    [
        ("mask", lambda ids: ids.astype(np.int64), "int64"),
        ("mask", lambda ids: ids[1:], "not as its picture"),
        ("prediction", lambda ids: ids[..., None], "not as its picture"),
        ("prediction", lambda ids: np.full_like(ids, 4), "none of soccer4's classes"),
    ],
)
def test_masks_that_are_none_are_damaged(two, tmp_path, field, change, reason):
    broken = replace(two[1], **{field: change(getattr(two[1], field))})
    samples.write(tmp_path, "test", [two[0], broken], SOCCER4)
    with pytest.raises(RunError, match=rf"samples_test\.npz: damaged \({field} of second: .*{reason}"):
        samples.read(tmp_path, "test")


def test_no_pictures_are_damaged_samples(tmp_path):
    samples.write(tmp_path, "test", [], SOCCER4)
    with pytest.raises(RunError, match=r"damaged \(no pictures"):
        samples.read(tmp_path, "test")


def test_committed_samples_are_pictures_that_the_run_was_scored_on():
    committed = sorted(ROOT.glob("results/**/samples_*.npz"))
    for path in committed:
        folder, split = path.parent, path.stem.removeprefix("samples_")
        scored = runs.read_images(folder, split)
        found, labels = samples.read(folder, split)
        for sample in found:
            counts = metrics.confusion_matrix(sample.prediction, sample.mask, labels.num_classes)
            np.testing.assert_array_equal(counts, scored.confusions[scored.names.index(sample.name)])
    assert committed
