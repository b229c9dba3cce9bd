"""The one strict reader and writer of configurations: YAML, plain values, and `FIELD=VALUE`.

It works for any dataclass whose fields are dataclasses, tuples, dictionaries, literals and plain values, and
refuses what it does not know with the field's full name.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import hashlib
import json
import math
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml

from seglab.config.experiment import Experiment, FieldError
from seglab.errors import ConfigError

T = TypeVar("T")

# What PyYAML raises over a text: its own errors, and whatever its constructors raise over values that only
# look like a date, a number or a tag.
NO_YAML = (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError, RecursionError)


def from_yaml(cls: type[T], path: Path | str) -> T:
    """Builds `cls` from a YAML file.

    Raises:
        OSError: If it cannot be read.
        ConfigError: If it is no YAML, or as `from_dict` does; the message begins with the file.
    """
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except NO_YAML as error:
        raise ConfigError(f"{path}: not a YAML file ({' '.join(str(error).split())})") from None
    try:
        return from_dict(cls, values)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def to_dict(config: Any) -> dict[str, Any]:
    """The configuration as plain dictionaries, lists, strings and numbers."""

    def plain(value):
        if dataclasses.is_dataclass(value):
            return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        if isinstance(value, Mapping):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(item) for item in value]
        return value

    return plain(config)


def from_dict(cls: type[T], values: Mapping[str, Any], where: str = "") -> T:
    """Builds `cls` from plain values.

    Raises:
        ConfigError: On an unknown or missing field, or a value of another type than the field's; the
            message holds the field's full name.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where or cls.__name__}: got {values!r}; allowed is a mapping of fields")
    hints = typing.get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls)}
    for name in values:
        if name not in fields:
            raise ConfigError(unknown(f"field {_join(where, name)}", str(name), fields))
    required = dataclasses.MISSING
    for name, f in fields.items():
        if name not in values and f.default is required and f.default_factory is required:
            raise ConfigError(f"{_join(where, name)}: missing")
    coerced = {name: _coerce(v, hints[name], _join(where, name)) for name, v in values.items()}
    try:
        return cls(**coerced)
    except FieldError as error:
        raise ConfigError(_join(where, error.text)) from None


def to_yaml(config: Any) -> str:
    """The configuration as YAML, fields in the order of their definition."""
    return yaml.safe_dump(to_dict(config), sort_keys=False, default_flow_style=None, width=100)


def read_yaml(path: Path | str) -> Experiment:
    """Reads an `Experiment` that a run recorded.

    Raises:
        ConfigError: If the file is missing, no YAML, or as `from_dict` does.
    """
    try:
        return from_yaml(Experiment, path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None


def config_hash(config: Any) -> str:
    """First 12 hex digits of the SHA-256 of the canonical JSON form."""
    text = json.dumps(to_dict(config), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def unknown(what: str, name: str, accepted: Iterable[str]) -> str:
    """The sentence for an unknown name: the nearest accepted one, then all of them."""
    accepted = list(accepted)
    near = difflib.get_close_matches(name, accepted, n=1)
    hint = f"; did you mean {near[0]}?" if near else ";"
    return f"unknown {what}{hint} Accepted: {', '.join(accepted)}"


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else str(name)


def _coerce(value: Any, hint: Any, name: str) -> Any:
    """Checks `value` against the type `hint`, turning lists into tuples and whole numbers into floats."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint):
        return from_dict(hint, value, name)
    if hint is Any:
        return _plain(value, name)
    if origin is types.UnionType:  # only `X | None` occurs
        inner = next(arg for arg in args if arg is not type(None))
        try:
            return None if value is None else _coerce(value, inner, name)
        except ConfigError as error:
            raise ConfigError(f"{error}, or null") from None
    if origin is Literal:
        if value not in args:
            raise ConfigError(f"{name}: got {value!r}; allowed is one of {', '.join(map(str, args))}")
        return value
    if origin is tuple and args[1:] == (Ellipsis,):
        if not isinstance(value, (list, tuple)):
            raise ConfigError(f"{name}: got {value!r}; allowed is a list")
        args = (args[0],) * len(value)
    if origin is tuple:
        if not isinstance(value, (list, tuple)) or len(value) != len(args):
            raise ConfigError(f"{name}: got {value!r}; allowed is a list of {len(args)} values")
        pairs = zip(value, args, strict=True)
        return tuple(_coerce(item, arg, f"{name}[{i}]") for i, (item, arg) in enumerate(pairs))
    if origin is dict:
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise ConfigError(f"{name}: got {value!r}; allowed is a mapping with names as keys")
        return {key: _coerce(item, args[1], f"{name}.{key}") for key, item in value.items()}
    if hint is float and not isinstance(value, bool):
        # PyYAML reads 1e-3 as text because YAML 1.1 wants a point in it.
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            if not math.isnan(number := float(value)):
                return number
    elif type(value) is hint:
        return value
    article = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}[hint]
    raise ConfigError(f"{name}: got {value!r}; allowed is {article}")


def _plain(value: Any, name: str, depth: int = 0) -> Any:
    """Checks that a value is what YAML and JSON both hold, and gives back."""
    if value is None or isinstance(value, (bool, int, str)) or (isinstance(value, float) and value == value):
        return value
    if depth < 8:  # a YAML value may hold itself
        if isinstance(value, (list, tuple)):
            return [_plain(item, f"{name}[{i}]", depth + 1) for i, item in enumerate(value)]
        if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
            return {key: _plain(item, f"{name}.{key}", depth + 1) for key, item in value.items()}
    raise ConfigError(f"{name}: got {value!r}; allowed are text, numbers, true, false, null, lists, mappings")
