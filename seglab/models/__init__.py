"""The networks of the study: `create_model(name, num_classes, **options)` and `list_models()`.

One file per architecture; the table below is the whole registry.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from seglab.errors import ConfigError
from seglab.models import minihrnet
from seglab.models.base import Reference, SegmentationModel, check_count

__all__ = ["Reference", "SegmentationModel", "create_model", "get_reference", "list_models", "model_options"]


@dataclass(frozen=True)
class Entry:
    """One network: how it is built, where it comes from, and its names in the original checkpoints."""

    build: Callable[..., SegmentationModel]
    reference: Reference
    original_key: Callable[[str], str]


REGISTRY: dict[str, Entry] = {
    "minihrnet_a3": Entry(minihrnet.minihrnet_a3, minihrnet.REFERENCE, minihrnet.original_key),
}


def list_models() -> list[str]:
    """Names that `create_model` accepts, in the order of the registry."""
    return list(REGISTRY)


def get_entry(name: str) -> Entry:
    """Looks a network up.

    Raises:
        ConfigError: If there is no such network; the message has the nearest name and all accepted ones.
    """
    if name not in REGISTRY:
        raise _unknown("model", name, REGISTRY)
    return REGISTRY[name]


def get_reference(name: str) -> Reference:
    """Paper, stated size and published scores of a network.

    Raises:
        ConfigError: If there is no such network.
    """
    return get_entry(name).reference


def model_options(name: str) -> dict[str, object]:
    """The options of a network with their defaults.

    Raises:
        ConfigError: If there is no such network.
    """
    parameters = inspect.signature(get_entry(name).build).parameters.values()
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
    entry = get_entry(name)
    check_count("num_classes", num_classes, minimum=1)
    allowed = model_options(name)
    for option in options:
        if option not in allowed:
            raise _unknown(f"option of {name}", option, allowed)
    return entry.build(num_classes, **options)


def _unknown(what: str, word: object, known: Iterable[str]) -> ConfigError:
    close = difflib.get_close_matches(str(word), known, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return ConfigError(f"unknown {what}: {word!r}{hint}; allowed: {', '.join(known) or 'none'}")
