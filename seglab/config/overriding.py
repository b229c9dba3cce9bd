"""Changes of single fields of an experiment, as the command line and the notebooks take them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import yaml

from seglab.config.experiment import Experiment
from seglab.config.reading import NO_YAML, from_dict, to_dict, unknown
from seglab.errors import ConfigError


def override(experiment: Experiment, overrides: Iterable[str]) -> Experiment:
    """Changes single fields, each given as `section.field=value` with the value in YAML.

    One entry of a list is `phases[0].lr=value`; `null` takes away a section that need not be there.

    Raises:
        ConfigError: On anything that is not of this form, as `from_dict` does, and where a phase has its own
            value of a field and so would not see the change.
    """
    values, changed = to_dict(experiment), []
    for text in overrides:
        name, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"{text!r}: allowed is FIELD=VALUE, for example optimizer.lr=0.001")
        changed.append(name.strip())
        *sections, last = re.sub(r"\[(\d+)\]", r".[\1]", name.strip()).split(".")
        target: Any = values
        for depth, section in enumerate(sections):
            outer = ".".join(sections[: depth + 1]).replace(".[", "[")
            if section not in _keys(target):
                raise ConfigError(unknown(f"field {outer}", section, _keys(target)))
            target = target[_keys(target)[section]]
            if not isinstance(target, dict) and not _keys(target):
                raise ConfigError(f"{name}: {outer} has no fields; allowed is {outer}=VALUE")
        keys = _keys(target)
        free = sections[-1:] in (["options"], ["terms"])
        if last not in keys and not free:
            raise ConfigError(unknown(f"field {name}", last, keys))
        try:
            new = yaml.safe_load(value)
        except NO_YAML:
            raise ConfigError(f"{name}: {value!r} is not a YAML value") from None
        old = target[keys[last]] if last in keys else None
        if isinstance(old, dict) and last not in ("options", "terms") and new is not None:
            inner = ", ".join(f"{name}.{key}" for key in old)
            raise ConfigError(f"{name}: this is a section; allowed are its fields {inner}")
        target[keys.get(last, last)] = new
    new_experiment = from_dict(Experiment, values)
    _check_reaches_phases(new_experiment, changed)
    return new_experiment


def _keys(target: Any) -> dict[str, Any]:
    """How the entries of a section or list are called in an override, and what they are in Python."""
    if isinstance(target, list):
        return {f"[{index}]": index for index in range(len(target))}
    return {name: name for name in target} if isinstance(target, dict) else {}


# Fields of the experiment that a phase does not take where it has one of its own, of the given name.
_FIELDS_OF_PHASES = {
    "optimizer.lr": "lr",
    "optimizer.weight_decay": "weight_decay",
    "data.input_size": "input_size",
    "data.train_split": "train_split",
    "loss": "loss",
}


def _check_reaches_phases(experiment: Experiment, changed: list[str]) -> None:
    """Refuses a change of the experiment that a phase would not see, unless the phase is changed, too."""
    for name in changed:
        fields = (one for one in _FIELDS_OF_PHASES if name == one or name.startswith((f"{one}.", f"{one}[")))
        field = next(fields, None)
        if field is None or "phases" in changed:
            continue
        own, rest = _FIELDS_OF_PHASES[field], name.removeprefix(field)
        blind = {
            f"phases[{number}].{own}": phase.name
            for number, phase in enumerate(experiment.phases)
            if getattr(phase, own) is not None
            and not {f"phases[{number}].{own}", f"phases[{number}].{own}{rest}"} & set(changed)
        }
        if blind:
            names, wanted = ", ".join(map(repr, blind.values())), [f"{one}{rest}=VALUE" for one in blind]
            raise ConfigError(
                f"{name}: phases with their own {own} would not see it ({names}); say "
                f"{' '.join(wanted)} as well, {next(iter(blind))}=null for a phase that takes the "
                "experiment's, or phases=[] for a training in one phase"
            )
