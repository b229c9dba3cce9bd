"""The three descriptions of the environment agree: pyproject.toml, constraints.txt, environment.yml."""

import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
CONDA_NAMES = {"torch": "pytorch"}  # PyPI name -> conda-forge name, where the two differ


def wanted() -> list[Requirement]:
    """What pyproject.toml asks for, with all extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    texts = [text for group in (project["dependencies"], *extras) for text in group]
    return [Requirement(text) for text in texts if not text.startswith("seglab[")]


def pins() -> list[Requirement]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if not line.startswith("#")]


def pins_here() -> dict[str, str]:
    """The pinned version of each package, on the platform and Python of this test run."""
    return {
        canonicalize_name(pin.name): str(pin.specifier).removeprefix("==")
        for pin in pins()
        if pin.marker is None or pin.marker.evaluate()
    }


class StrictLoader(yaml.SafeLoader):
    """Refuses a mapping that names a key twice, of which YAML would keep the last."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if len(keys) != len(set(keys)):
            raise yaml.constructor.ConstructorError(
                None, None, f"a key occurs twice in {keys}", node.start_mark
            )
        return super().construct_mapping(node, deep)


def conda_environment() -> dict:
    text = (ROOT / "environment.yml").read_bytes().decode("utf-8")
    return yaml.load(text, StrictLoader)


def test_strict_loader_refuses_repeated_keys():
    with pytest.raises(yaml.constructor.ConstructorError, match="occurs twice"):
        yaml.load("a: {b: 1, b: 2}", StrictLoader)


def test_environment_yml_works_on_any_platform():
    """No prefix, no build strings, no other channels: it holds what a person wrote, not an export."""
    environment = conda_environment()
    assert set(environment) == {"name", "channels", "dependencies"}
    assert environment["name"] == "seglab"
    assert environment["channels"] == ["conda-forge"]
    *conda, pip = environment["dependencies"]
    assert set(pip) == {"pip"}
    assert pip["pip"][-1] == "-e ."
    for text in conda + pip["pip"][:-1]:
        requirement = Requirement(text)  # refuses "numpy=2.4.6=py311_0"
        assert not requirement.extras and requirement.url is None and requirement.marker is None


def test_environment_yml_names_what_pyproject_names():
    *conda, pip = conda_environment()["dependencies"]
    named = [Requirement(text) for text in conda + pip["pip"][:-1]]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    expected = {CONDA_NAMES.get(r.name, canonicalize_name(r.name)): r.specifier for r in wanted()}
    expected |= {"python": SpecifierSet(project["requires-python"]), "pip": SpecifierSet()}
    assert {requirement.name: requirement.specifier for requirement in named} == expected
    assert len(named) == len(expected)


def test_constraints_pin_one_version_each():
    assert all(str(pin.specifier).startswith("==") and len(pin.specifier) == 1 for pin in pins())
    here = [canonicalize_name(p.name) for p in pins() if p.marker is None or p.marker.evaluate()]
    assert len(here) == len(set(here))
    assert pins_here()["torch"] == "2.14.1"
    assert pins_here()["torchvision"] == "0.29.1"


def test_constraints_cover_everything_that_is_installed():
    """Walks from pyproject.toml along the requirements of the installed packages."""
    versions = pins_here()
    seen, todo = set(), wanted()
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        assert name in versions, f"{name} is not pinned: remake constraints.txt as its header says"
        assert requirement.specifier.contains(versions[name], prereleases=True), requirement
        for extra in {"", *requirement.extras} - {extra for known, extra in seen if known == name}:
            seen.add((name, extra))
            try:
                further = map(Requirement, requires(name) or [])
            except PackageNotFoundError:  # an extra that is not installed here
                continue
            todo += [r for r in further if r.marker is None or r.marker.evaluate({"extra": extra})]
    assert len(seen) > 100  # torch, JupyterLab and the rest: the walk has not stopped at the first step
