"""The choice of number format: measured once, remembered, refused where it makes no sense."""

import json

import pytest
import torch

from seglab.config import DataConfig, ModelConfig, TrainingConfig
from seglab.errors import ConfigError
from seglab.evaluation import execution as module
from seglab.evaluation.execution import Execution, choose_execution

CPU = torch.device("cpu")
SHAPE = (8, 64, 128)


@pytest.fixture
def seconds(tmp_path, monkeypatch):
    """Stands in for the clock: seconds of a step by (precision, memory format)."""
    monkeypatch.setenv("SEGLAB_CACHE", str(tmp_path))
    monkeypatch.setattr(module, "_precisions", lambda device: ["bf16", "fp32"])
    table = {("bf16", "contiguous"): 4.0, ("bf16", "channels_last"): 3.0, ("fp32", "contiguous"): 8.0}
    table["fp32", "channels_last"] = 2.0
    monkeypatch.setattr(module, "_time_step", lambda step, e: table[e.precision, e.memory_format])
    return table


def choose(step=None, said=None, **training):
    say = (said if said is not None else []).append
    return choose_execution(CPU, TrainingConfig(**training), ModelConfig(), SHAPE, step, say)


def test_the_fastest_is_taken_said_and_remembered(seconds, tmp_path):
    said = []
    assert choose(said=said) == Execution(CPU, "fp32", "channels_last")
    assert said[-1] == "cpu, fp32, channels_last: 4.0 images/s  <- chosen" and len(said) == 4
    seconds["bf16", "contiguous"] = 0.1  # noise of another day
    assert choose(said=said) == Execution(CPU, "fp32", "channels_last") and len(said) == 4
    assert list(json.loads((tmp_path / "execution.json").read_text()).values()) == [["fp32", "channels_last"]]


def test_between_equals_the_first_is_taken(seconds):
    seconds.update({key: 4.0 for key in seconds})
    seconds["fp32", "channels_last"] = 3.9
    assert choose() == Execution(CPU, "bf16", "contiguous")


def test_only_what_is_left_open_is_measured(seconds):
    assert choose(precision="bf16") == Execution(CPU, "bf16", "channels_last")
    assert choose(memory_format="contiguous") == Execution(CPU, "bf16", "contiguous")


def test_fixed_choices_are_not_measured():
    assert choose(precision="fp32", memory_format="channels_last") == Execution(CPU, "fp32", "channels_last")


def test_half_precision_on_the_cpu_is_refused():
    with pytest.raises(ConfigError, match=r"training\.precision.*fp16.*auto, fp32"):
        choose(precision="fp16")


def test_damaged_memory_is_measured_anew(seconds, tmp_path):
    (tmp_path / "execution.json").write_text("{")
    assert choose() == Execution(CPU, "fp32", "channels_last")


def test_images_are_normalised_on_the_device():
    image = torch.tensor([0, 128, 255], dtype=torch.uint8).view(1, 3, 1, 1)
    data = DataConfig(mean=(0.5, 0.25, 0.0), std=(0.5, 0.25, 2.0))
    found = Execution(CPU).image(image, data).flatten().tolist()
    assert found == pytest.approx([-1.0, (128 / 255 - 0.25) / 0.25, 0.5], abs=1e-6)


def test_cuda_is_refused_where_there_is_none(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"training\.device.*cuda"):
        module.resolve_device("cuda")
    assert module.resolve_device("auto") == CPU
