"""Samples are made from a run's weights: of pictures that nobody picked, and that may be passed on."""

import numpy as np
import pytest

from seglab import cli, runs, samples
from seglab.datasets import SegmentationDataset, create_dataset
from seglab.errors import CheckpointError, ConfigError, RunError
from seglab.evaluation.inference import load_predictor
from seglab.evaluation.samples import make_samples
from seglab.labels import CITYSCAPES


def test_pictures_are_spread_over_the_split(tmp_path):
    ten = SegmentationDataset("any", "test", CITYSCAPES, range(10), tmp_path)
    assert ten.spread(4) == [0, 3, 6, 9]
    assert ten.spread(1) == [0]
    assert ten.spread(99) == list(range(10))


def test_they_hold_what_the_network_predicts(make_run):
    folder = make_run()
    path = make_samples(folder, "train", 3, "cpu")
    assert path == folder / "samples_train.npz"
    dataset = create_dataset("street_scenes", "train", runs.read_experiment(folder).data.root)
    predict = load_predictor(folder, "cpu")
    found, labels = samples.read(folder, "train")
    assert labels == CITYSCAPES
    assert [sample.name for sample in found] == [dataset.names[k] for k in (0, 2, 5)]  # of six
    for sample in found:
        image, mask = dataset.read(dataset.names.index(sample.name))
        np.testing.assert_array_equal(sample.mask, mask)
        np.testing.assert_array_equal(sample.prediction, predict(image))
    before = path.read_bytes()
    with pytest.raises(RunError, match="exists already"):
        make_samples(folder, "train", 3, "cpu")
    path.unlink()
    assert make_samples(folder, "train", 3, "cpu").read_bytes() == before


def test_only_finished_runs_with_weights_have_samples(make_run):
    folder = make_run()
    (folder / "weights.safetensors").rename(folder / "away")
    with pytest.raises(CheckpointError, match="no weights"):
        make_samples(folder)
    (folder / "summary.json").unlink()
    with pytest.raises(RunError, match="has not ended"):
        make_samples(folder)
    with pytest.raises(ConfigError, match="split 'tset'"):
        make_samples(folder, "tset")
    with pytest.raises(ConfigError, match="number: got 0"):
        make_samples(folder, number=0)


def test_pictures_with_a_licence_are_refused(tiny, change, scenes, tmp_path):
    camvid = runs.create(tmp_path / "camvid", change(tiny, "data", name="camvid", root=None))
    with pytest.raises(ConfigError, match=r"a run on camvid, .* allowed are runs on street_scenes and"):
        make_samples(camvid)
    # Photographs in the layout of the street scenes, under their name.
    (tmp_path / "photographs").mkdir()
    for part in ("leftImg8bit", "gtFine"):
        (tmp_path / "photographs" / part).symlink_to(scenes / part)
    run = runs.create(tmp_path / "run", change(tiny, "data", root=str(tmp_path / "photographs")))
    with pytest.raises(ConfigError, match=r"a run on .*photographs, whose pictures have a licence"):
        make_samples(run)


def test_the_command_says_where_they_are(make_run, capsys):
    folder = make_run()
    assert cli.main(["samples", str(folder), "--split", "val", "--number", "1", "--device", "cpu"]) == 0
    assert capsys.readouterr().out.split() == [str(folder / "samples_val.npz")]
    assert cli.main(["samples", str(folder), "--split", "val"]) == 5
