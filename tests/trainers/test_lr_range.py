"""The learning-rate range test: finds the known rate, stops in time, leaves nothing changed."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from seglab import cli, lr_curve
from seglab.config import Experiment, PhaseConfig
from seglab.errors import ConfigError, DivergedError, RunError
from seglab.evaluation.execution import Execution
from seglab.lr_curve import LrCurve
from seglab.models import create_model
from seglab.trainers.learner import Learner
from seglab.trainers.lr_range import find_lr, sweep_lr
from seglab.trainers.objectives import Objective
from seglab.trainers.phases import Timetable
from seglab.trainers.processes import Processes

CPU = torch.device("cpu")


class Bowl:
    """Stands in for a learner: gradient descent on `curvature` x^2 / 2.

    Every step at a rate below 2 / curvature goes down, and every step above it goes up.
    """

    def __init__(self, curvature):
        self.curvature, self.x = curvature, 10.0
        self.execution, self.fixed_lr = Execution(CPU), None

    def step(self, batch):
        loss = self.curvature * self.x**2 / 2
        self.x -= self.fixed_lr * self.curvature * self.x
        return loss

    def state_dict(self):
        return {"x": self.x}

    def load_state_dict(self, state):
        self.x = state["x"]


def endless():
    while True:
        yield None


@pytest.mark.parametrize("curvature", [0.1, 1.0, 100.0])
def test_on_a_parabola_the_suggestion_lies_below_where_steps_go_up(curvature):
    bowl = Bowl(curvature)
    curve = sweep_lr(bowl, endless(), 1e-6 / curvature, 1e3 / curvature, 200)
    limit = 2 / curvature
    for rate in (curve.suggestion, curve.tenth_of_minimum):
        assert limit / 200 < rate < limit / 2
    assert curve.lr[-1] < 1e3 / curvature  # it stopped before the last rate
    assert curve.smoothed[-1] > 4 * curve.smoothed.min() >= curve.smoothed[-2]
    assert bowl.x == 10.0 and bowl.fixed_lr is None


def test_the_rates_grow_by_a_factor_and_the_mean_is_bias_corrected():
    curve = sweep_lr(Bowl(1.0), endless(), 1e-5, 1e-2, 31)
    np.testing.assert_allclose(curve.lr, [10 ** (-5 + 0.1 * i) for i in range(31)])
    # By hand: weights 0.9^age over all losses so far, which add up to one.
    for n in (1, 2, 31):
        weights = 0.9 ** np.arange(n)[::-1]
        assert curve.smoothed[n - 1] == pytest.approx((weights * curve.loss[:n]).sum() / weights.sum())


def test_a_loss_that_only_rises_suggests_nothing():
    steps = np.arange(40)
    curve = LrCurve(10.0 ** (steps / 10 - 6), 1.0 + steps, 1.0 + steps)
    assert curve.suggestion is None


def test_the_steepest_descent_is_read_where_the_running_mean_comes_from():
    smoothed = np.full(60, 5.0)
    smoothed[30:] = 2.0  # falls from step 29 to step 30: what did it lies nine steps, its mean age, before
    curve = LrCurve(np.arange(60) + 1.0, smoothed, smoothed)
    assert curve.suggestion == 22.0


def test_nan_ends_it_and_without_a_curve_it_is_an_error():
    bowl = Bowl(1.0)
    with pytest.raises(DivergedError, match=r"after \d+ steps, at a learning rate of"):
        sweep_lr(bowl, endless(), 1e3, 1e9, 100)
    assert bowl.x == 10.0
    bowl.x = float("nan")
    with pytest.raises(DivergedError, match="after 0 steps"):
        sweep_lr(bowl, endless(), 1e-3, 1.0, 100)


@pytest.mark.parametrize(
    ("first", "last", "steps", "reason"),
    [
        (0.0, 1.0, 100, "first"), (1.0, 1.0, 100, "first"), (1e-3, float("inf"), 100, "last"),
        (float("nan"), 1.0, 100, "first"), (1e-3, 1.0, 26, "steps: got 26; allowed are 27"),
    ],
)  # fmt: skip
def test_a_range_that_is_none_is_refused(first, last, steps, reason):
    with pytest.raises(ConfigError, match=reason):
        find_lr(Experiment("tests", "any"), first=first, last=last, steps=steps)


@pytest.fixture
def learner(tiny, change):
    """A tiny network with batch statistics, moving average and momentum, two steps into its training."""
    experiment = change(tiny, "training", ema_decay=0.9)
    torch.manual_seed(0)
    model = create_model(tiny.model.name, 19, **tiny.model.options, norm="batch")
    plan = experiment.plan
    learner = Learner(
        experiment, model, [Objective(plan[0].loss)], Execution(CPU), Processes(CPU), Timetable(plan, 2)
    )
    for batch in batches(2):
        learner.step(batch)
    return learner


def batches(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count):
        image = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8, generator=generator)
        mask = torch.randint(0, 19, (2, 32, 32), dtype=torch.uint8, generator=generator)
        yield {"image": image, "mask": mask}


def test_weights_statistics_optimizer_and_random_state_come_back_bit_for_bit(learner, assert_equal_states):
    before = copy.deepcopy(learner.state_dict())
    random, lr = torch.get_rng_state(), learner.lr
    curve = sweep_lr(learner, batches(30), 1e-6, 1e-1, 30)
    assert curve.loss.size == 30 and len(set(curve.loss)) == 30  # it did take steps
    assert_equal_states(learner.state_dict(), before)
    assert torch.equal(torch.get_rng_state(), random) and learner.lr == lr
    # And it goes on as if nothing had been.
    learner.step(next(batches(1, seed=1)))
    after = copy.deepcopy(learner.state_dict())
    learner.load_state_dict(before)
    learner.step(next(batches(1, seed=1)))
    assert_equal_states(learner.state_dict(), after)


def test_they_come_back_when_it_is_interrupted(learner, assert_equal_states):
    before = copy.deepcopy(learner.state_dict())

    def interrupted():
        yield from batches(5)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep_lr(learner, interrupted(), 1e-6, 1e-1, 30)
    assert_equal_states(learner.state_dict(), before)
    assert learner.fixed_lr is None


def test_an_experiments_first_phase_is_what_is_run(tiny, change, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sizes = []
    step = Learner.step

    def watched(self, batch):
        sizes.append((self.phase.name, tuple(batch["mask"].shape)))
        return step(self, batch)

    monkeypatch.setattr(Learner, "step", watched)
    phases = (PhaseConfig("small", 2, input_size=(32, 64), lr=0.5), PhaseConfig("large", 1))
    experiment = replace(change(tiny, "training", batch_size=2), phases=phases)
    random = torch.get_rng_state()
    curve = find_lr(experiment, first=1e-6, last=1e-2, steps=30)
    assert sizes == [("small", (2, 32, 64))] * 30
    assert torch.equal(torch.get_rng_state(), random) and list(tmp_path.iterdir()) == []
    assert curve.loss.size == 30 and np.isfinite(curve.loss).all()


def test_the_command_prints_the_rates_and_keeps_the_curve(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    overrides = [
        f"data.root={tiny.data.root}", "data.input_size=[32, 64]", "training.batch_size=2",
        "training.precision=fp32", "training.memory_format=contiguous",
        "model.options={widths: [4, 4], repetitions: 0, block: basic}",
    ]  # fmt: skip
    assert cli.main(["lr-find", "minihrnet_a3", *overrides, "--steps", "30", "--last", "0.1"]) == 0
    out = capsys.readouterr().out
    assert "steepest: optimizer.lr=" in out and "the loss had not turned at 1.0e-01" in out
    folder = tmp_path / "runs" / "lr_find" / "street_scenes" / "minihrnet_a3" / "run01"
    assert {path.name for path in folder.iterdir()} == {"config.yaml", "curve.csv", "curve.png"}
    experiment, curve = lr_curve.read(folder)
    assert experiment.training.batch_size == 2 and curve.loss.size == 30
    assert f"steepest: optimizer.lr={curve.suggestion:.1e}" in out
    overrides += ["phases=[{name: a, epochs: 1, lr: 0.1}]", "training.epochs=1"]
    assert cli.main(["lr-find", "minihrnet_a3", *overrides, "--steps", "27", "--out", str(folder) + "2"]) == 0
    assert "optimizer.lr" not in (out := capsys.readouterr().out) and "phases[0].lr=" in out
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]
    assert cli.main(["lr-find", "minihrnet_a3", *overrides, "--steps", "3"]) == 2
    assert "steps: got 3; allowed are 27 or more" in capsys.readouterr().err
    assert cli.main(["lr-find", "minihrnet_a3", *overrides, "--out", str(folder)]) == 5
    assert "never overwritten" in capsys.readouterr().err


def test_a_curve_round_trips_to_the_last_bit(tmp_path):
    rng = np.random.default_rng(0)
    curve = LrCurve(np.geomspace(1e-6, 1, 40), rng.random(40), rng.random(40))
    for name in ("one", "two"):
        lr_curve.write(tmp_path / name, Experiment("tests", "any"), curve)
        experiment, found = lr_curve.read(tmp_path / name)
        assert experiment == Experiment("tests", "any")
        for field in ("lr", "loss", "smoothed"):
            np.testing.assert_array_equal(getattr(found, field), getattr(curve, field))
    assert (tmp_path / "one" / "curve.csv").read_bytes() == (tmp_path / "two" / "curve.csv").read_bytes()
    with pytest.raises(RunError, match="never overwritten"):
        lr_curve.write(tmp_path / "one", Experiment("tests", "any"), curve)


@pytest.mark.parametrize("text", ["", "lr,loss\n1,2\n", "lr,loss,smoothed\n1,2,x\n"])
def test_a_damaged_curve_is_named(tmp_path, text):
    with pytest.raises(RunError, match=r"curve\.csv: there is no such file; `seglab lr-find`"):
        lr_curve.read(tmp_path)
    (tmp_path / "curve.csv").write_text(text)
    with pytest.raises(RunError, match=r"curve\.csv: damaged"):
        lr_curve.read(tmp_path)
