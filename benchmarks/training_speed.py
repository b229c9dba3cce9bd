"""Seconds of a training step: seglab's learner beside a plain PyTorch loop.

The plain loop is what a textbook shows: float32, contiguous, `nn.CrossEntropyLoss`, the same kind of
optimizer with torch's defaults. Both have the same network with the same weights and the same batch, and
their first losses are compared before anything is timed. `seglab` is in the same format, which shows what the
learner costs; `seglab auto` is in the format that a training on this machine chooses.

All take turns in one process and one thread. What is measured is processor time, which a busy machine
disturbs less than the clock. The plain loop runs twice in every round: where the two differ by more than 5
per cent, the machine was too busy and the result says so.

    python benchmarks/training_speed.py [--save] [NETWORK ...]
"""

import argparse
import copy
import json
import os
import platform
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from seglab.config import Experiment, LossConfig
from seglab.evaluation.execution import Execution, choose_execution
from seglab.models import create_model
from seglab.recipes import recipe
from seglab.runs import code_revision, processor
from seglab.trainers.learner import Learner
from seglab.trainers.objectives import Objective
from seglab.trainers.phases import Timetable
from seglab.trainers.processes import Processes

NETWORKS = ("minihrnet_a3", "segsmall", "erfnet", "miniunet")
BATCH_SIZE, SIZE, CLASSES = 2, (128, 256), 19
WARM_UP, ROUNDS = 2, 9
CPU = torch.device("cpu")
RESULT = Path(__file__).parents[1] / "results" / "benchmarks" / "training_speed.json"


def experiment_of(network: str) -> Experiment:
    """The network's recipe as one phase, without what the plain loop does not have."""
    base = recipe(network, profile="quick")
    return replace(
        base,
        phases=(),
        loss=LossConfig(),
        model=base.model.untrained,
        training=replace(base.training, ema_decay=None, clip_norm=None, batch_size=BATCH_SIZE),
    )


class Plain:
    """The textbook loop."""

    def __init__(self, experiment: Experiment, model: nn.Module) -> None:
        config = experiment.optimizer
        self.model = model.train()
        self.mean, self.std = (
            torch.tensor(values).view(3, 1, 1) for values in (experiment.data.mean, experiment.data.std)
        )
        self.criterion = nn.CrossEntropyLoss(ignore_index=255)
        decay = {"lr": config.lr, "weight_decay": config.weight_decay}
        kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
        if config.name == "sgd":
            self.optimizer = torch.optim.SGD(model.parameters(), momentum=config.momentum, **decay)
        else:
            self.optimizer = kinds[config.name](model.parameters(), **decay)

    def step(self, batch: dict[str, torch.Tensor]) -> float:
        image = (batch["image"].float() / 255 - self.mean) / self.std
        self.optimizer.zero_grad()
        loss = self.criterion(self.model(image), batch["mask"].long())
        loss.backward()
        self.optimizer.step()
        return loss.item()


def learner_of(experiment: Experiment, model: nn.Module, execution: Execution) -> Learner:
    plan = experiment.plan
    objectives = [Objective(phase.loss) for phase in plan]
    return Learner(experiment, model, objectives, execution, Processes(CPU), Timetable(plan, 10**6))


def random_batch() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shape = (BATCH_SIZE, *SIZE)
    image = torch.randint(0, 256, (BATCH_SIZE, 3, *SIZE), dtype=torch.uint8, generator=generator)
    mask = torch.randint(0, CLASSES, shape, dtype=torch.uint8, generator=generator)
    mask[torch.rand(shape, generator=generator) < 0.1] = 255
    return {"image": image, "mask": mask}


def check_same_work(experiment: Experiment, model: nn.Module, batch: dict[str, torch.Tensor]) -> None:
    """Without dropout, the first steps of both have the same loss."""
    model = copy.deepcopy(model)
    for module in model.modules():
        if isinstance(module, nn.Dropout | nn.Dropout2d):
            module.p = 0.0
    sides = Plain(experiment, copy.deepcopy(model)), learner_of(experiment, model, Execution(CPU))
    losses = [side.step(batch) for side in sides]
    assert abs(losses[0] - losses[1]) < 1e-4 * losses[0], losses


def measure(network: str) -> dict:
    """Times one network; seconds by side, and the ratios to the plain loop with their 95 % intervals."""
    experiment, batch = experiment_of(network), random_batch()
    torch.manual_seed(0)
    model = create_model(network, CLASSES, **experiment.model.options)
    check_same_work(experiment, model, batch)
    chosen = choose(experiment, model, batch)
    sides = {
        "plain": Plain(experiment, copy.deepcopy(model)),
        "plain again": Plain(experiment, copy.deepcopy(model)),
        "seglab": learner_of(experiment, copy.deepcopy(model), Execution(CPU)),
    }
    if chosen != Execution(CPU):
        sides["seglab auto"] = learner_of(experiment, copy.deepcopy(model), chosen)
    seconds = {side: [] for side in sides}
    for number in range(WARM_UP + ROUNDS):
        order = list(sides)[number % len(sides) :] + list(sides)[: number % len(sides)]
        for side in order:  # each begins a round in its turn: a side suffers from what ran before it
            start = time.process_time()
            sides[side].step(batch)
            if number >= WARM_UP:
                seconds[side].append(time.process_time() - start)
    result = {side: summary(values, seconds["plain"]) for side, values in seconds.items()}
    result["chosen"] = chosen.describe()
    result["valid"] = 0.95 <= result["plain again"]["ratio"] <= 1.05
    return result


def choose(experiment: Experiment, model: nn.Module, batch: dict[str, torch.Tensor]) -> Execution:
    """The format of a training of this network here, as `seglab train` chooses it."""
    learner = learner_of(experiment, copy.deepcopy(model), Execution(CPU))

    def step(execution: Execution) -> None:
        if execution != learner.execution:
            learner.move(execution)
        learner.step(batch)

    return choose_execution(CPU, experiment.training, experiment.model, (BATCH_SIZE, *SIZE), step)


def summary(seconds: list[float], plain: list[float]) -> dict:
    """Least and median seconds; median ratio to the plain loop of the same round, with its interval."""
    ratios = np.array(seconds) / np.array(plain)
    draws = np.random.default_rng(0).choice(ratios, (2000, len(ratios)))
    low, high = np.quantile(np.median(draws, axis=1), [0.025, 0.975])
    return {
        "min_s": round(min(seconds), 4),
        "median_s": round(float(np.median(seconds)), 4),
        "ratio": round(float(np.median(ratios)), 3),
        "ratio_of_min": round(min(seconds) / min(plain), 3),
        "interval": [round(float(low), 3), round(float(high), 3)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", default=NETWORKS, metavar="NETWORK")
    parser.add_argument("--save", action="store_true", help=f"write {RESULT}")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as cache:
        os.environ["SEGLAB_CACHE"] = cache  # the format is chosen anew, and not for later trainings
        for record in measure_all(arguments.networks):
            if arguments.save:
                RESULT.parent.mkdir(parents=True, exist_ok=True)
                RESULT.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def measure_all(networks: Sequence[str]) -> Iterator[dict]:
    """Times the networks one after the other, and prints what was found; yields the record so far."""
    capabilities = [name for name, has in torch.cpu.get_capabilities().items() if has is True]
    record = {
        "batch": [BATCH_SIZE, *SIZE],
        "rounds": ROUNDS,
        "processor": processor(),
        "capabilities": capabilities,
        "threads": torch.get_num_threads(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "code_revision": code_revision(),
        "load_average_before": os.getloadavg(),
        "networks": {},
    }
    for network in networks:
        record["networks"][network] = result = measure(network)
        print(f"{network}, {result['chosen']}" + ("" if result["valid"] else ": too noisy to say anything"))
        for side, numbers in result.items():
            if isinstance(numbers, dict):
                low, high = numbers["interval"]
                print(
                    f"    {side:12} min {numbers['min_s']:.3f} s, median {numbers['median_s']:.3f} s, "
                    f"ratio {numbers['ratio']:.2f} ({low:.2f} to {high:.2f})",
                    flush=True,
                )
        record["load_average_after"] = os.getloadavg()
        yield record


if __name__ == "__main__":
    main()
