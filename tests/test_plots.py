"""Figures are drawn from stored results alone, the same bytes each time, and show what the results say."""

import hashlib
import re
import shutil
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from seglab import comparison, lr_curve, metrics, plots, render, runs, samples
from seglab.differences import ablation_differences
from seglab.errors import ConfigError, RunError
from seglab.labels import CAMVID11, CITYSCAPES, IGNORE_INDEX
from seglab.lr_curve import LrCurve
from seglab.metrics.conventions import CONVENTIONS
from seglab.plots.class_iou import figure_of_confusion
from seglab.plots.class_shares import class_shares
from seglab.plots.confusion import _percent, figure_of_mistakes
from seglab.plots.conventions import convention_scores
from seglab.plots.cost_by_part import cost_by_part
from seglab.plots.iou_vs_cost import cost_and_score, pareto_front
from seglab.plots.loss_share import loss_shares
from seglab.plots.lr_range import figure_of_curve
from seglab.plots.multi_scale_gain import gain_per_class
from seglab.plots.pictures import legend, picture_grid
from seglab.plots.point_names import name_points
from seglab.plots.style import new_figure, style, two_digits
from seglab.results import MissingResults, Results

ROOT = Path(__file__).parents[1]


def digests(paths):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


@pytest.fixture
def results(study_results):
    return Results(study_results)


@pytest.mark.parametrize("name", plots.FIGURES)
def test_figure_repeats_byte_for_byte(name, study_results, tmp_path):
    first = plots.draw([name], study_results, tmp_path / "one")
    assert [path.name for path in first] == [f"{name}.png", f"{name}.svg"]
    assert digests(first) == digests(plots.draw([name], study_results, tmp_path / "two"))


def test_committed_figures_are_what_the_results_give(tmp_path):
    pinned = re.search(r"^matplotlib==(\S+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE)[1]
    if matplotlib.__version__ != pinned:
        pytest.skip(f"figures are drawn with matplotlib {pinned}; here is {matplotlib.__version__}")
    drawn = plots.draw(results=ROOT / "results", figures=tmp_path)
    committed = [path for path in (ROOT / "figures").iterdir() if path.suffix in (".png", ".svg")]
    assert digests(drawn) == digests(committed)


def test_a_figure_changes_with_the_results(study_results, copy, tmp_path):
    before = digests(plots.draw(["class_heat_map"], study_results, tmp_path / "one"))
    path = copy / comparison.STUDY / "segsmall" / "seed0" / "confusion_test.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], "90000" + lines[1][lines[1].index(",") :], *lines[2:]]) + "\n")
    assert digests(plots.draw(["class_heat_map"], copy, tmp_path / "two")) != before


def test_what_has_no_results_is_left_out_and_said(copy, tmp_path, monkeypatch):
    for study in (comparison.STUDY, "soccer_phases", "lr_range"):
        shutil.rmtree(copy / study)
    lines = []
    without_runs = {"architectures", "cost_by_part", "class_frequencies", "loss_share"}
    for name in without_runs - {"loss_share"}:
        monkeypatch.delitem(plots.FIGURES, name)  # they take long, and one is enough
    drawn = plots.draw(results=copy, figures=tmp_path / "figures", say=lines.append)
    assert {path.stem for path in drawn} == {"loss_share"}
    assert {line.split(" is left out: ")[0] for line in lines} == set(plots.FIGURES) - {"loss_share"}
    assert all("`seglab " in line for line in lines)
    with pytest.raises(MissingResults, match="study-full"):
        plots.draw(["phases"], copy, tmp_path)


def test_unknown_names_are_refused(study_results, tmp_path):
    with pytest.raises(ConfigError, match="did you mean class_iou"):
        plots.draw(["class_iuo"], study_results, tmp_path)


def test_damaged_results_are_an_error_and_no_missing_figure(copy, tmp_path, monkeypatch):
    monkeypatch.setattr(plots, "FIGURES", {"class_heat_map": plots.FIGURES["class_heat_map"]})
    (copy / comparison.STUDY / "segsmall" / "seed0" / "confusion_test.csv").write_text("a,b\n1\n")
    with pytest.raises(RunError, match="not a square matrix"):
        plots.draw(results=copy, figures=tmp_path)


# ------------------------------------------------------------------------------------ what they show


def test_class_iou_draws_the_sum_of_the_seeds_and_each_of_them(results):
    figure = plots.class_iou(results)
    titles = [axes.get_title(loc="left").split()[0] for axes in figure.axes]
    assert titles == ["minihrnet_a3", "segsmall", "miniunet"]
    folder = results.root / comparison.STUDY / "segsmall"
    one, two = (runs.read_confusion(folder / seed, "test")[0] for seed in ("seed0", "seed1"))
    both = one + two
    union = both[3].sum() + both[:, 3].sum() - both[3, 3]
    assert figure.axes[1].patches[3].get_height() == pytest.approx(100 * both[3, 3] / union)
    assert [line.get_ydata()[3] for line in figure.axes[1].lines[1:]] == pytest.approx(
        [100 * metrics.iou(one)[3], 100 * metrics.iou(two)[3]]
    )


def test_training_curves_have_a_panel_for_each_experiment_and_a_line_for_each_seed(results):
    figure = plots.training_curves(results)
    panels = {axes.get_title(loc="left"): axes for axes in figure.axes if axes.get_title(loc="left")}
    shown = results.runs[~results.runs["study"].isin(("camvid_tuning", "camvid_gpu", "camvid_cpu"))]
    assert len(panels) == len(shown.groupby(["study", "name"]))
    axes = panels[f"segsmall\n{comparison.STUDY}, 2 seeds"]
    history = runs.read_history(results.root / comparison.STUDY / "segsmall" / "seed1")
    assert len(axes.lines) == 2
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), history["loss"])
    # None is squeezed by a study beside it that has more epochs.
    for axes in panels.values():
        assert axes.get_xlim()[1] < 1.2 * max(line.get_xdata()[-1] for line in axes.lines)


def test_heat_map_is_the_mean_over_the_seeds(results):
    figure = plots.FIGURES["class_heat_map"](results)
    shown = figure.axes[0].images[0].get_array()
    rows = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    columns = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    folder = results.root / comparison.STUDY / "erfnet"
    scores = [metrics.iou(runs.read_confusion(folder / f"seed{k}", "test")[0])[8] for k in (0, 1)]
    assert CAMVID11.classes[8] == "car"
    assert shown[rows.index("erfnet"), columns.index("car")] == pytest.approx(100 * np.mean(scores))
    assert list(shown[:, -1]) == sorted(shown[:, -1], reverse=True)


def test_names_cover_neither_points_nor_each_other():
    with style():
        figure = new_figure(120, 80)
        axes = figure.subplots()
        points = {"first": (0, 0), "second": (1, 0), "third": (1, 1), "at the edge": (11, 11)}
        axes.plot(*zip(*points.values(), strict=True), "o", ms=5)
        axes.set(xlim=(-10, 12), ylim=(-10, 12))
        name_points(axes, points, points)
        figure.draw_without_rendering()
        boxes = [text.get_window_extent() for text in axes.texts]
        centres = axes.transData.transform(list(points.values()))
    assert [text.get_text() for text in axes.texts] == list(points)
    for nth, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[nth + 1 :])
        assert not any(box.contains(*centre) for centre in centres)
        assert all(axes.get_window_extent().contains(*corner) for corner in box.corners())
        ends = np.array([[box.x0, box.y0], [box.x1, box.y1]])
        assert np.argmin([np.linalg.norm(centre - centre.clip(*ends)) for centre in centres]) == nth


def test_a_name_without_room_beside_its_point_stands_farther_away_with_a_line_to_it():
    with style():
        figure = new_figure(120, 80)
        axes = figure.subplots()
        points = {f"point {n}": (n % 3 / 2, n // 3 / 2) for n in range(9)}
        axes.plot(*zip(*points.values(), strict=True), "o", ms=5)
        axes.set(xlim=(-9, 10), ylim=(-9, 10))
        name_points(axes, points, ["point 4"])
        (text,) = axes.texts
        figure.draw_without_rendering()
        box = Text.get_window_extent(text)
        centres = axes.transData.transform(list(points.values()))
    assert text.arrow_patch is not None and not any(box.contains(*centre) for centre in centres)
    assert all(axes.get_window_extent().contains(*corner) for corner in box.corners())


def test_two_digits_are_kept_and_no_more():
    texts = [two_digits(value) for value in (0.0123, 1.26, 9.96, 12.6, 99.6)]
    assert texts == ["0.012", "1.3", "10", "13", "100"]


def test_stages_are_counted_as_in_the_papers():
    table = pd.DataFrame({"part": ["stem", "stages.0", "stages.1"], "params": 1, "macs": 1})
    one = pd.DataFrame({"part": ["cascade", "stages.0"], "params": 1, "macs": 1})
    axes = cost_by_part({"several": table, "one": one}).axes
    assert [label.get_text() for label in axes[0].get_yticklabels()] == ["stem", "stage 2", "stage 3"]
    assert [label.get_text() for label in axes[1].get_yticklabels()] == ["cascade", "stage"]


def test_shares_of_a_handful_of_answers_are_not_drawn():
    matrix = np.array([[30_000, 1], [30_000, 1]])
    assert np.isnan(_percent(matrix, 0, matrix.sum() / 10_000)[:, 1]).all()
    assert _percent(matrix, 0)[0, 1] == 50


def test_pareto_front_by_hand():
    cost = pd.Series({"a": 1, "b": 2, "c": 2, "d": 3, "e": 4})
    score = pd.Series({"a": 10, "b": 15, "c": 20, "d": 20, "e": 30})
    assert pareto_front(cost, score) == ["a", "c", "e"]  # d costs more than c for the same score


def test_the_panel_of_times_needs_times(results, copy):
    table = cost_and_score(results)
    times = results.latency.set_index("model")["median_ms"]
    assert table.loc["segsmall", "median_ms"] == times["segsmall"]
    assert len(plots.FIGURES["iou_vs_cost"](results).axes) == 3
    (copy / comparison.STUDY / "latency.csv").unlink()
    assert len(plots.FIGURES["iou_vs_cost"](Results(copy)).axes) == 2


def test_loss_shares_by_hand():
    shares = loss_shares({"pixels": [60, 30, 10], "images": [5, 5, 5], "ignored": 0})
    np.testing.assert_allclose(shares["none"], [0.6, 0.3, 0.1])
    np.testing.assert_allclose(shares["inverse"], [1 / 3] * 3, rtol=1e-6)
    roots = np.sqrt([0.6, 0.3, 0.1])
    np.testing.assert_allclose(shares["sqrt_inverse"], roots / roots.sum(), rtol=1e-6)


def test_gain_of_several_scales_is_the_mean_difference_over_the_seeds(results):
    table = gain_per_class(results)
    assert set(table.index) == {"segsmall", "minihrnet_a3"}
    gains = []
    for seed in ("seed0", "seed1"):
        folder = results.root / comparison.STUDY / "segsmall" / seed
        asked = runs.read_confusion(folder / "evaluations" / "test-scales", "test")[0]
        gains.append(metrics.iou(asked)[0] - metrics.iou(runs.read_confusion(folder, "test")[0])[0])
    assert table.loc["segsmall", "sky"] == pytest.approx(100 * np.mean(gains))


def test_conventions_score_the_matrices_of_single_pictures(results):
    table = convention_scores(results)
    assert list(table.index) == [name for name, use in CONVENTIONS.items() if use.resolution == 1]
    name = table.columns[0]
    folders = (results.root / comparison.STUDY / name).iterdir()
    seeds = [runs.read_confusion(folder, "test")[0] for folder in folders]
    ours = 100 * np.mean([metrics.mean_iou(confusion) for confusion in seeds])
    assert table.loc["whole split, absent left out", name] == pytest.approx(ours)
    # With every class in the truth, classes that are absent make no difference.
    assert table.loc["whole split, absent 0", name] == pytest.approx(ours)
    assert table.loc["whole split, void is wrong", name] < ours


def test_ablation_draws_differences_from_approach_3_with_their_intervals(results):
    axes = plots.FIGURES["ablation"](results).axes[0]
    of_study = results.runs[results.runs["study"] == comparison.STUDY]
    table = 100 * of_study.groupby("name")["scores.test.mean_iou"].mean()
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert set(names) == {"a3_norm_batch", "a3_block_basic", "a3_no_augmentation"}
    value = (table[names] - table["minihrnet_a3"]).to_numpy()
    drawn = [line.get_xdata()[0] for line in axes.lines[1:]]
    assert drawn == pytest.approx(value) and (np.diff(value) <= 0).all()
    intervals = 100 * ablation_differences(results).loc[names]
    drawn = [segment[:, 0] for segment in axes.collections[0].get_segments()]
    np.testing.assert_allclose(drawn, intervals[["low", "high"]])
    assert "hollow" not in axes.get_title(loc="left")


def test_ablation_tells_what_a_gpu_trained(copy):
    path = copy / comparison.STUDY / "a3_norm_batch" / "seed0" / "summary.json"
    path.write_text(path.read_text().replace('"device": "cpu"', '"device": "A GPU"'))
    axes = plots.FIGURES["ablation"](Results(copy)).axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    hollow = [line.get_markerfacecolor() == "white" for line in axes.lines[1:]]
    assert hollow == [name == "a3_norm_batch" for name in names]
    assert "hollow: trained on a GPU" in axes.get_title(loc="left")


def test_phases_are_shaded_where_the_recipe_changes(results):
    axes = plots.FIGURES["phases"](results).axes[0]
    history = runs.read_history(results.root / "soccer_phases" / "recipe" / "seed0")
    assert [text.get_text() for text in axes.texts] == list(dict.fromkeys(history["phase"]))
    # The first phase sees pictures of half the height and width.
    first = (history["phase"] == history["phase"].iloc[0]).sum() / 4
    assert axes.patches[0].get_x() == pytest.approx(first)


def test_range_tests_have_a_panel_each_and_three_marks(results):
    panels = plots.FIGURES["lr_range"](results).axes
    assert [axes.get_title(loc="left") for axes in panels] == [
        "minihrnet_a3\nstreet_scenes", "segsmall\nstreet_scenes"
    ]  # fmt: skip
    experiment, curve = lr_curve.read(results.root / "lr_range" / "street_scenes" / "segsmall")
    dots, mean, *marks = panels[1].lines
    np.testing.assert_array_equal(dots.get_ydata(), curve.loss)
    np.testing.assert_array_equal(mean.get_ydata(), curve.smoothed)
    rates = [curve.suggestion, curve.tenth_of_minimum, experiment.plan[0].lr]
    assert [line.get_xdata()[0] for line in marks] == rates


def test_a_range_test_without_a_descent_keeps_the_looks_of_the_other_marks():
    steps = np.arange(40)
    rising = LrCurve(10.0 ** (steps / 10 - 6), 1.0 + steps, 1.0 + steps)
    (axes,) = figure_of_curve(rising).axes
    assert rising.suggestion is None and [line.get_linestyle() for line in axes.lines[2:]] == ["--"]


def test_samples_of_two_runs_share_their_pictures_in_one_block(results):
    (block,) = plots.FIGURES["qualitative"](results).subfigs
    names = [axes.get_title() for axes in block.axes[:3]]
    rows = [axes.get_ylabel() for axes in block.axes[::3]]
    assert names == ["x", "y", "z"]
    assert rows == [
        "picture", "truth", "miniunet\nnot_frozen, seed 0", "errors", "miniunet\nrecipe, seed 0", "errors"
    ]  # fmt: skip
    kept, _ = samples.read(results.root / "soccer_phases" / "recipe" / "seed0", "test")
    errors = block.axes[3 * 5 + 1]
    np.testing.assert_array_equal(
        errors.images[0].get_array(), render.error_map(kept[1].prediction, kept[1].mask)
    )
    scored = kept[1].mask != IGNORE_INDEX
    wrong = 100 * ((kept[1].prediction != kept[1].mask) & scored).sum() / scored.sum()
    assert errors.get_xlabel() == f"{wrong:.1f} % wrong" and wrong > 10


def test_a_picture_without_a_scored_pixel_has_no_share(copy):
    for name in ("recipe", "not_frozen"):
        folder = copy / "soccer_phases" / name / "seed0"
        kept, labels = samples.read(folder, "test")
        (folder / "samples_test.npz").unlink()
        void = replace(kept[0], mask=np.full_like(kept[0].mask, IGNORE_INDEX))
        samples.write(folder, "test", [void, *kept[1:]], labels)
    (block,) = plots.FIGURES["qualitative"](Results(copy)).subfigs
    assert [axes.get_xlabel()[-7:] for axes in block.axes[9:12]] == ["-", "% wrong", "% wrong"]


def test_other_pictures_get_a_block_of_their_own(copy):
    folder = copy / "soccer_phases" / "not_frozen" / "seed0"
    kept, labels = samples.read(folder, "test")
    (folder / "samples_test.npz").unlink()
    samples.write(folder, "test", kept[:2], labels)
    blocks = plots.FIGURES["qualitative"](Results(copy)).subfigs
    assert [len(block.axes) for block in blocks] == [4 * 2, 4 * 3]


def test_confusions_are_normalised_both_ways(results):
    figure = plots.FIGURES["confusions"](results)
    recall, precision = (axes.images[0].get_array() for axes in figure.axes[:2])
    np.testing.assert_allclose(recall.sum(1), 100)
    np.testing.assert_allclose(precision.sum(0), 100)


def test_absent_class_is_said_to_be_absent():
    confusion = np.zeros((11, 11), int)
    confusion[0, 0] = 5
    texts = [text.get_text() for text in figure_of_confusion(confusion, CAMVID11.classes).axes[0].texts]
    assert texts.count("absent") == 10 and "100" in texts


def test_the_figures_of_the_notebooks_can_be_drawn(tmp_path):
    image = np.zeros((8, 16, 3), np.uint8)
    mistakes = figure_of_mistakes(np.eye(19, dtype=int)[:, ::-1], CITYSCAPES.classes)
    shares = class_shares(np.arange(19) + 1, CITYSCAPES)
    for figure in (mistakes, shares, legend(CITYSCAPES), picture_grid([{"a": image, "b": image}], ["row"])):
        assert plots.save(figure, tmp_path, "figure")[0].stat().st_size > 1000
