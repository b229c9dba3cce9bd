"""Phases: when each begins, its rate at every step, what it freezes, trains and scores, how it is resumed."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.optim.optimizer import register_optimizer_step_pre_hook

from seglab import checkpoints, runs
from seglab.config import LossConfig, ModelConfig, PhaseConfig, ScheduleConfig
from seglab.datasets import create_dataset
from seglab.errors import ConfigError
from seglab.trainers.loop import train
from seglab.trainers.observers import Observer
from seglab.trainers.phases import Timetable, TrainedHeads, slow_starts


@pytest.fixture
def small(tiny, change):
    """Three steps an epoch on pictures of 32x64, with batch statistics, scored once at the end."""
    options = {**tiny.model.options, "norm": "batch"}
    experiment = change(change(tiny, "model", options=options), "data", report_splits=("val",))
    experiment = change(experiment, "augment", scale=(1.0, 1.0), brightness=0.0)
    return change(experiment, "training", batch_size=2, evaluate_every=100)


def with_phases(experiment, *phases):
    phases = tuple(replace(p, input_size=p.input_size or (32, 64)) for p in phases)
    training = replace(experiment.training, epochs=sum(phase.epochs for phase in phases))
    return replace(experiment, phases=phases, training=training)


class Watch:
    """Sees a training from outside: what enters the network, and what the optimizer really does.

    Attributes:
        sizes: Height and width of each training batch.
        states: The network's state before each step.
        lrs: The rates of all parameter groups at each optimizer step.
        optimizers: The optimizer of each step, and whether it had taken a step before.
        model: The network.
    """

    def __init__(self):
        self.sizes, self.states, self.lrs, self.optimizers = [], [], [], []

    def before_module(self, module, inputs):
        if isinstance(module, TrainedHeads):
            self.model = module.model
            self.sizes.append(tuple(inputs[0].shape[-2:]))
            self.states.append({name: value.clone() for name, value in self.model.state_dict().items()})

    def before_optimizer(self, optimizer, *_):
        self.lrs.append({group["lr"] for group in optimizer.param_groups})
        self.optimizers.append((optimizer, bool(optimizer.state)))


@pytest.fixture
def watch():
    """A `Watch` of the trainings of a test."""
    watch = Watch()
    with (
        register_module_forward_pre_hook(watch.before_module),
        register_optimizer_step_pre_hook(watch.before_optimizer),
    ):
        yield watch


class Rates(Observer):
    """Collects the learning rate of every step as observers are told it."""

    def __init__(self):
        self.rates = []

    def step(self, progress):
        self.rates.append(progress.lr)


# ----------------------------------------------------------------------------------- learning rates


def poly(t):
    return (1 - t) ** 0.9


def cosine(t):
    return (1 + math.cos(math.pi * t)) / 2


def onecycle(step, steps):
    """Up by half a cosine in 30 per cent of the steps, from 1/25 of the peak; down to 1/250000 of it."""
    top = 0.3 * steps - 1
    if step <= top:
        return 1 / 25 + (1 - 1 / 25) * (1 - math.cos(math.pi * step / top)) / 2
    t = (step - top) / (steps - 1 - top)
    return 4e-6 + (1 - 4e-6) * (1 + math.cos(math.pi * t)) / 2


# Of a phase of 6 steps in 2 epochs and one of 3 steps in 1 epoch, the factor of each step.
EXPECTED = {
    ("poly", "step", 0): [poly(i / 6) for i in range(6)] + [poly(i / 3) for i in range(3)],
    ("poly", "epoch", 0): [1, 1, 1, poly(1 / 2), poly(1 / 2), poly(1 / 2), 1, 1, 1],
    ("poly", "step", 2): [1 / 2, 1, *(poly(i / 4) for i in range(4)), 1 / 2, 1, 1],
    # The second epoch begins one step after the warm-up's last, of four.
    ("poly", "epoch", 2): [1 / 2, 1, 1, *[poly(1 / 4)] * 3, 1 / 2, 1, 1],
    ("cosine", "step", 0): [cosine(i / 6) for i in range(6)] + [cosine(i / 3) for i in range(3)],
    ("cosine", "epoch", 0): [1, 1, 1, 0.5, 0.5, 0.5, 1, 1, 1],
    ("onecycle", "step", 0): [onecycle(i, 6) for i in range(6)] + [onecycle(i, 3) for i in range(3)],
    ("onecycle", "epoch", 0): [*[onecycle(0, 6)] * 3, *[onecycle(3, 6)] * 3, *[onecycle(0, 3)] * 3],
    ("constant", "step", 0): [1] * 9,
    ("constant", "step", 3): [1 / 3, 2 / 3, 1, 1, 1, 1, 1 / 3, 2 / 3, 1],
}


@pytest.mark.parametrize(("name", "per", "warmup"), EXPECTED, ids=lambda value: str(value))
def test_every_step_of_every_phase_has_the_rate_of_its_closed_form(small, tmp_path, watch, name, per, warmup):
    experiment = with_phases(small, PhaseConfig("first", 2, lr=1e-2), PhaseConfig("second", 1, lr=1e-4))
    experiment = replace(experiment, schedule=ScheduleConfig(name, warmup_steps=warmup, per=per))
    rates = Rates()
    train(experiment, tmp_path / "run", observers=[rates])
    peaks = [1e-2] * 6 + [1e-4] * 3
    factors = EXPECTED[name, per, warmup]
    expected = [peak * factor for peak, factor in zip(peaks, factors, strict=True)]
    assert rates.rates == pytest.approx(expected, rel=1e-12)
    # What the optimizer steps with is what is told.
    assert watch.lrs == [{rate} for rate in rates.rates]
    assert list(runs.read_history(tmp_path / "run")["phase"]) == ["first", "first", "second"]


# ------------------------------------------------------------------------------ what learns, and how


def moved(before, after):
    return {name for name in before if not torch.equal(before[name], after[name])}


def test_frozen_modules_keep_weights_and_statistics_and_then_move(small, tmp_path, watch):
    frozen = ("stem", "bottlenecks")
    experiment = with_phases(
        small, PhaseConfig("frozen", 2, freeze=frozen), PhaseConfig("all", 1, input_size=(64, 128))
    )
    train(experiment, tmp_path / "run")
    states = watch.states
    assert len(states) == 9
    inside = {name for name in states[0] if name.startswith(("stem.", "bottlenecks."))}
    assert any("running_var" in name for name in inside)
    # states[6] is what the first phase left, before the first step of the second.
    assert moved(states[0], states[6]) == states[0].keys() - inside
    assert moved(states[6], checkpoints.load_weights(tmp_path / "run")) == states[0].keys()
    # Progressive resizing: the size of each phase is what the network sees.
    assert watch.sizes == [(32, 64)] * 6 + [(64, 128)] * 3


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_each_phase_has_a_new_optimizer_with_its_own_decay(small, change, tmp_path, watch, name):
    experiment = change(small, "optimizer", name=name, weight_decay=0.25)
    phases = PhaseConfig("first", 1), PhaseConfig("second", 1, weight_decay=0.5)
    train(with_phases(experiment, *phases), tmp_path / "run")
    used = [optimizer for optimizer, _ in watch.optimizers]
    assert used[0] is used[1] is used[2] and used[3] is used[4] is used[5] and used[2] is not used[3]
    assert [has_state for _, has_state in watch.optimizers] == [False, True, True] * 2
    decays = [{group["weight_decay"] for group in used[i].param_groups} for i in (0, 3)]
    assert decays == [{0.25, 0.0}, {0.5, 0.0}]


class AuxScores(Observer):
    """Counts the validation split by hand after each epoch, with either head of the network.

    Args:
        watch: Knows the network.
        root: Folder of the scenes.
    """

    def __init__(self, watch, root):
        self.watch, self.scenes = watch, create_dataset("street_scenes", "val", root)
        self.told, self.by_aux, self.by_main = [], [], []

    @torch.no_grad()
    def epoch(self, progress):
        model = self.watch.model.eval()
        mean = torch.tensor(progress.experiment.data.mean).view(3, 1, 1)
        std = torch.tensor(progress.experiment.data.std).view(3, 1, 1)
        aux, main = np.zeros((2, 19, 19), np.int64)
        for index in range(len(self.scenes)):
            picture, mask = self.scenes.read(index)
            image = ((torch.from_numpy(picture).permute(2, 0, 1) / 255 - mean) / std)[None]
            labelled = mask != 255
            for matrix, logits in ((aux, model.forward_aux(image)[0]), (main, model(image))):
                found = logits[0].argmax(0).numpy()
                np.add.at(matrix, (mask[labelled], found[labelled]), 1)
        self.by_aux.append(aux)
        self.by_main.append(main)
        self.told.append(progress.confusion)


def test_the_encoders_own_head_is_trained_and_scored_alone(small, change, tmp_path, watch):
    experiment = replace(small, model=ModelConfig("erfnet"))
    experiment = change(experiment, "training", evaluate_every=1, batch_size=3)
    loss = LossConfig(class_weights="log_inverse", log_offset=1.2)
    phases = (
        PhaseConfig("encoder", 1, freeze=("decoder", "head"), head="aux", loss=loss),
        PhaseConfig("both", 1, loss=LossConfig(aux_weight=0.4)),
        PhaseConfig("decoder", 1),
    )
    scores = AuxScores(watch, small.data.root)
    train(with_phases(experiment, *phases), tmp_path / "run", observers=[scores])

    # One optimizer step: forward and backward through the encoder and its head, and nothing else.
    begin, second, third = (watch.states[i] for i in (0, 2, 4))
    encoder = {name for name in begin if name.startswith(("encoder.", "aux_head."))}
    assert moved(begin, second) == encoder
    assert moved(second, third) == begin.keys()
    last = checkpoints.load_weights(tmp_path / "run")
    assert moved(third, last) == {name for name in begin if not name.startswith("aux_head.")}

    def close(one, other):
        """Rounding may turn a pixel in a thousand: batches are normalised in another order."""
        return np.abs(one - other).sum() <= 2 * one.sum() / 1000

    assert close(scores.told[0], scores.by_aux[0]) and not close(scores.told[0], scores.by_main[0])
    for i in (1, 2):
        assert close(scores.told[i], scores.by_main[i]) and not close(scores.told[i], scores.by_aux[i])


# ------------------------------------------------------------------------------------------- resume


class Stop(Observer):
    """Ends a training from outside, after a step but before its checkpoint, or likewise after an epoch."""

    def __init__(self, step=None, epoch=None):
        self.at_step, self.at_epoch = step, epoch

    def step(self, progress):
        if progress.step == self.at_step:
            raise KeyboardInterrupt

    def epoch(self, progress):
        if progress.epoch == self.at_epoch:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Folder of the uninterrupted run, made once."""
    return tmp_path_factory.mktemp("phases") / "whole"


@pytest.mark.parametrize(
    "stop",
    [{"step": 3}, {"step": 5}, {"epoch": 2}, {"step": 7}, {"step": 9}],
    ids=["middle of 1", "new epoch in 1", "end of 1, not scored", "end of 1, scored", "middle of 2"],
)
def test_a_run_goes_on_bit_for_bit_from_any_place_in_its_phases(
    small, change, tmp_path, whole, assert_equal_states, stop
):
    # With momentum, an average and a moving rate, nothing could be forgotten unnoticed.
    experiment = change(change(small, "training", ema_decay=0.9), "optimizer", lr=1e-2)
    experiment = with_phases(
        replace(experiment, schedule=ScheduleConfig("cosine", warmup_steps=2)),
        PhaseConfig("frozen", 2, freeze=("stem",)),
        PhaseConfig("all", 1, lr=1e-3, input_size=(64, 128)),
    )
    if not whole.exists():
        train(experiment, whole)
    with pytest.raises(KeyboardInterrupt):
        train(experiment, tmp_path / "run", observers=[Stop(**stop)])
    train(experiment, tmp_path / "run", resume=True)
    one, other = (checkpoints.load_weights(folder) for folder in (whole, tmp_path / "run"))
    assert one.keys() == other.keys() and not moved(one, other)
    histories = (runs.read_history(folder) for folder in (whole, tmp_path / "run"))
    one, other = (history.drop(columns=runs.CLOCKED) for history in histories)
    assert one.equals(other)
    one, other = (checkpoints.load_newest(folder / "checkpoints")[0] for folder in (whole, tmp_path / "run"))
    for name in ("model", "average", "optimizer", "phase", "steps"):
        assert_equal_states(one[name], other[name], name)


# ------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("phase", "reason"),
    [
        ({"freeze": ("stm",)}, r"phases\[1\]\.freeze module 'stm' of minihrnet_a3; did you mean stem\? Acc"),
        ({"freeze": ("stem", "stem.9")}, r"phases\[1\]\.freeze module 'stem\.9'"),
        ({"head": "aux"}, r"phases\[1\]\.head, loss\.aux_weight: minihrnet_a3 has no auxiliary head"),
        ({"loss": LossConfig(aux_weight=0.4)}, r"phases\[1\]\.head, loss\.aux_weight"),
        (
            {"freeze": ("stem", "bottlenecks", "entry", "cascade", "stages", "head")},
            r"phases\[1\]\.freeze: got every module",
        ),
    ],
)
def test_phases_that_the_network_cannot_follow_are_refused(small, tmp_path, phase, reason):
    experiment = with_phases(small, PhaseConfig("fine", 1), PhaseConfig("not", 1, **phase))
    with pytest.raises(ConfigError, match=reason):
        train(experiment, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_phases_that_do_not_add_up_are_refused(small):
    with pytest.raises(ConfigError, match=r"training\.epochs: got 3; allowed is 5"):
        replace(small, phases=(PhaseConfig("a", 2), PhaseConfig("b", 3)))


@pytest.mark.parametrize(
    "field", [{"epochs": 0}, {"lr": 0.0}, {"weight_decay": -1.0}, {"input_size": (8, 64)}]
)
def test_a_phases_bad_values_are_refused_by_name(field):
    with pytest.raises(ConfigError, match=rf"phase\.{next(iter(field))}: got"):
        PhaseConfig("bad", **{"epochs": 1, **field})


# ----------------------------------------------------------------------------------------- timetable


def test_a_timetable_by_hand():
    plan = (PhaseConfig("a", 2), PhaseConfig("b", 1), PhaseConfig("c", 3))
    timetable = Timetable(plan, steps_per_epoch=4)
    assert (timetable.epochs, timetable.steps) == (6, 24)
    # After the last epoch the last phase stands.
    assert [timetable.phase_of_epoch(epoch) for epoch in range(8)] == [0, 0, 1, 2, 2, 2, 2, 2]
    assert [timetable.first_step(phase) for phase in range(3)] == [0, 8, 12]
    by_step = [timetable.phase_of_step(step) for step in range(25)]
    assert by_step == [0] * 8 + [1] * 4 + [2] * 13


def test_a_single_phase_is_the_whole_run():
    timetable = Timetable((PhaseConfig("only", 5),), steps_per_epoch=1)
    assert (timetable.epochs, timetable.steps, timetable.first_step(0)) == (5, 5, 0)
    assert {timetable.phase_of_step(step) for step in range(6)} == {0}


def test_a_phase_that_ends_within_its_warm_up_is_named():
    plan = (PhaseConfig("short", 2, lr=0.5), PhaseConfig("long", 3, lr=0.5))
    timetable = Timetable(plan, steps_per_epoch=4)
    for warmup, named in ((0, []), (7, []), (8, ["'short'"]), (12, ["'short'", "'long'"])):
        lines = slow_starts(timetable, ScheduleConfig(warmup_steps=warmup))
        assert len(lines) == len(named) and all(name in line for name, line in zip(named, lines, strict=True))
    assert "all 8 steps" in lines[0] and "reaches 67% of 0.5" in lines[0]


def test_a_training_within_its_warm_up_says_so(small, change, tmp_path):
    class Said(Observer):
        lines = ()

        def message(self, text):
            self.lines += (text,)

    said = Said()
    experiment = change(change(small, "training", epochs=1), "schedule", warmup_steps=3)
    train(experiment, tmp_path / "run", observers=[said])
    assert sum("warm-up" in line for line in said.lines) == 1
