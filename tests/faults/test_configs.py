"""Faults F16 and F20: hostile names, and configurations that nobody would write."""

import math
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seglab import recipes, runs
from seglab.config import (
    Experiment,
    PhaseConfig,
    config_hash,
    from_dict,
    override,
    read_yaml,
    to_dict,
    to_yaml,
)
from seglab.datasets import create_dataset
from seglab.errors import SeglabError
from seglab.models import create_model

from .conftest import FULL
from .harness import survivors

# ------------------------------------------------------------------------------------ F16: hostile names

NAMES = {
    "up": "../x",
    "far up": "a/../../../x",
    "absolute": "/etc/x",
    "backslashes": "..\\x",
    "NUL": "a\0b",
    "long": "x" * 300,
    "option": "-rf",
    "newline": "a\nb",
    "device": "CON",
    "emoji": "\N{PILE OF POO}",
    "dots": "..",
    "hidden": ".git",
    "empty": "",
    "space": " ",
    "drive": "C:x",
    "comma": 'a,b"c',
    "right to left": "a\N{RIGHT-TO-LEFT OVERRIDE}b",
    "surrogate": "\ud800",
}


def as_folder(field):
    def place(name, home):
        folder = runs.default_folder(Experiment(**{"study": "faults", "name": "run", field: name}))
        assert folder.resolve().is_relative_to(home) and folder.resolve() != home

    return place


def as_phase(name, home):
    """A phase may be called anything; the history must hold it."""
    PhaseConfig(name, 1)
    runs.write_history(home, [{"epoch": 1, "phase": name, "loss": 0.5}])
    table = runs.read_history(home)
    assert list(table.columns) == ["epoch", "phase", "loss"] and list(table["loss"]) == [0.5]


USES = {
    "study": as_folder("study"),
    "name": as_folder("name"),
    "phase": as_phase,
    "network": lambda name, home: create_model(name, 19),
    "recipe": lambda name, home: recipes.recipe(name),
    "data set": lambda name, home: create_dataset(name, "train"),
    "split": lambda name, home: create_dataset("street_scenes", name, home),
    "data folder": lambda name, home: create_dataset("camvid", "train", home / name),
    "run folder": lambda name, home: runs.read_experiment(home / name),
}


def test_f16_hostile_names(faults, tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    monkeypatch.delenv("SEGLAB_DATA", raising=False)

    def harmless(use, name):
        try:
            USES[use](NAMES[name], home)
        except (SeglabError, OSError) as error:  # the command line tells both in one line
            if "\n" in str(error):
                return f"said {error}"
        outside = [path for path in tmp_path.rglob("*") if path != home and home not in path.parents]
        return f"made {outside}" if outside else None

    survivors(faults, "F16", harmless, [(use, name) for use in USES for name in NAMES], at_once=1)


# ----------------------------------------------------------------------------- F20: absurd configurations

TEXTS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["1e-3", "0x_", "2001-99-99", "!!int x", "[[", "{a: b}", "&a [*a]", "~"]),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**308),
    st.floats(),
    TEXTS,
    st.dates(),
    st.binary(max_size=4),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SCALARS, inner, max_size=3)
)
DEFAULT = to_dict(Experiment("study", "name", phases=(PhaseConfig("one", 50),)))
EXAMPLES = settings(
    max_examples=250 if FULL else 80,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def fields(values, path=()):
    """The path of each field."""
    for name, value in values.items():
        yield (*path, name)
        if isinstance(value, dict) and value:
            yield from fields(value, (*path, name))


FIELDS = sorted(fields(DEFAULT))
# What is plausible on its own reaches further than what is absurd.
PLAUSIBLE = st.one_of(
    st.floats(0, 1),
    st.integers(0, 64),
    st.sampled_from(["sgd", "adamw", "cosine", "best", "float16", "bf16", "cpu", "quick", "per"]),
    st.tuples(st.integers(32, 64), st.integers(32, 64)).map(list),
    st.lists(st.floats(0.1, 1), min_size=3, max_size=3),
    st.dictionaries(st.sampled_from(["cross_entropy", "dice", "norm"]), st.floats(0, 2), min_size=1),
)


@st.composite
def configurations(draw):
    values = yaml.safe_load(yaml.safe_dump(DEFAULT))
    for *sections, name in draw(st.lists(st.sampled_from(FIELDS), max_size=3)):
        target = values
        for section in sections:
            target = target.get(section) if isinstance(target, dict) else None
        if isinstance(target, dict):
            target[name] = draw(PLAUSIBLE | VALUES)
            if draw(st.booleans()) and draw(st.booleans()):
                target[draw(TEXTS)] = draw(VALUES)
    return values


def sound(make) -> None:
    """What is made must be refused in one line, or come back equal from YAML."""
    try:
        made = make()
    except SeglabError as error:
        assert "\n" not in str(error), str(error)
        return
    again = from_dict(Experiment, yaml.safe_load(to_yaml(made)))
    assert again == made and config_hash(again) == config_hash(made)
    assert made.plan  # all fields can be filled in


@pytest.fixture
def examples(faults):
    tried = []
    yield tried
    faults.record("F20", len(tried), sum(tried))


def test_f20_any_mapping_is_refused_or_comes_back(examples):
    @EXAMPLES
    @given(configurations() | VALUES)
    def check(values):
        examples.append(False)
        sound(lambda: from_dict(Experiment, values))
        examples[-1] = True

    check()


def test_f20_any_override_is_refused_or_comes_back(examples):
    default = Experiment("study", "name")
    names = st.sampled_from([".".join(field) for field in FIELDS]) | TEXTS

    @EXAMPLES
    @given(names, TEXTS | PLAUSIBLE.map(str) | SCALARS.map(str))
    def check(name, value):
        examples.append(False)
        sound(lambda: override(default, [f"{name}={value}"]))
        examples[-1] = True

    check()


def test_f20_any_file_is_refused_or_comes_back(examples, tmp_path):
    good = to_yaml(Experiment("study", "name")).encode()
    path = tmp_path / "config.yaml"

    @EXAMPLES
    @given(st.integers(0, len(good)), st.integers(0, 30), st.binary(max_size=5))
    def check(start, length, instead):
        examples.append(False)
        path.write_bytes(good[:start] + instead + good[start + length :])
        sound(lambda: read_yaml(path))
        examples[-1] = True

    check()


@pytest.mark.parametrize("text", ["[" * 100_000, "a: " * 5000, "&a [" + "*a, " * 9 + "]", "9" * 5000, "- 1"])
def test_f20_files_that_no_reader_takes(examples, tmp_path, text):
    examples.append(False)
    path = Path(tmp_path / "config.yaml")
    path.write_text(text, encoding="utf-8")
    sound(lambda: read_yaml(path))
    examples[-1] = True


def test_nan_is_no_number_of_a_configuration():
    with pytest.raises(SeglabError, match=r"data\.mean"):
        from_dict(Experiment, {"study": "a", "name": "b", "data": {"mean": [math.nan, 0.5, 0.5]}})
