"""The report: every number from results, the same bytes each time, no torch and no network."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from PIL import Image

from seglab import comparison, metrics, report, runs
from seglab.differences import ablation_differences, seed_differences
from seglab.results import Results

ROOT = Path(__file__).parents[1]


@pytest.fixture
def few(study_results, tmp_path):
    """Results of one figure and one table, quickly drawn."""
    root = tmp_path / "few"
    (root / "datasets").mkdir(parents=True)
    shutil.copy(study_results / "datasets" / "soccer_scenes.json", root / "datasets")
    shutil.copy(study_results / "faults.json", root)
    return root


@pytest.fixture
def no_drawing(monkeypatch):
    """Figures are one grey pixel: how they look is tested elsewhere."""

    def draw(names, results, folder):
        path = Path(folder) / f"{names[0]}.png"
        Image.new("L", (1, 1)).save(path)
        return [path]

    monkeypatch.setattr(report, "draw", draw)


def blocks(sections, kind):
    return [block for section in sections for block in section["blocks"] if block["kind"] == kind]


def test_two_runs_give_the_same_bytes_and_another_result_others(few, tmp_path):
    report.write_pdf(few, tmp_path / "one.pdf")
    report.write_pdf(few, tmp_path / "two.pdf")
    one = (tmp_path / "one.pdf").read_bytes()
    assert one.startswith(b"%PDF") and len(one) > 20_000
    assert one == (tmp_path / "two.pdf").read_bytes()
    (few / "faults.json").write_text((few / "faults.json").read_text().replace("40", "41"))
    report.write_pdf(few, tmp_path / "three.pdf")
    assert one != (tmp_path / "three.pdf").read_bytes()


def test_a_whole_study_leaves_nothing_missing(study_results, no_drawing, tmp_path):
    sections = report.chapter(Results(study_results), tmp_path)
    assert [section["title"] for section in sections] == [
        "Question", "Method", "Data", "Results", "Discussion", "Threats to validity", "How to reproduce",
    ]  # fmt: skip
    assert blocks(sections, "missing") == []
    assert {block["file"].removesuffix(".png") for block in blocks(sections, "figure")} == set(report.FIGURES)
    assert len(blocks(sections, "table")) == len(report.TABLES) + 1  # and the protocol
    report.write_pdf(study_results, tmp_path / "report.pdf")


def test_what_is_missing_is_named_with_the_command_that_makes_it(few, tmp_path):
    sections = report.chapter(Results(few), tmp_path)
    commands = {block["command"] for block in blocks(sections, "missing")}
    assert {"seglab study-full", "seglab samples RUN", "seglab repeat RUN"} <= commands
    tables = [block["columns"] for block in blocks(sections, "table")]
    assert tables == [["fault", "code", "injected", "survived"]]


def test_findings_by_hand(study_results):
    texts = list(report.findings(Results(study_results)))
    means = {}
    for folder in (study_results / comparison.STUDY).iterdir():
        if folder.is_dir() and not folder.name.startswith("a3_"):
            matrices = [runs.read_confusion(seed, "test")[0] for seed in folder.iterdir()]
            means[folder.name] = 100 * sum(map(metrics.mean_iou, matrices)) / len(matrices)
    best, worst = max(means, key=means.get), min(means, key=means.get)
    assert texts[0].startswith(f"The best of 5 networks is `{best}` with {means[best]:.1f} %")
    assert f"`{worst}` with {means[worst]:.1f} %" in texts[0]
    column = "scores.test.mean_iou"
    table = Results(study_results).ablations
    others = 100 * table[table["name"] != "minihrnet_a3"].groupby("name")[column].mean()
    assert f"best is `{max(others.index, key=others.get)}`" in texts[-1]
    changes = ablation_differences(Results(study_results))
    chance = sum(one.low < 0 < one.high for one in changes.itertuples())
    assert "(3 of 10 are there)" in texts[-1]
    assert f"{chance} of 3 cannot be told from another seed" in texts[-1]
    assert "4 degrees of freedom" in texts[-1]  # of four networks with two seeds


def test_with_one_seed_of_each_no_change_is_told_from_chance(study_results, tmp_path):
    copy = Path(shutil.copytree(study_results, tmp_path / "copy"))
    for folder in (copy / comparison.STUDY).glob("*/seed1"):
        shutil.rmtree(folder)
    assert list(report.findings(Results(copy)))[-1].endswith("nothing here can be told from chance.")
    for name in ("a3_block_basic", "a3_norm_batch"):
        shutil.rmtree(copy / comparison.STUDY / name)
    alone = list(report.findings(Results(copy)))[-1]
    assert "the best is `a3_no_augmentation`" in alone and "worst" not in alone


def test_approach_3_is_held_against_its_control_with_the_interval_of_the_seeds():
    results = Results(ROOT / "results")
    pairs = seed_differences(results.comparison, "scores.test.mean_iou")
    names = {"minihrnet_a3", "hrnetv2_w18"}
    (pair,) = (one for one in pairs.itertuples() if {one.better, one.worse} == names)
    sign = 100 if pair.better == "minihrnet_a3" else -100
    low, high = sorted((sign * pair.low, sign * pair.high))
    (text,) = (one for one in report.findings(results) if "HRNetV2-W18" in one)
    interval = f"95 % interval over seeds {low:+.1f} to {high:+.1f}"
    assert text.endswith(f"{sign * pair.value:+.1f} points ({interval}).")


def test_every_caption_says_what_to_see():
    for function in (*report.FIGURES.values(), *report.TABLES.values()):
        text = report.caption(function)
        assert 30 < len(text) < 500 and text.endswith(".") and "Args" not in text and "\n" not in text


def test_pages_show_the_committed_outputs_and_load_nothing(tmp_path):
    pages = report.write_site(tmp_path / "site")
    index = pages[0].read_text(encoding="utf-8")
    for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")):
        assert f'href="{path.stem}.html"' in index
        page = (tmp_path / "site" / f"{path.stem}.html").read_text(encoding="utf-8")
        assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", re.sub(r"<a [^>]*>", "", page))
        assert "<script" not in page and "@import" not in page
        cells = nbformat.read(path, as_version=4).cells
        outputs = [o for cell in cells if cell.cell_type == "code" for o in cell.outputs]
        pictures = [o for o in outputs if o.get("data", {}).keys() & {"image/png", "image/jpeg"}]
        assert page.count("<img ") == len(pictures)
    again = report.write_site(tmp_path / "again")
    assert [page.read_bytes() for page in pages] == [page.read_bytes() for page in again]


def test_figures_tables_and_report_need_no_torch(few, tmp_path):
    program = (
        "import sys\n"
        "class NoTorch:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('torch', 'torchvision'):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, NoTorch())\n"
        "from seglab.cli import main\n"
        f"few, out = {str(few)!r}, {str(tmp_path)!r}\n"
        "assert main(['figures', '--results', few, '--out', out + '/figures']) == 0\n"
        "assert main(['report', '--results', few, '--out', out + '/report.pdf']) == 0\n"
        "assert main(['report', '--html', '--out', out + '/site']) == 0\n"
        "assert main(['notebooks', 'check', '01']) == 0\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
    assert (tmp_path / "figures" / "loss_share.svg").exists()
    assert (tmp_path / "report.pdf").exists() and (tmp_path / "site" / "index.html").exists()
