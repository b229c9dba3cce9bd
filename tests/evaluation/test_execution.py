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


class Machine:
    """Stands in for the clock and the network: a step takes as long as the table says.

    Attributes:
        table: Seconds of a step by (precision, memory format).
        steps: The executions of all steps so far.
        slow: Number of the step from which, and up to which, the machine is ten times slower.
    """

    def __init__(self):
        self.table = {("bf16", "contiguous"): 4.0, ("bf16", "channels_last"): 3.0}
        self.table |= {("fp32", "contiguous"): 8.0, ("fp32", "channels_last"): 2.0}
        self.now, self.steps, self.slow = 0.0, [], (0, 0)

    def step(self, execution):
        busy = self.slow[0] <= len(self.steps) < self.slow[1]
        self.steps.append((execution.precision, execution.memory_format))
        self.now += self.table[self.steps[-1]] * (10 if busy else 1)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    machine = Machine()
    monkeypatch.setenv("SEGLAB_CACHE", str(tmp_path))
    monkeypatch.setattr(module, "_precisions", lambda device: ["bf16", "fp32"])
    monkeypatch.setattr(module.time, "perf_counter", lambda: machine.now)
    return machine


def choose(machine, said=None, **training):
    say = (said if said is not None else []).append
    return choose_execution(CPU, TrainingConfig(**training), ModelConfig(), SHAPE, machine.step, say)


def test_candidates_take_turns_so_that_a_busy_while_decides_nothing(machine):
    machine.slow = (6, 8)  # the whole first turn of the fastest one
    assert choose(machine) == Execution(CPU, "fp32", "channels_last")
    turn = [candidate for candidate in machine.table for _ in range(2)]
    assert machine.steps == turn * 2  # slow steps: as few turns as make sense


def test_quick_steps_are_measured_more_often(machine):
    machine.table = {candidate: seconds / 100 for candidate, seconds in machine.table.items()}
    choose(machine)
    assert len(machine.steps) == 5 * 2 * 4


def test_the_fastest_is_taken_said_and_remembered(machine, tmp_path):
    said = []
    assert choose(machine, said) == Execution(CPU, "fp32", "channels_last")
    assert said[-1] == "cpu, fp32, channels_last: 4.0 images/s  <- chosen" and len(said) == 4
    machine.table["bf16", "contiguous"] = 0.1  # noise of another day
    assert choose(machine, said) == Execution(CPU, "fp32", "channels_last") and len(said) == 4
    assert list(json.loads((tmp_path / "execution.json").read_text()).values()) == [["fp32", "channels_last"]]


def test_networks_of_another_release_are_measured_anew(machine, monkeypatch):
    choose(machine)
    machine.table["bf16", "contiguous"] = 0.1
    monkeypatch.setattr(module, "_code_of_networks", lambda: "another")
    assert choose(machine) == Execution(CPU, "bf16", "contiguous")


def test_between_equals_the_first_is_taken(machine):
    machine.table.update({key: 4.0 for key in machine.table})
    machine.table["fp32", "channels_last"] = 3.9
    assert choose(machine) == Execution(CPU, "bf16", "contiguous")


def test_only_what_is_left_open_is_measured(machine):
    assert choose(machine, precision="bf16") == Execution(CPU, "bf16", "channels_last")
    assert choose(machine, memory_format="contiguous") == Execution(CPU, "bf16", "contiguous")


def test_fixed_choices_are_not_measured(machine):
    assert choose(machine, precision="fp32", memory_format="channels_last") == Execution(
        CPU, "fp32", "channels_last"
    )
    assert machine.steps == []


def test_half_precision_on_the_cpu_is_refused(machine):
    with pytest.raises(ConfigError, match=r"training\.precision.*fp16.*auto, fp32"):
        choose(machine, precision="fp16")


def test_damaged_memory_is_measured_anew(machine, tmp_path):
    (tmp_path / "execution.json").write_text("{")
    assert choose(machine) == Execution(CPU, "fp32", "channels_last")


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
