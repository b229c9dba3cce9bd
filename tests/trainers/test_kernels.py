"""CUDA's kernels are chosen for a training and for nothing beside it. The settings exist without a GPU."""

import pytest
import torch

from seglab.trainers.kernels import kernels

SETTINGS = torch.utils.deterministic


def settings():
    return (
        torch.backends.cudnn.benchmark,
        torch.are_deterministic_algorithms_enabled(),
        SETTINGS.fill_uninitialized_memory,
    )


@pytest.mark.parametrize("deterministic", [True, False])
def test_a_training_on_cuda_has_its_settings_and_leaves_those_of_others(tiny, change, deterministic):
    before = settings()
    experiment = change(tiny, "training", deterministic=deterministic)
    with pytest.raises(KeyboardInterrupt), kernels(experiment, torch.device("cuda", 0)):
        # Nothing is filled before it is written: the fast kernels, or those that repeat, and no others.
        assert settings() == (not deterministic, deterministic, False)
        raise KeyboardInterrupt
    assert settings() == before


def test_a_training_on_a_processor_changes_nothing(tiny, change):
    before = settings()
    with kernels(change(tiny, "training", deterministic=True), torch.device("cpu")):
        assert settings() == before
