"""Figures are drawn from stored runs alone, the same bytes each time."""

import hashlib
import re
from pathlib import Path

import matplotlib
import numpy as np
import pytest

from seglab import plots, runs
from seglab.config import Experiment
from seglab.errors import ConfigError, RunError
from seglab.labels import CAMVID11, CITYSCAPES
from seglab.plots.class_iou import figure_of_confusion
from seglab.plots.class_shares import class_shares
from seglab.plots.confusion import figure_of_mistakes
from seglab.plots.pictures import legend, picture_grid


@pytest.fixture
def results(tmp_path):
    rng = np.random.default_rng(0)
    for seed in (0, 1):
        folder = runs.create(tmp_path / "results" / f"seed{seed}", Experiment("camvid", "net", seed=seed))
        rows = [
            {"epoch": e, "loss": 2 / e, "mean_iou": 0.1 * e if e % 2 else None} for e in range(1, 6)
        ]
        runs.write_history(folder, rows)
        runs.write_confusion(folder, "test", rng.integers(0, 99, (11, 11)), CAMVID11.classes)
        runs.write_summary(folder, {"scores": {}})
    return tmp_path / "results"


def digests(paths):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_all_figures_repeat_byte_for_byte(results, tmp_path):
    first = plots.draw(results=results, figures=tmp_path / "one")
    assert {path.stem for path in first} == set(plots.FIGURES)
    assert {path.suffix for path in first} == {".png", ".svg"}
    assert digests(first) == digests(plots.draw(results=results, figures=tmp_path / "two"))


def test_committed_figures_are_what_the_results_give(tmp_path):
    root = Path(__file__).parents[1]
    pinned = re.search(r"^matplotlib==(\S+)", (root / "constraints.txt").read_text(), re.MULTILINE)[1]
    if matplotlib.__version__ != pinned:
        pytest.skip(f"figures are drawn with matplotlib {pinned}; here is {matplotlib.__version__}")
    drawn = plots.draw(results=root / "results", figures=tmp_path)
    committed = [path for path in (root / "figures").iterdir() if path.suffix in (".png", ".svg")]
    assert digests(drawn) == digests(committed)


def test_a_figure_changes_with_the_results(results, tmp_path):
    before = digests(plots.draw(["class_iou"], results, tmp_path / "one"))
    path = results / "seed0" / "confusion_test.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], "5000" + lines[1][lines[1].index(",") :], *lines[2:]]) + "\n")
    assert digests(plots.draw(["class_iou"], results, tmp_path / "two")) != before


def test_class_iou_writes_the_scores(results):
    figure = plots.class_iou(runs.load(results))
    assert len(figure.axes) == 2
    confusion, _ = runs.read_confusion(results / "seed0", "test")
    hits, union = confusion[3, 3], confusion[3].sum() + confusion[:, 3].sum() - confusion[3, 3]
    assert figure.axes[0].patches[3].get_height() == pytest.approx(100 * hits / union)


def test_absent_class_is_said_to_be_absent():
    confusion = np.zeros((11, 11), int)
    confusion[0, 0] = 5
    texts = [text.get_text() for text in figure_of_confusion(confusion, CAMVID11.classes).axes[0].texts]
    assert texts.count("absent") == 10 and "100" in texts


def test_the_other_figures_can_be_drawn(tmp_path):
    image = np.zeros((8, 16, 3), np.uint8)
    mistakes = figure_of_mistakes(np.eye(19, dtype=int)[:, ::-1], CITYSCAPES.classes)
    shares = class_shares(np.arange(19) + 1, CITYSCAPES)
    for figure in (mistakes, shares, legend(CITYSCAPES), picture_grid([{"a": image, "b": image}], ["row"])):
        assert plots.save(figure, tmp_path, "figure")[0].stat().st_size > 1000


def test_nothing_to_draw_and_unknown_names(tmp_path, results):
    with pytest.raises(RunError, match="no finished run"):
        plots.draw(results=tmp_path / "empty", figures=tmp_path)
    with pytest.raises(ConfigError, match="did you mean class_iou"):
        plots.draw(["class_iuo"], results, tmp_path)
