"""What decides a run, as frozen dataclasses that refuse values out of range."""

from __future__ import annotations

import dataclasses
import math
import re
from dataclasses import dataclass, field
from typing import Any, Literal

from seglab.errors import ConfigError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

class FieldError(ConfigError):
    """A field is out of range; a reader that knows where its section stands gives it the full name.

    Args:
        section: Where the field stands, as far as its owner knows.
        text: The field's own name, what came and what is allowed.
    """

    def __init__(self, section: str, text: str) -> None:
        super().__init__(f"{section}.{text}" if section else text)
        self.text = text


def _check(condition: bool, owner: object, name: str, allowed: str) -> None:
    """Raises FieldError naming the field `name` of `owner` unless `condition` holds."""
    if not condition:
        section = type(owner).__name__.removesuffix("Config").lower()
        text = f"{name}: got {getattr(owner, name)!r}; allowed is {allowed}"
        raise FieldError("" if section == "experiment" else section, text)


def _check_size(owner: object, name: str) -> None:
    size = getattr(owner, name)
    _check(size is None or min(size) >= 32, owner, name, "a height and a width of at least 32, or null")


@dataclass(frozen=True)
class DataConfig:
    """Which pictures, and how the network sees them.

    Args:
        name: A data set of `seglab.datasets`.
        root: Its folder; None looks in `SEGLAB_DATA` and in the cache.
        train_split: Split that is trained on.
        eval_split: Split that is scored after the epochs; its mean IoU says which epoch was best.
        report_splits: Splits on which the finished network is scored.
        input_size: Height and width to which a whole picture is scaled for the network; None keeps the
            picture's own size. Scores are always taken at the mask's own size.
        mean: Subtracted from the RGB image in [0, 1].
        std: Divides the result.
        cache_gib: Most space, in GiB, that the decoded pictures of one split may take in the cache folder; a
            larger split is decoded anew each time.
        workers: Loader processes; None chooses (none where the main process does the training on the CPU).
        class_uniform: Share of the training pictures of an epoch, in [0, 1], that are replaced: a class is
            drawn uniformly, then a picture that holds it, and the crop is placed so that it shows the class
            (Zhu et al. 2019, arXiv 1812.01593, section 3.3.1).
    """

    name: str = "street_scenes"
    root: str | None = None
    train_split: str = "train"
    eval_split: str = "val"
    report_splits: tuple[str, ...] = ("val",)
    input_size: tuple[int, int] | None = None
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    cache_gib: float = 8.0
    workers: int | None = None
    class_uniform: float = 0.0

    def __post_init__(self) -> None:
        _check_size(self, "input_size")
        _check(0 <= self.class_uniform <= 1, self, "class_uniform", "a share in [0, 1]")
        _check(all(0 <= value <= 1 for value in self.mean), self, "mean", "three numbers in [0, 1]")
        _check(all(0 < value < math.inf for value in self.std), self, "std", "three finite numbers above 0")
        _check(0 <= self.cache_gib < math.inf, self, "cache_gib", "a finite number of 0 or more")
        _check(self.workers is None or self.workers >= 0, self, "workers", "0 or more, or null")


@dataclass(frozen=True)
class AugmentConfig:
    """Random changes of a training picture; image and mask always change together.

    Args:
        scale: Range of the factor by which the picture is enlarged or shrunk, drawn uniformly.
        crop: Height and width of the random crop; None crops at the input size. Where the scaled picture
            is smaller than the crop, the image is padded with its mean and the mask with the ignore index.
        flip: Probability of a horizontal flip.
        brightness: Largest relative change of brightness, 0 for none; likewise contrast and saturation.
        contrast: See brightness.
        saturation: See brightness.
        mask_resize: `nearest`. `bilinear` makes class ids between those of two neighbours, as one of the
            originals does; it is here so that what that mistake costs can be measured.
    """

    scale: tuple[float, float] = (1.0, 1.0)
    crop: tuple[int, int] | None = None
    flip: float = 0.5
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    mask_resize: Literal["nearest", "bilinear"] = "nearest"

    def __post_init__(self) -> None:
        small, large = self.scale
        _check(0 < small <= large < math.inf, self, "scale", "a smallest and a largest factor above 0")
        _check_size(self, "crop")
        _check(0 <= self.flip <= 1, self, "flip", "a probability in [0, 1]")
        for name in ("brightness", "contrast", "saturation"):
            _check(0 <= getattr(self, name) < 1, self, name, "a strength in [0, 1)")


@dataclass(frozen=True)
class ModelConfig:
    """A network of `seglab.models`.

    Args:
        name: Its name in the registry.
        options: Its own options, handed to `create_model`.
    """

    name: str = "minihrnet_a3"
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def untrained(self) -> ModelConfig:
        """The same network from random weights: it costs the same, and nothing has to be read for it."""
        return ModelConfig(self.name, {key: self.options[key] for key in self.options if key != "pretrained"})


LOSS_TERMS = ("cross_entropy", "ohem", "focal", "dice", "lovasz")


@dataclass(frozen=True)
class LossConfig:
    """The training objective: a weighted sum of terms over the labelled pixels (`trainers.objectives`).

    Args:
        terms: Weight of each term, by name: `cross_entropy`, `ohem` (cross-entropy of the hard pixels),
            `focal`, `dice`, `lovasz`.
        class_weights: How classes are weighted in the first three (`seglab.datasets.statistics`).
        log_offset: c of `log_inverse`, 1 / ln(c + share): 1.02 in ENet, 1.10 in ERFNet's decoder and 1.20 in
            its encoder.
        label_smoothing: Share of the target of `cross_entropy` given to all classes alike, in [0, 1).
        ohem_threshold: Pixels whose true class has less than this probability are hard.
        ohem_min_kept: Share of a picture's pixels that count as hard at least.
        focal_gamma: Exponent of `focal`; 0 is cross-entropy.
        aux_weight: Weight of each auxiliary head's loss, for networks that have one; 0 leaves them untrained.
    """

    terms: dict[str, float] = field(default_factory=lambda: {"cross_entropy": 1.0})
    class_weights: Literal[
        "none", "hrnet", "inverse", "sqrt_inverse", "log_inverse", "median_frequency", "effective_number"
    ] = "none"
    log_offset: float = 1.10
    label_smoothing: float = 0.0
    ohem_threshold: float = 0.9
    ohem_min_kept: float = 1 / 12
    focal_gamma: float = 2.0
    aux_weight: float = 0.0

    def __post_init__(self) -> None:
        good = set(self.terms) <= set(LOSS_TERMS) and any(self.terms.values())
        good = good and all(0 <= weight < math.inf for weight in self.terms.values())
        _check(good, self, "terms", f"weights of 0 or more, not all 0, for some of {', '.join(LOSS_TERMS)}")
        _check(1 < self.log_offset < math.inf, self, "log_offset", "a finite number above 1")
        _check(0 <= self.label_smoothing < 1, self, "label_smoothing", "a share in [0, 1)")
        _check(0 < self.ohem_threshold <= 1, self, "ohem_threshold", "a probability in (0, 1]")
        _check(0 <= self.ohem_min_kept <= 1, self, "ohem_min_kept", "a share in [0, 1]")
        for name in ("focal_gamma", "aux_weight"):
            _check(0 <= getattr(self, name) < math.inf, self, name, "a finite number of 0 or more")


@dataclass(frozen=True)
class OptimizerConfig:
    """Args:
    name: Adam with L2 penalty, AdamW with decoupled decay, or SGD with momentum.
    lr: Largest learning rate of the schedule.
    weight_decay: Strength of the decay; biases and normalisation parameters are exempt.
    momentum: Momentum of SGD, or the first beta of Adam and AdamW.
    """

    name: Literal["adam", "adamw", "sgd"] = "adam"
    lr: float = 1e-3
    weight_decay: float = 1e-4
    momentum: float = 0.9

    def __post_init__(self) -> None:
        _check(self.lr > 0 and math.isfinite(self.lr), self, "lr", "a finite number above 0")
        _check(0 <= self.weight_decay < math.inf, self, "weight_decay", "a finite number of 0 or more")
        _check(0 <= self.momentum < 1, self, "momentum", "a number in [0, 1)")


@dataclass(frozen=True)
class ScheduleConfig:
    """The learning rate over the steps of a run, as a factor on `optimizer.lr`.

    Args:
        name: `poly` is (1 - t)^power, `cosine` half a cosine, `onecycle` a cosine up and a cosine down,
            `constant` none; t runs from 0 to 1 over the steps after the warm-up.
        power: Exponent of `poly`.
        warmup_steps: Steps of linear growth from 0 before the schedule begins. For `onecycle` the rising
            part is the first 30 per cent, and this is left at 0.
        per: Whether the rate changes with each `step` or stays for an `epoch`.
    """

    name: Literal["poly", "cosine", "onecycle", "constant"] = "poly"
    power: float = 0.9
    warmup_steps: int = 0
    per: Literal["step", "epoch"] = "step"

    def __post_init__(self) -> None:
        _check(0 < self.power < math.inf, self, "power", "a finite number above 0")
        _check(self.warmup_steps >= 0, self, "warmup_steps", "0 or more")
        if self.name == "onecycle":
            _check(self.warmup_steps == 0, self, "warmup_steps", "0, because onecycle warms up by itself")


@dataclass(frozen=True)
class PhaseConfig:
    """One stretch of a training, with an optimizer and a schedule of its own.

    Args:
        name: What it is called in the history.
        epochs: Passes over the training split.
        lr: Largest learning rate; None is `optimizer.lr`.
        weight_decay: None is `optimizer.weight_decay`.
        input_size: Height and width to which a whole picture is scaled while training; None is
            `data.input_size`. Evaluation uses `data.input_size` in every phase.
        train_split: Split to train on, as large as `data.train_split`, which None takes.
        freeze: Modules that are not trained, by the beginning of their name; their normalisation layers stay
            in evaluation mode and keep their statistics.
        head: `aux` trains and scores the first auxiliary head alone, `main` the network itself.
        loss: The phase's own objective; None is the experiment's.
    """

    name: str
    epochs: int
    lr: float | None = None
    weight_decay: float | None = None
    input_size: tuple[int, int] | None = None
    train_split: str | None = None
    freeze: tuple[str, ...] = ()
    head: Literal["main", "aux"] = "main"
    loss: LossConfig | None = None

    def __post_init__(self) -> None:
        _check(self.name.isprintable(), self, "name", "printable text")
        _check(self.epochs >= 1, self, "epochs", "1 or more")
        _check(self.lr is None or 0 < self.lr < math.inf, self, "lr", "a finite number above 0, or null")
        decay = self.weight_decay
        _check(decay is None or 0 <= decay < math.inf, self, "weight_decay", "0 or more, or null")
        _check_size(self, "input_size")


@dataclass(frozen=True)
class TrainingConfig:
    """The loop.

    Args:
        epochs: Passes over the training split; with phases it is their sum.
        batch_size: Pictures per optimizer step, over all processes and accumulated parts together.
        accumulation: Parts in which a batch is computed, one after the other, to save memory.
        clip_norm: Largest norm of the gradient, None for no limit.
        ema_decay: Decay per step of the moving average of the weights, which is then what is evaluated and
            kept; None evaluates the weights themselves.
        evaluate_every: Epochs between two evaluations; the last epoch is always evaluated.
        select: Which weights are the result, those of the `last` epoch or of the `best` one on `eval_split`.
        weights: Number format in which the result is kept. `float16` halves the file; the weights are rounded
            before they are scored, so the file gives the recorded scores.
        max_bad_steps: Steps in a row whose loss or gradient is not finite, and which are left out, before the
            training is given up. With fp16 a gradient that overflows does not count while the loss is still
            scaled up.
        save_every_s: Seconds between two checkpoints; there is one at the end of the run anyway.
        sync_batchnorm: Batch statistics over all processes together; CUDA alone.
        deterministic: On CUDA take deterministic kernels only, so that a run repeats bit for bit; slower. The
            CPU's are deterministic.
        cuda_graphs: On CUDA, with one process, record the forward and backward pass once and replay it: small
            networks wait less for the processor that way (approach 3 of Mini-HRNet on an H100, eight pictures
            of 180x240: a step of 50 ms instead of 135). Not with accumulation: a replay writes gradients
            where those of the part before still lie (pytorch#181723).
        device: `auto` takes CUDA where there is one, else the CPU.
        precision: Number format of the forward pass; `auto` times one step of each and takes the fastest.
        memory_format: Layout of the activations in memory; `auto` likewise.
        tensorboard: Also write TensorBoard events into the run folder.
    """

    epochs: int = 50
    batch_size: int = 8
    accumulation: int = 1
    clip_norm: float | None = None
    ema_decay: float | None = None
    evaluate_every: int = 1
    select: Literal["last", "best"] = "last"
    weights: Literal["float32", "float16"] = "float32"
    max_bad_steps: int = 5
    save_every_s: float = 60.0
    sync_batchnorm: bool = False
    deterministic: bool = False
    cuda_graphs: bool = False
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    memory_format: Literal["auto", "contiguous", "channels_last"] = "auto"
    tensorboard: bool = False

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "accumulation", "evaluate_every", "max_bad_steps"):
            _check(getattr(self, name) >= 1, self, name, "1 or more")
        _check(
            self.batch_size % self.accumulation == 0, self, "accumulation", f"a divisor of {self.batch_size}"
        )
        alone = f"false with an accumulation of {self.accumulation}, whose parts would overwrite each other"
        _check(not self.cuda_graphs or self.accumulation == 1, self, "cuda_graphs", alone)
        _check(self.clip_norm is None or self.clip_norm > 0, self, "clip_norm", "above 0, or null")
        _check(self.save_every_s >= 0, self, "save_every_s", "0 or more")
        _check(self.ema_decay is None or 0 < self.ema_decay < 1, self, "ema_decay", "in (0, 1), or null")


@dataclass(frozen=True)
class Experiment:
    """Everything that decides a run.

    Args:
        study: Group of runs that belong together; a folder under `results/`.
        name: The run's own name within the study.
        profile: `full` is the published budget, `laptop` about half an hour on two cores, `quick` a few
            minutes; quick runs never enter `results/`.
        seed: Seed of weights, data order and augmentation.
        phases: The training in stretches; none is one phase of `training.epochs`.
    """

    study: str
    name: str
    profile: Literal["quick", "laptop", "full"] = "full"
    seed: int = 0
    data: DataConfig = field(default_factory=DataConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    phases: tuple[PhaseConfig, ...] = ()

    def __post_init__(self) -> None:
        for name in ("study", "name"):
            value = getattr(self, name)
            good = re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", value) is not None
            _check(good, self, name, "up to 100 of A-Z a-z 0-9 _ - . beginning with none of - .")
        _check(0 <= self.seed < 2**31, self, "seed", "a whole number in [0, 2^31)")
        if self.phases and (total := sum(phase.epochs for phase in self.phases)) != self.training.epochs:
            raise ConfigError(
                f"training.epochs: got {self.training.epochs}; allowed is {total}, the phases' sum; "
                "set phases[0].epochs and so on as well, or phases=[] for a training in one phase"
            )

    def lr_field(self, phase: int) -> str:
        """The field that sets the learning rate of a phase, counted from 0."""
        own = bool(self.phases) and self.phases[phase].lr is not None
        return f"phases[{phase}].lr" if own else "optimizer.lr"

    @property
    def plan(self) -> tuple[PhaseConfig, ...]:
        """The phases, with every field that they leave to the experiment filled in."""
        phases = self.phases or (PhaseConfig("train", self.training.epochs),)
        optimizer = self.optimizer

        def filled(phase: PhaseConfig) -> PhaseConfig:
            return dataclasses.replace(
                phase,
                lr=optimizer.lr if phase.lr is None else phase.lr,
                weight_decay=optimizer.weight_decay if phase.weight_decay is None else phase.weight_decay,
                input_size=self.data.input_size if phase.input_size is None else phase.input_size,
                train_split=phase.train_split or self.data.train_split,
                loss=self.loss if phase.loss is None else phase.loss,
            )

        return tuple(filled(phase) for phase in phases)
