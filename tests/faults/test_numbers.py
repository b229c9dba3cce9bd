"""Fault F12: numbers that are none, anywhere in a step, and batches without a labelled pixel."""

import json
import math

import pytest
import torch

from seglab import checkpoints
from seglab.trainers.learner import Learner
from seglab.trainers.loop import Training
from seglab.trainers.processes import Processes

from .harness import STEPS_PER_EPOCH, experiment, go, plain, run

KINDS = ("input", "loss", "gradient", "weight", "void")


def poison(kind: str, learner: Learner, batch: dict, number: float):
    """Makes one thing of the next step NaN or infinite; answers with what undoes it."""
    bias = learner.model.decoder.bias
    if kind == "input":
        return learner.model.encoder.register_forward_pre_hook(lambda _, args: (args[0] * number,)).remove
    if kind == "loss":
        return learner.trained.register_forward_hook(lambda _, args, heads: [heads[0] * number]).remove
    if kind == "gradient":
        return bias.register_hook(lambda gradient: gradient * number).remove
    if kind == "weight":
        kept = bias.detach().clone()
        bias.data[0] = number
        return lambda: bias.data.copy_(kept)
    batch["mask"].fill_(255)
    return lambda: None


def poisoned_steps(kind, whole, folder, steps, report):
    """Poisons every second step; writes down what each of them did."""
    training = Training(whole, folder, Processes(torch.device("cpu")), [], resume=False)
    learner = Learner(
        whole, training.model, training.objectives, training.execution, training.processes, training.timetable
    )
    wrong = []
    batches = (batch for epoch in range(1000) for batch in training.batches.epoch(epoch))
    for step in range(steps):
        batch = next(batches)
        clean = {name: tensor for name, tensor in next(batches).items() if name != "name"}
        before = kept(learner)
        undo = poison(kind, learner, batch, [math.nan, math.inf][step % 2])
        loss = learner.step(batch)
        undo()
        after = kept(learner)
        if kind == "void":
            good = loss == 0 and learner.skipped == 0 and all(w.isfinite().all() for w in weights(learner))
        else:
            good = after == before and learner.skipped == step + 1 and learner.skipped_in_a_row == 1
        good = good and math.isfinite(learner.step(clean)) and kept(learner) != after
        if not good:
            wrong.append(f"F12: {kind}, step {step}: loss {loss}, {learner.skipped} left out")
    report.write_text(json.dumps(wrong))


def kept(learner):
    state = learner.state_dict()
    return plain([state["model"], state["optimizer"]["state"], state["average"]])


def weights(learner):
    return [*learner.model.state_dict().values(), *learner.evaluated.state_dict().values()]


@pytest.mark.parametrize("kind", KINDS)
def test_f12_a_step_without_numbers_changes_nothing(faults, scenes12, tmp_path, kind):
    report, steps = tmp_path / "report", faults.count(4, 20)
    assert run(poisoned_steps, kind, experiment(scenes12), tmp_path / "run", steps, report) == 0
    wrong = json.loads(report.read_text())
    faults.record("F12", steps, steps - len(wrong))
    assert wrong == []


def go_poisoned(kind, whole, folder, first):
    """Trains; from a certain step on everything is poisoned."""
    step = Learner.step

    def poisoned(learner, batch):
        if learner.steps >= first:
            poison(kind, learner, batch, math.nan)
        return step(learner, batch)

    Learner.step = poisoned
    go(whole, folder)


@pytest.mark.parametrize("kind", KINDS[:-1])
def test_f12_too_many_in_a_row_end_the_run(faults, scenes12, tmp_path, kind):
    whole, folder, log = experiment(scenes12, max_bad_steps=3), tmp_path / "run", tmp_path / "log"
    code = run(go_poisoned, kind, whole, folder, 4, log=log)
    state = checkpoints.load_newest(folder / "checkpoints")[0]
    good = code == 3 and state["steps"] == 4 and all(w.isfinite().all() for w in state["weights"].values())
    faults.record("F12", 1, int(good))
    assert good, f"exit {code}, checkpoint of step {state['steps']}, said {log.read_text()}"


def go_exploding(whole, folder):
    """Trains; the last step of the first epoch is finite, and leaves weights that are not."""
    step = Learner.step

    def exploding(learner, batch):
        loss = step(learner, batch)
        if learner.steps == STEPS_PER_EPOCH:
            torch.nn.init.constant_(learner.evaluated.decoder.bias, math.nan)
        return loss

    Learner.step = exploding
    go(whole, folder)


def test_f12_answers_that_are_no_numbers_are_a_divergence(faults, scenes12, tmp_path):
    whole, log = experiment(scenes12), tmp_path / "log"
    code = run(go_exploding, whole, tmp_path / "run", log=log)
    faults.record("F12", 1, int(code == 3))
    assert code == 3 and "the network answers NaN" in log.read_text()
