"""The networks of the study: `create_model(name, num_classes, **options)` and `list_models()`.

One file per architecture; the table below is the whole registry.
"""

from __future__ import annotations

import inspect
from types import ModuleType

from seglab.config import unknown
from seglab.errors import ConfigError
from seglab.models import erfnet, hrnet, minihrnet, miniunet, segsmall
from seglab.models.base import Reference, SegmentationModel, check_count

__all__ = [
    "Reference",
    "SegmentationModel",
    "create_model",
    "get_module",
    "get_reference",
    "list_models",
    "model_options",
]

# Each module has a builder named like the network, a `REFERENCE` for it, and `original_key`.
REGISTRY: dict[str, ModuleType] = {
    "hrnetv2_w48": hrnet,
    "hrnetv2_w18": hrnet,
    "hrnetv2_w18_small_v2": hrnet,
    "hrnetv2_w18_small_v1": hrnet,
    "minihrnet_a1": hrnet,
    "minihrnet_a2": hrnet,
    "minihrnet_a3": minihrnet,
    "erfnet": erfnet,
    "segsmall": segsmall,
    "miniunet": miniunet,
}


def list_models() -> list[str]:
    """Names that `create_model` accepts, in the order of the registry."""
    return list(REGISTRY)


def get_module(name: str) -> ModuleType:
    """The module that builds a network.

    Raises:
        ConfigError: If there is no such network; the message has the nearest name and all accepted ones.
    """
    if name not in REGISTRY:
        raise ConfigError(f"model is {name!r}: {unknown('model', str(name), REGISTRY)}")
    return REGISTRY[name]


def get_reference(name: str) -> Reference:
    """Paper, stated size and published scores of a network.

    Raises:
        ConfigError: If there is no such network.
    """
    return get_module(name).REFERENCE[name]


def model_options(name: str) -> dict[str, object]:
    """The options of a network with their defaults.

    Raises:
        ConfigError: If there is no such network.
    """
    parameters = inspect.signature(getattr(get_module(name), name)).parameters.values()
    return {one.name: one.default for one in parameters if one.kind is inspect.Parameter.KEYWORD_ONLY}


def create_model(name: str, num_classes: int, **options: object) -> SegmentationModel:
    """Builds a network with freshly initialised weights, in training mode.

    Args:
        name: One of `list_models()`.
        num_classes: At least 1.
        **options: See `model_options(name)` and the builder's description.

    Raises:
        ConfigError: If the name, an option or a value is not allowed.
    """
    allowed = model_options(name)
    check_count("num_classes", num_classes, minimum=1)
    for option in options:
        if option not in allowed:
            raise ConfigError(f"option {option!r}: {unknown(f'option of {name}', option, allowed)}")
    return getattr(get_module(name), name)(num_classes, **options)
