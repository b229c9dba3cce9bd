"""Differences between networks: pooled spread of the seeds by hand, pictures as `seglab compare` has them."""

import math
import shutil
from pathlib import Path

import pandas as pd
import pytest

from seglab import runs
from seglab.differences import ablation_differences, picture_differences, seed_differences
from seglab.errors import RunError
from seglab.evaluation.compare import compare
from seglab.plots.difference_map import difference_map
from seglab.results import MissingResults, Results


def scored(**scores):
    rows = [(name, score) for name, each in scores.items() for score in each]
    return pd.DataFrame(rows, columns=["name", "s"])


def test_seed_differences_by_hand():
    pairs = seed_differences(scored(a=[0.5], b=[0.1, 0.3], c=[0.3, 0.4]), "s").set_index(["better", "worse"])
    assert list(pairs.index) == [("a", "c"), ("a", "b"), ("c", "b")]
    std = math.sqrt((0.02 + 0.005) / 2)  # sums of squares 0.02 and 0.005, one degree of freedom each
    t = 4.30265  # 97.5 % of Student's t with two degrees, from a table
    for pair, value, number in ((("a", "b"), 0.3, 1 + 1 / 2), (("c", "b"), 0.15, 1 / 2 + 1 / 2)):
        half = t * std * math.sqrt(number)
        assert pairs.loc[pair, "value"] == pytest.approx(value)
        assert pairs.loc[pair, ["low", "high"]].to_list() == pytest.approx([value - half, value + half], 1e-4)


@pytest.mark.parametrize("scores", [{"a": [0.1, 0.2]}, {"a": [0.1], "b": [0.2]}])
def test_without_a_pair_or_a_second_seed_there_is_nothing_to_say(scores):
    with pytest.raises(MissingResults, match="study-full"):
        seed_differences(scored(**scores), "s")


def test_a_change_to_approach_3_is_held_against_the_spread_of_all_networks(study_results):
    results, column = Results(study_results), "scores.test.mean_iou"
    changes = ablation_differences(results)
    assert list(changes.index) == ["a3_norm_batch", "a3_block_basic", "a3_no_augmentation"]  # as planned
    scores = results.runs.query("study == 'camvid_comparison'").groupby("name")[column]
    value = scores.get_group("a3_norm_batch").item() - scores.get_group("minihrnet_a3").mean()
    # Four networks of the fixture have two seeds each, so each is a difference away from a variance.
    pairs = [scores.get_group(name) for name in ("minihrnet_a3", "segsmall", "miniunet", "erfnet")]
    variance = sum((pair.iloc[0] - pair.iloc[1]) ** 2 / 2 for pair in pairs) / 4
    half = 2.77645 * math.sqrt(variance * (1 + 1 / 2))  # Student's t with four degrees, from a table
    row = changes.loc["a3_norm_batch"]
    assert row.to_list() == pytest.approx([value, value - half, value + half], 1e-4)


def test_without_a_second_seed_a_change_has_no_interval(study_results, tmp_path):
    copy = Path(shutil.copytree(study_results, tmp_path / "copy"))
    for folder in (copy / "camvid_comparison").glob("*/seed1"):
        shutil.rmtree(folder)
    changes = ablation_differences(Results(copy))
    assert changes["value"].notna().all() and changes[["low", "high"]].isna().all(axis=None)


def test_a_network_without_scores_changes_nothing():
    two = scored(a=[0.5, 0.6], b=[0.1, 0.3])
    pd.testing.assert_frame_equal(
        seed_differences(scored(a=[0.5, 0.6], b=[0.1, 0.3], c=[math.nan]), "s"), seed_differences(two, "s")
    )
    with pytest.raises(MissingResults, match="no run has 'other'; `seglab study-full`"):
        seed_differences(two, "other")


def test_picture_differences_are_those_of_compare(study_results):
    table = Results(study_results).comparison
    table = table[table["name"].isin(["segsmall", "erfnet"])]
    (pair,) = picture_differences(table, "test").itertuples()
    first = table[table["seed"] == 0].set_index("name")["folder"]
    found = compare(first[pair.worse], first[pair.better], "test").mean_iou
    assert pair.value > 0
    assert (pair.value, pair.low, pair.high) == (found.value, found.low, found.high)
    with pytest.raises(MissingResults, match="no two networks"):
        picture_differences(table[table["name"] == "erfnet"], "test")


def test_runs_of_other_data_are_refused(study_results, tmp_path):
    table = Results(study_results).comparison
    folders = []
    for digest in ("aa", "bb"):
        folder = Path(shutil.copytree(table["folder"].iloc[0], tmp_path / digest))
        provenance = {"data_digests": {"test": digest}}
        runs.write_summary(folder, runs.read_summary(folder) | {"provenance": provenance})
        folders.append(str(folder))
    two = pd.DataFrame({"name": ["a", "b"], "seed": [0, 0], "folder": folders})
    with pytest.raises(RunError, match="digest of test"):
        picture_differences(two, "test")


def test_the_map_marks_what_is_sure():
    pairs = seed_differences(scored(a=[0.9, 0.91], b=[0.5, 0.51], c=[0.5, 0.504]), "s")
    axes = difference_map(pairs, "title").axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["b", "c"]
    assert [text.get_text() for text in axes.texts] == ["40.0*", "40.3*", "0.3"]
