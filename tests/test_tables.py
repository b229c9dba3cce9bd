"""Tables in the README are what the results give."""

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from seglab import cli
from seglab.comparison import STUDY, everything, networks
from seglab.comparison import twins as plan_of_twins
from seglab.differences import ablation_differences
from seglab.errors import ConfigError
from seglab.results import MissingResults, Results
from seglab.tables import (
    FAULTS,
    TABLES,
    ablations,
    budget,
    comparison,
    faults,
    fill,
    gpu_latency,
    markdown,
    repeated,
    spread,
    tuning,
    twins,
)

ROOT = Path(__file__).parents[1]
EMPTY = "# Title\n\n<!-- table: {} -->\n<!-- end -->\n\nText.\n"


def test_committed_readme_shows_what_the_results_give():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert fill(text, Results(ROOT / "results")) == text
    assert all(f"<!-- table: {name} -->" in text for name in TABLES)


def test_a_number_edited_by_hand_is_replaced(study_results):
    for name in TABLES:
        text = fill(EMPTY.format(name), Results(study_results))
        assert fill(text, Results(study_results)) == text
        edited = text[: text.rindex("|") - 2] + "x" + text[text.rindex("|") - 1 :]
        assert edited != text and fill(edited, Results(study_results)) == text
        assert text.startswith("# Title") and text.endswith("Text.\n")


def test_an_edited_result_changes_the_table(study_results, tmp_path):
    text = fill(EMPTY.format("faults"), Results(study_results))
    copy = Path(shutil.copytree(study_results, tmp_path / "copy"))
    record = (copy / "faults.json").read_text()
    (copy / "faults.json").write_text(record.replace("40", "41", 1))
    assert fill(text, Results(copy)) != text


def test_every_fault_that_the_tests_inject_says_what_is_done():
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "faults").glob("test_*.py")]
    recorded = {number for source in sources for number in re.findall(r'"(F\d+)"', source)}
    assert set(FAULTS) == recorded and len(set(FAULTS.values())) == len(FAULTS)


def test_faults_by_hand(study_results):
    first, second = faults(Results(study_results)).to_dict("records")
    assert "killed" in first["fault"] and "disk is full" in second["fault"]
    assert second == {"fault": FAULTS["F2"], "code": "F2", "injected": 9, "survived": 8}


def test_comparison_by_hand(study_results):
    results = Results(study_results)
    table = comparison(results).set_index("network")
    assert set(table.index) == {f"`{one.name}`" for one in networks()}
    assert set(table.index[:5]) == {
        "`minihrnet_a3`", "`segsmall`", "`miniunet`", "`erfnet`", "`hrnetv2_w48`"
    }  # fmt: skip
    runs = results.runs[(results.runs["study"] == STUDY) & (results.runs["name"] == "segsmall")]
    one, two = 100 * runs["scores.test.mean_iou"]
    mean, std = (one + two) / 2, abs(one - two) / 2**0.5  # n-1 in the divisor
    assert table.loc["`segsmall`", "test mIoU (%)"] == f"{mean:.1f} ± {std:.1f}"
    assert table.loc["`segsmall`", "seeds"] == "2 of 3" and table.loc["`hrnetv2_w48`", "seeds"] == "1 of 1"
    assert "±" not in table.loc["`hrnetv2_w48`", "test mIoU (%)"]
    assert table.loc["`segsmall`", "one picture"].endswith(" ms")
    # 30 epochs of 20 s, and of 39 s of the processor
    assert list(table.loc["`segsmall`", ["training", "CPU time"]]) == ["10 min", "20 min"]
    missing = table[table["seeds"] == "0 of 3"]
    assert len(missing) == 7 and set(missing.drop(columns="seeds").to_numpy().ravel()) == {"-"}


def test_runs_of_a_gpu_are_counted_and_their_times_are_not(copy):
    for name in ("segsmall", "a3_norm_batch"):
        path = copy / STUDY / name / "seed0" / "summary.json"
        text = path.read_text().replace('"device": "cpu"', '"device": "A GPU"')
        path.write_text(text.replace('"seconds": 600.0', '"seconds": 9.0').replace("1170.0", "9.0"))
    of_networks = comparison(Results(copy)).set_index("network")
    assert list(of_networks.loc[["`segsmall`", "`erfnet`"], "runs on a GPU"]) == ["1", "0"]
    assert list(of_networks.loc["`segsmall`", ["training", "CPU time"]]) == ["10 min", "20 min"]
    changed = ablations(Results(copy)).set_index("run").loc["`a3_norm_batch`"]
    assert list(changed[["runs on a GPU", "training"]]) == ["1", "-"]


def test_twins_by_hand(study_results):
    results = Results(study_results)
    table = twins(results)
    score = results.runs.query("seed == 0").set_index(["study", "name"])["scores.test.mean_iou"] * 100
    for row, name in zip(table.to_numpy(), ("minihrnet_a3", "erfnet", "segsmall", "miniunet"), strict=True):
        here, there = score[STUDY, name], score["camvid_gpu", name]
        assert list(row) == [f"`{name}`", f"{here:.1f}", f"{there:.1f}", f"{there - here:+.1f}"]


def test_times_of_a_gpu_stand_beside_each_other(copy):
    results = Results(copy)
    first = results.gpu_latency.iloc[0]
    row = gpu_latency(results).set_index("network").loc[f"`{first['model']}`"]
    assert row["512x1024, fp32, one by one (ms)"] == f"{first['median_ms']:.1f}"
    assert row["GMACs at 512x1024"] == f"{first['macs'] / 1e9:.1f}" and len(row) == 1 + 2 * 2 * 2
    path = copy / "benchmarks" / "gpu_latency.csv"
    # One size, and one network for which a time is missing.
    results.gpu_latency.query("height == 512").iloc[1:].to_csv(path, index=False)
    assert gpu_latency(Results(copy)).set_index("network").loc[row.name, "fp32, one by one (ms)"] == "-"
    results.gpu_latency.iloc[:0].to_csv(path, index=False)
    with pytest.raises(MissingResults, match=r"`python benchmarks/gpu_latency\.py --save`"):
        gpu_latency(Results(copy))


def test_comparison_without_times_has_a_dash(study_results, tmp_path):
    copy = Path(shutil.copytree(study_results, tmp_path / "copy"))
    (copy / STUDY / "latency.csv").unlink()
    for path in (copy / STUDY).glob("*/*/summary.json"):  # as the first runs were recorded
        path.write_text(path.read_text().replace("cpu_seconds", "other"))
    table = comparison(Results(copy))
    assert set(table["one picture"]) == set(table["CPU time"]) == {"-"}


def test_ablations_are_differences_from_the_mean_of_approach_3(study_results):
    results = Results(study_results)
    table = ablations(results).set_index("run")
    means = 100 * results.ablations.groupby("name")["scores.test.mean_iou"].mean()
    difference = means["a3_norm_batch"] - means["minihrnet_a3"]
    assert table.index[0] == "`minihrnet_a3`" and table.loc["`minihrnet_a3`", "difference"] == "-"
    assert table.loc["`a3_norm_batch`", "difference"] == f"{difference:+.1f}"
    interval = 100 * ablation_differences(results).loc["a3_norm_batch", ["low", "high"]]
    assert table.loc["`a3_norm_batch`", "95 % interval"] == "{:+.1f} to {:+.1f}".format(*interval)
    columns = ["seeds", "test mIoU (%)", "difference", "95 % interval"]
    assert list(table.loc["`a3_streams_3`", columns]) == ["0 of 1", "-", "-", "-"]


def test_tuning_marks_the_rate_that_is_used(study_results):
    table = tuning(Results(study_results))
    assert list(table["learning rate"]) == ["0.001", "0.002", "0.004"]
    assert list(table["used"]).count("yes") == 1
    mean = Results(study_results).tuning.iloc[0, :3].mean()
    assert table["mean"].iloc[0] == f"{100 * mean:.1f}"


def test_budget_counts_runs_and_adds_their_time(study_results, tmp_path):
    table = budget(Results(study_results)).set_index("study")
    made = Results(study_results).runs
    total, planned = table.loc["**all**"], len(everything()) + len(plan_of_twins())
    assert total["runs"] == str(len(made))
    assert total["missing"] == f"{planned - len(made)} of {planned}"
    there = made[made["study"] == "camvid_gpu"]
    here = made.drop(there.index)
    assert len(there) and total["runs on a GPU"] == str(len(there))
    assert total["hours on a processor"] == f"{here['time.seconds'].sum() / 3600:.1f}"
    assert total["CPU hours, all threads"] == f"{here['time.cpu_seconds'].sum() / 3600:.1f}"
    assert total["hours on a GPU"] == f"{there['time.seconds'].sum() / 3600:.1f}"
    assert list(table.loc["`camvid_gpu`", ["hours on a processor", "CPU hours, all threads"]]) == ["0.0", "-"]
    copy = Path(shutil.copytree(study_results, tmp_path / "copy"))
    path = copy / STUDY / "erfnet" / "seed0" / "summary.json"
    path.write_text(path.read_text().replace("cpu_seconds", "other"))
    cell = f"`{STUDY}`", "CPU hours, all threads"
    number = (made["study"] == STUDY).sum() - 1
    assert budget(Results(copy)).set_index("study").loc[cell].endswith(f"({number} runs)")
    for path in (copy / STUDY).glob("*/*/summary.json"):
        if path.parent != copy / STUDY / "segsmall" / "seed0":
            path.write_text(path.read_text().replace("cpu_seconds", "other"))
    assert budget(Results(copy)).set_index("study").loc[cell].endswith(" (1 run)")


def test_repeated_runs_say_what_was_the_same(study_results):
    (row,) = repeated(Results(study_results)).to_dict("records")
    assert row["run"] == f"`{STUDY}/erfnet/seed0`" and row["epochs"] == "30"
    assert row["history"] == "same" and row["weights"] == "-"
    assert row["confusion matrices"] == "test: 7 of 9 pixels counted otherwise"
    assert row["code"].endswith(", c0ffee")


def test_numbers_stand_to_the_right():
    table = pd.DataFrame({"a": ["`x`"], "b": ["+1.0"], "c": ["-"], "d": ["3 of 4"], "e": ["-a"], "f": [2]})
    table["g"] = "9 of the best, and a sentence about them"
    assert markdown(table).splitlines()[1] == "| :--- | ---: | ---: | ---: | :--- | ---: | :--- |"


def test_missing_results_are_said_to_be_missing(tmp_path):
    text = fill(EMPTY.format("comparison"), Results(tmp_path))
    assert "no results for this table yet; `seglab study-full`" in text


def test_unknown_tables_and_lone_markers_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="did you mean networks"):
        fill(EMPTY.format("netwroks"), Results(tmp_path))
    for text in ("<!-- table: networks -->\n", "<!-- end -->\n"):
        with pytest.raises(ConfigError, match="or the reverse"):
            fill(text, Results(tmp_path))


def test_spread():
    assert spread([0.5]) == "50.0"
    assert spread([0.5, 0.7]) == "60.0 ± 14.1"
    assert spread([]) == "-"


def test_the_verb_writes_the_readme(study_results, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("seglab.runs.workspace", lambda: tmp_path)
    (tmp_path / "README.md").write_text(EMPTY.format("faults"), encoding="utf-8")
    assert cli.main(["tables", "--results", str(study_results)]) == 0
    assert "| F2 | 9 | 8 |" in (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "README.md" in capsys.readouterr().out
