"""The complete description of one training run.

A recipe (`seglab.recipes`) returns an `Experiment`; the command line and the notebooks change single
fields of it by name; a run records it as YAML and the same YAML repeats the run.
"""

from seglab.config.experiment import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    LOSS_TERMS,
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
from seglab.config.overriding import override
from seglab.config.reading import (
    config_hash,
    from_dict,
    from_yaml,
    read_yaml,
    to_dict,
    to_yaml,
    unknown,
)

__all__ = [
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "LOSS_TERMS",
    "AugmentConfig",
    "DataConfig",
    "Experiment",
    "LossConfig",
    "ModelConfig",
    "OptimizerConfig",
    "PhaseConfig",
    "ScheduleConfig",
    "TrainingConfig",
    "config_hash",
    "from_dict",
    "from_yaml",
    "override",
    "read_yaml",
    "to_dict",
    "to_yaml",
    "unknown",
]
