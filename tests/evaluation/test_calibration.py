"""Confidences over a split, against torchmetrics."""

import numpy as np
import pytest
import torch
from torchmetrics.classification import MulticlassCalibrationError

from seglab.datasets import create_dataset
from seglab.errors import DataError
from seglab.evaluation.calibration import fit_on_validation, measure_reliability
from seglab.evaluation.inference import load_predictor
from seglab.metrics.calibration import calibration_error


@pytest.fixture
def predictor(make_run):
    return load_predictor(make_run(), "cpu")


@pytest.fixture
def split(tiny):
    return lambda name: create_dataset(tiny.data.name, name, tiny.data.root)


@pytest.mark.parametrize("temperature", [1.0, 0.2])
def test_error_equals_torchmetrics(predictor, split, temperature):
    found = measure_reliability(predictor, split("val"), temperature)
    theirs = MulticlassCalibrationError(19, n_bins=15, ignore_index=255)
    labelled = right = 0
    for index in range(len(split("val"))):
        image, mask = split("val").read(index)
        probabilities = torch.from_numpy(predictor.scores(image))
        logits = probabilities.log() / temperature
        theirs.update(logits.softmax(0)[None], torch.from_numpy(mask).long()[None])
        labelled += (mask != 255).sum()
        right += (probabilities.argmax(0).numpy() == mask).sum()
    assert calibration_error(found) == pytest.approx(float(theirs.compute()), abs=1e-5)
    assert found.pixels.sum() == labelled and found.right.sum() == right


def test_fitted_temperature_helps_where_it_was_fitted(predictor, split):
    temperature = fit_on_validation(predictor, split("val"))
    assert temperature == fit_on_validation(predictor, split("val"))
    before, after = (measure_reliability(predictor, split("val"), t) for t in (1.0, temperature))
    assert calibration_error(after) < calibration_error(before)
    np.testing.assert_array_equal(after.pixels.sum(1), before.pixels.sum(1))  # predictions stay


@pytest.mark.parametrize("name", ["train", "test"])
def test_temperature_is_fitted_on_validation_alone(predictor, split, name):
    with pytest.raises(DataError, match="allowed is 'val'"):
        fit_on_validation(predictor, split(name))
