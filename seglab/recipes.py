"""The named experiments of the study: functions that return a complete `Experiment`.

A recipe is a network's own training, as its authors describe it; `recipe(name, data, profile)` adds what the
data set and the budget ask for. (What compares networks under one and the same training is
`seglab.comparison`.) The profiles are

    quick    a few minutes on two processor cores, to see that it learns; never a result of the study
    laptop   about half an hour on two processor cores that do nothing else
    full     the published budget, for a GPU

The smaller profiles keep a network's optimizer, schedule and phases. They see smaller pictures, and vary
scale and colours moderately, which teaches more from few pictures than what the authors do with thousands.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

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
    unknown,
)
from seglab.errors import ConfigError

PROFILES = ("quick", "laptop", "full")

# What the budget allows, by data set and profile: the height and width at which the network sees a whole
# picture (None: its own size), and for the small profiles the epochs of Mini-HRNet.
_BUDGET: dict[str, dict[str, tuple[tuple[int, int] | None, int]]] = {
    "street_scenes": {"quick": ((128, 256), 10), "laptop": ((128, 256), 30), "full": (None, 0)},
    "camvid": {"quick": ((180, 240), 4), "laptop": ((180, 240), 20), "full": (None, 0)},
    "soccer_scenes": {"quick": ((120, 160), 6), "laptop": ((240, 320), 12), "full": (None, 0)},
    "soccer": {"quick": ((120, 160), 6), "laptop": ((240, 320), 12), "full": (None, 0)},
    "cityscapes": {"quick": ((128, 256), 1), "laptop": ((128, 256), 5), "full": (None, 0)},
}

# The same for your own data, of whose pictures nothing is known: they keep their size.
_OWN_BUDGET = {"quick": (None, 5), "laptop": (None, 30), "full": (None, 0)}

# Height and width of the pictures themselves.
_FULL_SIZES = {
    "street_scenes": (256, 512),
    "camvid": (360, 480),
    "soccer_scenes": (480, 640),
    "soccer": (480, 640),
    "cityscapes": (1024, 2048),
}

# Splits that a finished run is scored on. Cityscapes keeps the truth of its test split to itself.
_REPORT_SPLITS = {
    "street_scenes": ("val", "test"),
    "camvid": ("val", "test", "test_seq05vd", "test_0001tp"),
    "soccer_scenes": ("val", "test"),
    "soccer": ("val", "test"),
    "cityscapes": ("val",),
}

# Epochs of a small profile as a multiple of Mini-HRNet's: about how many more pictures a network sees per
# second on two cores that do nothing else.
_PACE = {
    "hrnetv2_w48": 0.5,
    "hrnetv2_w18_small_v2": 2.0,
    "hrnetv2_w18_small_v1": 2.5,
    "erfnet": 2.0,
    "segsmall": 2.0,
    "miniunet": 2.5,
}

# What the weights of EfficientNet-Lite0 were trained with.
LITE0_INPUT = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}

# How pictures are varied where there are few of them.
MODERATE = AugmentConfig(scale=(0.75, 1.5), flip=0.5, brightness=0.3, contrast=0.3, saturation=0.3)


def recipe(name: str, data: str = "street_scenes", profile: str = "quick", seed: int = 0) -> Experiment:
    """Builds the experiment of a recipe: the network's training, within the budget of the profile.

    Args:
        name: One of `RECIPES`.
        data: `street_scenes`, `camvid`, `soccer_scenes`, `soccer` or `cityscapes`, or the path of the YAML
            file of your own data; the study is then named after the file, and the path recorded in full, so
            that the run can be used from any folder.
        profile: `quick`, `laptop` or `full`.
        seed: Seed of weights, data order and augmentation.

    Raises:
        ConfigError: If one of them is unknown.
    """
    own = data.lower().endswith((".yaml", ".yml"))
    budgets = {data: _OWN_BUDGET} if own else _BUDGET
    for what, value, known in (
        ("recipe", name, RECIPES),
        ("data set", data, budgets),
        ("profile", profile, PROFILES),
    ):
        if value not in known:
            raise ConfigError(unknown(f"{what} {value!r}", value, known))
    input_size, epochs = budgets[data][profile]
    study = data
    if own:
        study = re.sub(r"[^A-Za-z0-9_.-]|^[.-]", "_", Path(data).stem)[:90]  # a folder's name
        data = os.path.abspath(os.path.expanduser(data))
    base = Experiment(
        study=f"{study}_full" if profile == "full" else study,  # another budget is another study
        name=name,
        profile=profile,
        seed=seed,
        data=DataConfig(data, input_size=input_size, report_splits=_REPORT_SPLITS.get(data, ("val",))),
        model=ModelConfig(name),
        training=TrainingConfig(epochs=max(1, round(epochs * _PACE.get(name, 1.0)))),
    )
    if profile != "full":
        training = replace(base.training, batch_size=8, clip_norm=1.0, ema_decay=0.99, weights="float16")
        base = replace(base, augment=MODERATE, training=training)
    return RECIPES[name](base)


def _crop(base: Experiment) -> tuple[int, int] | None:
    """The crop of a full training: 512x1024 of a Cityscapes picture, else the whole picture."""
    return (512, 1024) if base.data.name == "cityscapes" else None


def _street_weights(base: Experiment) -> LossConfig:
    """HRNet's class weights where they fit, else the formula that comes close to them."""
    fits = base.data.name in ("street_scenes", "cityscapes")
    return LossConfig(class_weights="hrnet" if fits else "log_inverse")


def _rescaled(base: Experiment, phases: tuple[PhaseConfig, ...]) -> Experiment:
    """The experiment with phases whose epochs share out the profile's, in the same proportions."""
    if base.profile != "full":
        total, rest = sum(phase.epochs for phase in phases), base.training.epochs
        small = []
        for phase in phases[:-1]:
            epochs = max(1, round(base.training.epochs * phase.epochs / total))
            small.append(replace(phase, epochs=epochs))
            rest -= epochs
        phases = (*small, replace(phases[-1], epochs=max(1, rest)))
    epochs = sum(phase.epochs for phase in phases)
    return replace(base, phases=phases, training=replace(base.training, epochs=epochs))


def minihrnet(base: Experiment) -> Experiment:
    """Mini-HRNet, any of its three approaches.

    What is known of the thesis's training (its configuration file and README): Adam at 1e-3, batches of one,
    crops of 512x1024, flips, "random scaling", HRNet's class weights, and about 480 epochs (ten days at half
    an hour each) where the configuration says 50. Unknown: the schedule and the range of scales; `full` takes
    HRNet's, poly 0.9, 484 epochs and 0.5 to 2.1 (Wang et al. 2020). The small profiles train with equal class
    weights and begin with a short warm-up.
    """
    if base.profile == "full":
        return replace(
            base,
            augment=AugmentConfig(scale=(0.5, 2.1), crop=_crop(base), flip=0.5),
            loss=_street_weights(base),
            optimizer=OptimizerConfig("adam", lr=1e-3, weight_decay=0.0),
            schedule=ScheduleConfig("poly", power=0.9),
            training=replace(base.training, epochs=484, batch_size=1),
        )
    return replace(
        base,
        optimizer=OptimizerConfig("adam", lr=1e-3, weight_decay=1e-4),
        schedule=ScheduleConfig("poly", power=0.9, warmup_steps=20),
        training=replace(base.training, weights="float32"),  # too many to be kept with the results anyway
    )


def hrnet(base: Experiment) -> Experiment:
    """HRNet, as trained by its authors on Cityscapes.

    SGD at 0.01 with momentum 0.9 and decay 5e-4, poly 0.9 per step, batches of 12 with synchronised batch
    statistics, 484 epochs, crops of 512x1024, scales 0.5 to 2.1, flips, their class weights (Wang et al.
    2020, arXiv 1908.07919, section 4; HRNet/HRNet-Semantic-Segmentation, its configuration). Theirs begin
    with ImageNet weights and ours do not; biases and normalisation do not decay here.
    """
    optimizer = OptimizerConfig("sgd", lr=0.01, weight_decay=5e-4, momentum=0.9)
    if base.profile == "full":
        return replace(
            base,
            augment=AugmentConfig(scale=(0.5, 2.1), crop=_crop(base), flip=0.5),
            loss=_street_weights(base),
            optimizer=optimizer,
            schedule=ScheduleConfig("poly", power=0.9),
            training=replace(base.training, epochs=484, batch_size=12, sync_batchnorm=True),
        )
    return replace(base, optimizer=optimizer, schedule=ScheduleConfig("poly", power=0.9, warmup_steps=20))


def erfnet(base: Experiment) -> Experiment:
    """ERFNet in two phases: the encoder with a head of its own, then all of it.

    150 epochs each, batches of 6, Adam at 5e-4 with decay 1e-4, poly 0.9 per epoch in each phase, class
    weights 1/ln(c + share) with c = 1.20 for the encoder and 1.10 after, pictures of 512x1024, flips, no
    normalisation (Romera et al. 2018; Eromera/erfnet_pytorch, train/main.py). Left out: shifts of up to two
    pixels. The encoder's masks are not shrunk to an eighth; its answers are enlarged, and no label is lost.
    """
    base = replace(
        base,
        data=replace(base.data, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
        loss=LossConfig(class_weights="log_inverse", log_offset=1.10),
        optimizer=OptimizerConfig("adam", lr=5e-4, weight_decay=1e-4),
        schedule=ScheduleConfig("poly", power=0.9, per="epoch"),
    )
    if base.profile == "full":
        size = (512, 1024) if base.data.name == "cityscapes" else base.data.input_size
        base = replace(
            base,
            data=replace(base.data, input_size=size),
            augment=AugmentConfig(flip=0.5),
            training=replace(base.training, batch_size=6),
        )
    encoder_loss = replace(base.loss, log_offset=1.20)
    phases = (
        PhaseConfig("encoder", 150, freeze=("decoder", "head"), head="aux", loss=encoder_loss),
        PhaseConfig("decoder", 150),
    )
    return _rescaled(base, phases)


def segsmall(base: Experiment) -> Experiment:
    """SegSmall: Adam, a rate that falls with the epoch, and class weights of inverse frequency.

    100 epochs, batches of 16, 5e-4 with decay 1e-4, poly 0.9 per epoch, pictures of 256x512, flips, no
    normalisation (the README and train_net.py of Realtic12/SegSmall; where they differ, the README). The
    original's pictures are 512 high and 256 wide by mistake, and its rate never falls below 0.16 of the
    first; neither is repeated here, nor are its shifts of up to two pixels. The small profiles take the
    square roots of the weights: with 1/f the rarest class of the street scenes weighs 74 times as much as
    road, and notebook 05 measures what that costs.
    """
    base = replace(
        base,
        data=replace(base.data, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
        loss=LossConfig(class_weights="inverse" if base.profile == "full" else "sqrt_inverse"),
        optimizer=OptimizerConfig("adam", lr=5e-4, weight_decay=1e-4),
        schedule=ScheduleConfig("poly", power=0.9, per="epoch"),
    )
    if base.profile != "full":
        return base
    size = (256, 512) if base.data.name == "cityscapes" else base.data.input_size
    return replace(
        base,
        data=replace(base.data, input_size=size),
        augment=AugmentConfig(flip=0.5),
        training=replace(base.training, epochs=100, batch_size=16),
    )


def miniunet(base: Experiment) -> Experiment:
    """Mini-UNet in three phases: frozen encoder on small pictures, all of it on small, then on full pictures.

    Adam at a constant rate, batches of 8, equal class weights, flips, brightness times 0.5 to 1.5: 26 epochs
    at 1e-3, 15 at 1e-4, 39 at 1e-4 with decay 5e-4 (the code, and the notebook that has numbers, of
    iswariyam/Mini-semantic-segmentation-network-pytorch). The README says 30 frozen epochs, the script 1e-5
    in the last phase; chosen is what made the published numbers. "Half resolution" is 320x160 there, which
    squeezes the picture; here it is half of both sides.

    `full` takes the original's ResNet-18 with torchvision's ImageNet weights, which are downloaded. The small
    profiles take EfficientNet-Lite0, whose weights come inside a package and work without a network.
    """
    encoder = "resnet18" if base.profile == "full" else "efficientnet_lite0"
    data = base.data
    if encoder == "efficientnet_lite0":
        data = replace(data, **LITE0_INPUT)
    full_size = data.input_size or _FULL_SIZES.get(data.name)
    half = full_size and (full_size[0] // 2, full_size[1] // 2)  # of your own pictures' size nothing is known
    base = replace(
        base,
        data=data,
        model=ModelConfig("miniunet", {"encoder": encoder, "pretrained": True}),
        optimizer=OptimizerConfig("adam", lr=1e-3, weight_decay=0.0),
        schedule=ScheduleConfig("constant"),
    )
    if base.profile == "full":
        base = replace(base, augment=AugmentConfig(crop=None, flip=0.5, brightness=0.5))
        base = replace(base, training=replace(base.training, batch_size=8))
    phases = (
        PhaseConfig("frozen", 26, lr=1e-3, input_size=half, freeze=("encoder",)),
        PhaseConfig("unfrozen", 15, lr=1e-4, input_size=half),
        PhaseConfig("full size", 39, lr=1e-4, weight_decay=5e-4),
    )
    return _rescaled(base, phases)


RECIPES: dict[str, Callable[[Experiment], Experiment]] = {
    "minihrnet_a1": minihrnet,
    "minihrnet_a2": minihrnet,
    "minihrnet_a3": minihrnet,
    "hrnetv2_w18_small_v1": hrnet,
    "hrnetv2_w18_small_v2": hrnet,
    "hrnetv2_w18": hrnet,
    "hrnetv2_w48": hrnet,
    "erfnet": erfnet,
    "segsmall": segsmall,
    "miniunet": miniunet,
}
