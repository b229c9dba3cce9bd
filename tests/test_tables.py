"""Tables in the README are what the results give."""

import re
import shutil
from pathlib import Path

import pytest

from seglab import cli
from seglab.comparison import STUDY
from seglab.errors import ConfigError
from seglab.results import Results
from seglab.tables import FAULTS, TABLES, comparison, faults, fill, spread

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
    assert set(table.index) == {
        "`minihrnet_a3`", "`segsmall`", "`miniunet`", "`erfnet`", "`hrnetv2_w48`"
    }  # fmt: skip
    runs = results.runs[(results.runs["study"] == STUDY) & (results.runs["name"] == "segsmall")]
    one, two = 100 * runs["scores.test.mean_iou"]
    mean, std = (one + two) / 2, abs(one - two) / 2**0.5  # n-1 in the divisor
    assert table.loc["`segsmall`", "test mIoU (%)"] == f"{mean:.1f} ± {std:.1f}"
    assert table.loc["`segsmall`", "seeds"] == 2 and table.loc["`hrnetv2_w48`", "seeds"] == 1
    assert "±" not in table.loc["`hrnetv2_w48`", "test mIoU (%)"]
    assert table.loc["`segsmall`", "CPU time"].endswith(" ms")


def test_comparison_without_times_has_a_dash(study_results, tmp_path):
    copy = Path(shutil.copytree(study_results, tmp_path / "copy"))
    (copy / STUDY / "latency.csv").unlink()
    assert set(comparison(Results(copy))["CPU time"]) == {"-"}


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
