"""The phases of a training: where each begins, what it freezes, and which heads it trains."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from torch import Tensor, nn

from seglab.config import ModelConfig, PhaseConfig, ScheduleConfig, unknown
from seglab.errors import ConfigError
from seglab.models.base import SegmentationModel


class Timetable:
    """Which phase an epoch and a step belong to.

    Args:
        plan: The phases, complete (`Experiment.plan`).
        steps_per_epoch: Optimizer steps in an epoch, the same in every phase.
    """

    def __init__(self, plan: Sequence[PhaseConfig], steps_per_epoch: int) -> None:
        self.plan = tuple(plan)
        self.steps_per_epoch = steps_per_epoch
        self.first_epochs = (0, *accumulate(phase.epochs for phase in plan))

    @property
    def epochs(self) -> int:
        """Epochs of the whole run."""
        return self.first_epochs[-1]

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole run."""
        return self.epochs * self.steps_per_epoch

    def phase_of_epoch(self, epoch: int) -> int:
        """Number of the phase of an epoch, both counted from 0; after the last epoch it is the last phase."""
        started = sum(first <= epoch for first in self.first_epochs)
        return min(started, len(self.plan)) - 1

    def phase_of_step(self, step: int) -> int:
        """Number of the phase of an optimizer step, counted from 0."""
        return self.phase_of_epoch(step // self.steps_per_epoch)

    def first_step(self, phase: int) -> int:
        """The first optimizer step of a phase."""
        return self.first_epochs[phase] * self.steps_per_epoch


def slow_starts(timetable: Timetable, schedule: ScheduleConfig) -> list[str]:
    """A line about each phase that ends before its warm-up does."""
    lines = []
    for phase in timetable.plan:
        steps, warmup = phase.epochs * timetable.steps_per_epoch, schedule.warmup_steps
        if steps <= warmup:
            lines.append(
                f"phase {phase.name!r}: all {steps} steps are warm-up (schedule.warmup_steps={warmup}): "
                f"the rate never falls, and reaches {steps / warmup:.0%} of {phase.lr:g}"
            )
    return lines


class TrainedHeads(nn.Module):
    """The network as a phase trains it: the logits of every trained head.

    Args:
        model: The network.
        phase: A complete phase.
    """

    def __init__(self, model: SegmentationModel, phase: PhaseConfig) -> None:
        super().__init__()
        self.model = model
        self.head = phase.head
        self.with_aux = phase.head == "main" and phase.loss.aux_weight > 0

    def forward(self, image: Tensor) -> list[Tensor]:
        """Logits (N,K,H,W) of each trained head for a normalised image (N,3,H,W), the network's own first."""
        if self.head == "aux":
            return self.model.forward_aux(image)[:1]
        if self.with_aux:
            logits, aux = self.model.forward_with_aux(image)
            return [logits, *aux]
        return [self.model(image)]


class FirstAuxHead(nn.Module):
    """A network that answers with its first auxiliary head, to be scored while that alone is trained."""

    def __init__(self, model: SegmentationModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> Tensor:
        return self.model.forward_aux(image)[0]


def freeze(model: nn.Module, names: Sequence[str]) -> None:
    """Lets all parameters learn but those of the named modules (and what lies in them)."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not _inside(name, names))


def train_mode(model: nn.Module, frozen: Sequence[str]) -> None:
    """Puts a network into training mode, but for the frozen modules.

    A frozen layer whose statistics moved on would not be frozen: the features that the rest learns from would
    drift, and at the end they would belong to other pictures than the ones they were learnt on.
    """
    model.train()
    for name in frozen:
        model.get_submodule(name).eval()


def check_plan(plan: Sequence[PhaseConfig], model: SegmentationModel, config: ModelConfig) -> None:
    """Refuses phases that the network cannot follow.

    Raises:
        ConfigError: If a frozen module does not exist, all parameters would be frozen, or an auxiliary head
            is asked for that the network does not have.
    """
    modules = {name for name, _ in model.named_modules() if name}
    for number, phase in enumerate(plan):
        for name in phase.freeze:
            if name not in modules:
                top = [child for child, _ in model.named_children()]
                what = f"phases[{number}].freeze module {name!r} of {config.name}"
                raise ConfigError(unknown(what, name, top))
        if all(_inside(name, phase.freeze) for name, _ in model.named_parameters()):
            raise ConfigError(f"phases[{number}].freeze: got every module; allowed is to leave one out")
        if not model.has_aux and (phase.head == "aux" or phase.loss.aux_weight > 0):
            raise ConfigError(
                f"phases[{number}].head, loss.aux_weight: {config.name} has no auxiliary head; allowed are "
                "'main' and 0"
            )


def _inside(name: str, modules: Sequence[str]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)
