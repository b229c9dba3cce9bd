"""What holds for the repository as a whole: who may import whom, what is committed, how it is cited."""

import ast
import functools
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import numpy as np
import pytest
import yaml

import seglab
from seglab import runs

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "seglab"

# A component imports from its own layer and from those above it here; seglab/README.md shows the same order.
LAYERS = (
    {"config", "errors", "labels"},
    {"checkpoints", "comparison", "metrics", "recipes", "render", "runs"},
    {"lr_curve", "repeats", "samples"},
    {"differences", "evidence", "expectations", "machines", "results"},
    {"datasets", "models"},
    {"analysis", "evaluation"},
    {"trainers"},
    {"deploy"},
    {"plots", "tables", "widgets"},
    {"cli", "notebooks", "report", "study"},
    {"__main__", "bootstrap"},
)
# Figures and tables are redrawn where there is no PyTorch.
TORCH_FREE = {
    "comparison", "config", "differences", "errors", "evidence", "expectations", "labels", "lr_curve",
    "machines", "metrics", "notebooks", "plots", "recipes", "render", "repeats", "report", "results", "runs",
    "samples", "tables",
}  # fmt: skip


@functools.cache
def modules() -> dict[str, Path]:
    """Full name ("seglab.models.erfnet", "seglab.datasets" for its __init__) -> source file."""
    names = {path: ".".join(path.relative_to(ROOT).with_suffix("").parts) for path in PACKAGE.rglob("*.py")}
    return {name.removesuffix(".__init__"): path for path, name in names.items() if name != "seglab.__init__"}


def imports(module: str) -> Iterator[str]:
    """The full names of the modules that a module imports, inside its functions too."""
    for node in ast.walk(ast.parse(modules()[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}, line {node.lineno}: a relative import"
            for alias in node.names:
                # `from seglab import runs` names a module, `from seglab.runs import load` does not.
                full = f"{node.module}.{alias.name}"
                yield full if full in modules() else node.module


def dependencies() -> dict[str, set[str]]:
    """Module of seglab -> the other modules of seglab that it imports."""
    return {name: set(imports(name)) & set(modules()) - {name} for name in modules()}


def component(module: str) -> str:
    return module.split(".")[1]


def test_every_component_has_a_layer():
    assert {component(name) for name in modules()} <= set().union(*LAYERS)


def test_imports_point_downwards():
    layer = {name: number for number, names in enumerate(LAYERS) for name in names}
    wrong = [
        f"{name} imports {target}"
        for name, targets in dependencies().items()
        for target in targets
        if layer[component(target)] > layer[component(name)]
    ]
    assert wrong == []


def test_nothing_imports_itself_in_a_circle():
    """Neither one module another, nor one component another."""
    graph = dependencies()
    components: dict[str, set[str]] = {component(name): set() for name in graph}
    for name, targets in graph.items():
        components[component(name)] |= {component(target) for target in targets} - {component(name)}
    for checked in (graph, components):
        TopologicalSorter(checked).prepare()  # raises CycleError, which names the circle


def test_torch_free_sources_import_neither_torch_nor_what_needs_it():
    wrong = [
        f"{name} imports {full}"
        for name in modules()
        if component(name) in TORCH_FREE
        for full in imports(name)
        if full.split(".")[0] in ("torch", "torchvision", "timm", "fvcore")
        or (full in modules() and component(full) not in TORCH_FREE)
    ]
    assert wrong == []


def test_torch_free_modules_import_without_torch():
    names = sorted(name for name in modules() if component(name) in TORCH_FREE)
    program = (
        "import importlib, sys\n"
        "class NoTorch:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] == 'torch':\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, NoTorch())\n"
        f"for name in {names}: importlib.import_module(name)\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    """The committed files, as they lie in the working tree."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout")
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    files = [ROOT / name for name in listing.stdout.decode().split("\0") if name]
    return [file for file in files if file.is_file()]


def test_every_committed_score_follows_from_its_confusion_matrix():
    """By a formula written out here, for all runs and all their evaluations."""
    checked = 0
    for record in sorted((ROOT / "results").rglob("summary.json")):
        for split, scores in json.loads(record.read_text(encoding="utf-8"))["scores"].items():
            path = record.parent / f"confusion_{split}.csv"
            confusion = np.loadtxt(path, int, delimiter=",", skiprows=1)
            right = confusion.diagonal()
            union = confusion.sum(0) + confusion.sum(1) - right
            there = union > 0
            assert scores["mean_iou"] == pytest.approx((right[there] / union[there]).mean(), abs=1e-12), path
            assert scores["pixel_accuracy"] == pytest.approx(right.sum() / confusion.sum(), abs=1e-12), path
            assert scores["classes"] == there.sum(), path
            if (record.parent / f"images_{split}.npz").is_file():
                single = runs.read_images(record.parent, split).confusions
                assert (single.sum(0) == confusion).all(), path
            checked += 1
    assert checked > 30


def test_no_committed_file_holds_a_path_of_somebody_s_machine(tracked):
    pattern = re.compile(rb"(?<![\w.$}-])(?:/(?:home|Users|root|tmp|work)/|[A-Z]:\\{1,2}Users\\)[\w.]")
    found = {}
    for file in tracked:
        if match := pattern.search(file.read_bytes()):
            found[file.relative_to(ROOT).as_posix()] = match[0]
    assert found == {}


def test_no_committed_file_is_large(tracked):
    assert [file for file in tracked if file.stat().st_size > 6 * 2**20] == []


def test_citation_file_is_complete():
    """The keys that the Citation File Format 1.2.0 requires, and the works that the study stands on."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["message"] and citation["title"] == "seglab"
    assert citation["version"] == seglab.__version__
    assert citation["license"] == "Apache-2.0"
    for work in [citation, *citation["references"]]:
        assert work["type"] in {"software", "thesis", "article", "conference-paper", "data"}
        assert work["title"] and work["authors"]
        for author in work["authors"]:  # an entity or a person
            assert set(author) in ({"name"}, {"family-names"}, {"family-names", "given-names"})
    credited = " ".join(f"{work['title']} {work.get('notes', '')}" for work in citation["references"])
    for work in (
        "Mini-HRNet",
        "SegSmall",
        "Mini-UNet",
        "HRNetV2",
        "ERFNet",
        "NimbRo",
        "Cityscapes",
        "CamVid",
        "HULKs",
    ):
        assert work in credited


def test_licence_is_the_apache_licence_to_the_letter():
    digest = hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest()
    assert digest == "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
