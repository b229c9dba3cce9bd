"""What the tests of the trainers share."""

import pytest
import torch


@pytest.fixture(scope="session")
def assert_equal_states():
    """Compares two states of a training, of dictionaries, lists, tensors and numbers, bit for bit."""

    def assert_equal_states(one, other, where="state"):
        assert type(one) is type(other), where
        if isinstance(one, torch.Tensor):
            assert torch.equal(one, other), where
        elif isinstance(one, dict):
            assert one.keys() == other.keys(), where
            for key in one:
                assert_equal_states(one[key], other[key], f"{where}.{key}")
        elif isinstance(one, list | tuple):
            assert len(one) == len(other), where
            for i, pair in enumerate(zip(one, other, strict=True)):
                assert_equal_states(*pair, f"{where}[{i}]")
        else:
            assert one == other, where

    return assert_equal_states


@pytest.fixture
def gentle(tiny, change):
    """Two small steps of SGD over six pictures each, with instance normalisation.

    Adam turns the rounding of a gradient near zero into a full step, and every further step multiplies the
    difference by ten or so: without a batch to average over, flat areas are normalised by almost nothing.
    """
    experiment = change(tiny, "training", epochs=2, batch_size=6)
    return change(experiment, "optimizer", name="sgd", lr=1e-3)
