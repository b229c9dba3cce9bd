"""The named experiments of the study: functions that return a complete `Experiment`.

A recipe knows how a network is trained; `recipe(name, data, profile)` adds what the data set and the budget
ask for. The profiles are

    quick    a few minutes on two processor cores, to see that it learns; never a result of the study
    laptop   about half an hour on two processor cores
    full     the published budget, for a GPU
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from seglab.config import (
    AugmentConfig,
    DataConfig,
    Experiment,
    LossConfig,
    ModelConfig,
    OptimizerConfig,
    ScheduleConfig,
    TrainingConfig,
    unknown,
)
from seglab.errors import ConfigError

PROFILES = ("quick", "laptop", "full")

# What the budget allows, by data set and profile: the height and width at which the network sees a whole
# picture (None: its own size), and epochs.
_BUDGET: dict[str, dict[str, tuple[tuple[int, int] | None, int]]] = {
    "street_scenes": {"quick": ((128, 256), 10), "laptop": ((128, 256), 50), "full": (None, 484)},
    "camvid": {"quick": ((180, 240), 4), "laptop": ((180, 240), 20), "full": (None, 484)},
    "cityscapes": {"quick": ((128, 256), 1), "laptop": ((128, 256), 5), "full": (None, 484)},
}

# Splits that a finished run is scored on. Cityscapes keeps the truth of its test split to itself.
_REPORT_SPLITS = {"street_scenes": ("val", "test"), "camvid": ("val", "test"), "cityscapes": ("val",)}


def recipe(name: str, data: str = "street_scenes", profile: str = "quick", seed: int = 0) -> Experiment:
    """Builds the experiment of a recipe: the network's training, within the budget of the profile.

    Args:
        name: One of `RECIPES`.
        data: `street_scenes`, `camvid` or `cityscapes`.
        profile: `quick`, `laptop` or `full`.
        seed: Seed of weights, data order and augmentation.

    Raises:
        ConfigError: If one of them is unknown.
    """
    for what, value, known in (("recipe", name, RECIPES), ("data set", data, _BUDGET)):
        if value not in known:
            raise ConfigError(unknown(f"{what} {value!r}", value, known))
    if profile not in PROFILES:
        raise ConfigError(unknown(f"profile {profile!r}", profile, PROFILES))
    input_size, epochs = _BUDGET[data][profile]
    base = Experiment(
        study=f"{data}_full" if profile == "full" else data,  # another budget is another study
        name=name,
        profile=profile,
        seed=seed,
        data=DataConfig(data, input_size=input_size, report_splits=_REPORT_SPLITS[data]),
        training=TrainingConfig(epochs=epochs),
    )
    return RECIPES[name](base)


def minihrnet_a3(base: Experiment) -> Experiment:
    """Mini-HRNet, approach 3.

    What is known of the thesis's training (its configuration file and README): Adam at 1e-3, batches of one,
    crops of 512x1024, flips, "random scaling", HRNet's class weights, and about 480 epochs (ten days at half
    an hour each) where the configuration says 50. Unknown: the schedule and the range of scales; `full` takes
    HRNet's, poly 0.9 and 0.5 to 2.1 (Wang et al. 2020). The smaller profiles keep the optimizer and shorten
    the rest: a narrower range of scales and equal class weights learn more from few pictures.
    """
    if base.profile == "full":
        crop = (512, 1024) if base.data.name == "cityscapes" else None
        return replace(
            base,
            model=ModelConfig("minihrnet_a3"),
            augment=AugmentConfig(scale=(0.5, 2.1), crop=crop, flip=0.5),
            loss=LossConfig(class_weights="log_inverse" if base.data.name == "camvid" else "hrnet"),
            optimizer=OptimizerConfig("adam", lr=1e-3, weight_decay=0.0),
            schedule=ScheduleConfig("poly", power=0.9),
            training=replace(base.training, batch_size=1),
        )
    return replace(
        base,
        model=ModelConfig("minihrnet_a3"),
        augment=AugmentConfig(scale=(0.75, 1.5), flip=0.5, brightness=0.3, contrast=0.3, saturation=0.3),
        optimizer=OptimizerConfig("adam", lr=1e-3, weight_decay=1e-4),
        schedule=ScheduleConfig("poly", power=0.9, warmup_steps=20),
        training=replace(base.training, batch_size=8, clip_norm=1.0, ema_decay=0.99),
    )


RECIPES: dict[str, Callable[[Experiment], Experiment]] = {"minihrnet_a3": minihrnet_a3}
