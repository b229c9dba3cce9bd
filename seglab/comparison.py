"""The study's comparison: every network under one training, and approach 3 with one thing changed at a time.

What a network reaches depends on its training as much as on its architecture, and the originals' numbers mix
the two. Here all share one recipe and one budget, so that what differs is the network; `seglab.recipes` has
each one's own.

The protocol, fixed before the first run; its last entry was added near the end:

    data       CamVid, 11 classes: the 367 training pictures, and no others, also not for choosing anything;
               EfficientNet-Lite0 sees them normalised as it was pretrained, all others as for ImageNet
    input      180 x 240, scored at the masks' own 360 x 480
    training   30 epochs of batches of 8, Adam, poly, weights averaged over the steps; the average after the
               last epoch is the result, so nothing is selected
    format     bfloat16 and channels_last for all, so that neither differs between them
    choice     the learning rate alone, out of three, for all networks together: by the mean of three networks
               after 10 epochs, on a training drive that was held out (`tuning`; planned with four networks
               and 30 epochs, and cut before its first run for want of time)
    scores     test, whole and in its two parts (an unseen drive, and the rest of a training drive); val is a
               burst out of a training drive and is only drawn as a curve
    seeds      three for each network, one for the largest and for each ablation
    machine    a processor; but to finish in time, HRNetV2-W48, five ablations and the third seeds of
               approach 2 and of HRNetV2-W18 were trained on a GPU, with another release of torch. `twins`
               measures what that changes
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from seglab.config import (
    AugmentConfig,
    DataConfig,
    Experiment,
    LossConfig,
    ModelConfig,
    OptimizerConfig,
    PhaseConfig,
    ScheduleConfig,
    TrainingConfig,
)
from seglab.recipes import LITE0_INPUT, MODERATE, recipe

STUDY, TUNING_STUDY = "camvid_comparison", "camvid_tuning"
TWIN_STUDIES = {"cuda": "camvid_gpu", "cpu": "camvid_cpu"}  # by the device that their runs are made on
ASIDE = TUNING_STUDY, *TWIN_STUDIES.values()  # on CamVid; they judge the study, and no network
SEEDS = (0, 1, 2)
LEARNING_RATE = 1e-3  # the best of `tuning`, and the lowest that was tried
LEARNING_RATES = (1e-3, 2e-3, 4e-3)

# Run name -> network and its options.
NETWORKS: dict[str, ModelConfig] = {
    "minihrnet_a1": ModelConfig("minihrnet_a1"),
    "minihrnet_a2": ModelConfig("minihrnet_a2"),
    "minihrnet_a3": ModelConfig("minihrnet_a3"),
    "hrnetv2_w18_small_v1": ModelConfig("hrnetv2_w18_small_v1"),
    "hrnetv2_w18_small_v2": ModelConfig("hrnetv2_w18_small_v2"),
    "hrnetv2_w18": ModelConfig("hrnetv2_w18"),
    "erfnet": ModelConfig("erfnet", {"aux_head": False}),
    "segsmall": ModelConfig("segsmall"),
    "miniunet": ModelConfig("miniunet"),
    "miniunet_lite0": ModelConfig("miniunet", {"encoder": "efficientnet_lite0"}),
    "miniunet_lite0_pretrained": ModelConfig(
        "miniunet", {"encoder": "efficientnet_lite0", "pretrained": True}
    ),
}
LARGEST = {"hrnetv2_w48": ModelConfig("hrnetv2_w48")}

# Run name -> what is another than in `minihrnet_a3`.
_ABLATIONS: dict[str, dict[str, object]] = {
    "a3_norm_batch": {"model": ModelConfig("minihrnet_a3", {"norm": "batch"})},
    "a3_norm_group": {"model": ModelConfig("minihrnet_a3", {"norm": "group"})},
    "a3_block_basic": {"model": ModelConfig("minihrnet_a3", {"block": "basic"})},
    "a3_repetitions_0": {"model": ModelConfig("minihrnet_a3", {"repetitions": 0})},
    "a3_repetitions_2": {"model": ModelConfig("minihrnet_a3", {"repetitions": 2})},
    "a3_streams_3": {"model": ModelConfig("minihrnet_a3", {"widths": [48, 60, 72]})},
    # HRNet's mild weights are a table for the 19 classes of Cityscapes, stated without a formula; ERFNet's
    # logarithm stands in for them.
    "a3_weights_log": {"loss": LossConfig(class_weights="log_inverse")},
    "a3_weights_sqrt": {"loss": LossConfig(class_weights="sqrt_inverse")},
    "a3_weights_inverse": {"loss": LossConfig(class_weights="inverse")},
    "a3_no_augmentation": {"augment": AugmentConfig(flip=0.0)},
}


def protocol(name: str, model: ModelConfig, seed: int = 0) -> Experiment:
    """One network under the common training."""
    lite0 = model.options.get("encoder") == "efficientnet_lite0"
    return Experiment(
        STUDY,
        name,
        "laptop",
        seed,
        data=DataConfig(
            "camvid",
            input_size=(180, 240),
            report_splits=("test", "test_seq05vd", "test_0001tp", "val"),
            **(LITE0_INPUT if lite0 else {}),
        ),
        augment=MODERATE,
        model=model,
        optimizer=OptimizerConfig("adam", lr=LEARNING_RATE, weight_decay=1e-4),
        schedule=ScheduleConfig("poly", power=0.9, warmup_steps=50),
        training=TrainingConfig(
            epochs=30,
            batch_size=8,
            clip_norm=1.0,
            ema_decay=0.99,
            evaluate_every=10,
            weights="float16",  # small enough to be kept
            precision="bf16",
            memory_format="channels_last",
            deterministic=True,
        ),
    )


def networks() -> list[Experiment]:
    """Every network with one seed, then with the next; the largest last."""
    runs = [protocol(name, model, seed) for seed in SEEDS for name, model in NETWORKS.items()]
    return [*runs, *(protocol(name, model) for name, model in LARGEST.items())]


def twins() -> list[Experiment]:
    """Runs of the comparison once more on the other machine: by how much that moves the scores.

    Each network's first run on a GPU; and on a processor that run of a GPU which nobody had expected, group
    normalisation. First weights, order and augmentation come from the seed and are the same. The kernels, how
    sums are rounded, and what dropout draws are not, nor need the libraries be of the same release.
    """
    on_cuda = [protocol(name, model) for name, model in NETWORKS.items()]
    on_cpu = [one for one in ablations() if one.name == "a3_norm_group"]
    return [
        replace(one, study=TWIN_STUDIES[device], training=replace(one.training, device=device))
        for device, runs in (("cuda", on_cuda), ("cpu", on_cpu))
        for one in runs
    ]


def ablations() -> list[Experiment]:
    """Approach 3 with one thing changed at a time."""
    base = protocol("minihrnet_a3", NETWORKS["minihrnet_a3"])
    return [replace(base, name=name, **change) for name, change in _ABLATIONS.items()]


def tuning() -> list[Experiment]:
    """What the learning rate is chosen by: three networks on the training drives but one, scored on that.

    Three families, and a third of the protocol's epochs: it is a choice among three rates, each twice the one
    before it. SegSmall and Mini-UNet took no part in it.
    """
    chosen = ("minihrnet_a3", "hrnetv2_w18_small_v1", "erfnet")
    return [
        replace(
            base := protocol(f"{name}_lr{rate:g}", NETWORKS[name]),
            study=TUNING_STUDY,
            data=replace(base.data, train_split="devtrain", eval_split="devval", report_splits=("devval",)),
            optimizer=replace(base.optimizer, lr=rate),
            training=replace(base.training, epochs=10),
        )
        for rate in LEARNING_RATES
        for name in chosen
    ]


def soccer_phases() -> list[Experiment]:
    """What freezing and progressive resizing each buy Mini-UNet on soccer scenes, over equally many pixels.

    The recipe's epochs at half the size see a quarter of the pixels; where all pictures have the full size,
    these epochs are a quarter as many. An epoch with a frozen encoder costs less than one without, which is
    not made up for: it counts against freezing.

    Leaving out one idea changes something else as well, so each has a second variant that keeps that. An
    encoder that is never frozen also learns at the first phase's rate, ten times that of the others: so does
    the one of `unfrozen_fast`, once it is free. And fewer pictures are fewer steps: `not_resized_half_batch`
    takes as many of them as `recipe`.
    """
    base = recipe("miniunet", "soccer_scenes", "laptop")
    base = replace(
        base,
        study="soccer_phases",
        data=replace(base.data, input_size=(120, 160)),
        training=replace(base.training, evaluate_every=4, deterministic=True),
    )
    frozen, unfrozen, full = (
        replace(phase, epochs=epochs, input_size=size)
        for phase, epochs, size in zip(base.phases, (4, 4, 4), ((60, 80), (60, 80), None), strict=True)
    )
    base = _phased(base, (frozen, unfrozen, full))
    quarter = [replace(one, epochs=one.epochs // 4, input_size=None) for one in (frozen, unfrozen)]
    scratch = replace(base.model, options={**base.model.options, "pretrained": False})

    fast = replace(unfrozen, lr=frozen.lr)

    def thawed(phases: Sequence[PhaseConfig]) -> tuple[PhaseConfig, ...]:
        return tuple(replace(phase, freeze=()) for phase in phases)

    variants = {
        "recipe": base,
        "not_frozen": _phased(base, thawed(base.phases)),
        "unfrozen_fast": _phased(base, (frozen, fast, full)),
        "not_resized": _phased(base, (*quarter, full)),
        "not_resized_half_batch": _half_batch(_phased(base, (*quarter, full))),
        "not_pretrained": replace(_phased(base, thawed(base.phases)), model=scratch),
    }
    return [replace(one, name=name, seed=seed) for seed in SEEDS for name, one in variants.items()]


def soccer_mistakes() -> list[Experiment]:
    """Two mistakes of Mini-UNet's reproduction in PyTorch, on purpose (`recipe` above is without them).

    `leak`: the low-resolution phases draw a split of their own, so that most pictures that the network is
    validated on later were trained on. `interpolated_masks`: masks are resized bilinearly, which makes class
    ids that were never there.
    """
    made = []
    for base in (one for one in soccer_phases() if one.name == "recipe"):
        *low, full = base.phases
        leak = [replace(phase, train_split="redrawn") for phase in low]
        made.append(replace(base, name="leak", phases=(*leak, full)))
        blurred = replace(base.augment, mask_resize="bilinear")
        made.append(replace(base, name="interpolated_masks", augment=blurred))
    return made


def _half_batch(base: Experiment) -> Experiment:
    return replace(base, training=replace(base.training, batch_size=base.training.batch_size // 2))


def _phased(base: Experiment, phases: Sequence[PhaseConfig]) -> Experiment:
    epochs = sum(phase.epochs for phase in phases)
    return replace(base, phases=tuple(phases), training=replace(base.training, epochs=epochs))


def imbalance() -> list[Experiment]:
    """What the loss's class weights, or the choice of crops, do to common and to rare classes.

    The embedded street scenes, because some of their classes are rare by being small and others by being
    seldom; a Mini-UNet with a trained encoder on small crops, because that learns within minutes. Nothing is
    selected: the average of the weights after the last epoch is scored on the test split.
    """
    base = Experiment(
        "imbalance",
        "none",
        "laptop",
        data=DataConfig(
            "street_scenes",
            input_size=(128, 256),
            report_splits=("test",),
            **LITE0_INPUT,
        ),
        augment=replace(MODERATE, crop=(64, 64)),
        model=NETWORKS["miniunet_lite0_pretrained"],
        optimizer=OptimizerConfig("adam", lr=1e-3, weight_decay=1e-4),
        schedule=ScheduleConfig("poly", power=0.9, warmup_steps=20),
        training=TrainingConfig(
            epochs=5,
            batch_size=4,
            clip_norm=1.0,
            ema_decay=0.98,
            evaluate_every=5,
            weights="float16",
            precision="fp32",
            memory_format="channels_last",
        ),
    )
    variants = {
        "none": base,
        "sqrt_inverse": replace(base, loss=LossConfig(class_weights="sqrt_inverse")),
        "inverse": replace(base, loss=LossConfig(class_weights="inverse")),
        "class_uniform": replace(base, data=replace(base.data, class_uniform=0.5)),
    }
    return [replace(one, name=name, seed=seed) for seed in SEEDS for name, one in variants.items()]


def own_recipes() -> list[Experiment]:
    """The three projects' networks under their own recipes on the embedded scenes: that they really learn.

    And the smallest HRNet, whose weights are few enough to be kept: the notebooks show what it sees.
    """
    on_streets = ("minihrnet_a3", "hrnetv2_w18_small_v1", "segsmall", "erfnet")
    return [
        *(recipe(name, "street_scenes", "laptop") for name in on_streets),
        recipe("miniunet", "soccer_scenes", "laptop"),
    ]


def everything() -> list[Experiment]:
    """All runs of the study, those that the others are compared with first, but for `twins`.

    They are made on the device that `auto` finds: a GPU where there is one.
    """
    return [
        *own_recipes(),
        *tuning(),
        *networks(),
        *ablations(),
        *soccer_phases(),
        *soccer_mistakes(),
        *imbalance(),
    ]
