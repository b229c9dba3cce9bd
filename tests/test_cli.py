"""The command line: each verb, and one clear line for each mistake."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from seglab import cli, runs
from seglab.config import Experiment, from_dict
from seglab.metrics.intervals import CAVEAT


@pytest.fixture
def run(capsys):
    """Calls the command line; returns exit code, standard output and standard error."""

    def run(*arguments):
        code = None
        try:
            code = cli.main([str(argument) for argument in arguments])
        except SystemExit as stop:  # the parser's own answers: help, unknown verbs
            code = stop.code or 0
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture(scope="module")
def trained(request, scenes, tmp_path_factory):
    """A run folder made by `seglab train` itself."""
    folder = tmp_path_factory.mktemp("cli") / "run"
    overrides = [
        f"data.root={scenes}", "data.input_size=null", "training.epochs=1", "training.batch_size=3",
        "training.precision=fp32", "training.memory_format=contiguous",
        "model.options={widths: [4, 4], repetitions: 0, block: basic}",
    ]  # fmt: skip
    with contextlib.redirect_stdout(None):
        assert cli.main(["train", "minihrnet_a3", *overrides, "--out", str(folder)]) == 0
    return folder


def test_help_names_every_verb(run):
    code, out, _ = run("--help")
    assert code == 0
    verbs = "train evaluate compare predict models import data submit figures tables report notebooks"
    verbs += " study lab test"
    for verb in verbs.split():
        assert verb in out
        code, text, _ = run(verb, "--help")
        assert code == 0 and "usage: seglab" in text


def test_no_arguments_show_the_help(run):
    assert run()[1].startswith("usage: seglab")


def test_show_prints_what_train_would_do(run):
    code, out, _ = run("train", "minihrnet_a3", "optimizer.lr=5e-4", "--data", "camvid", "--show")
    assert code == 0 and "lr: 0.0005" in out and "name: camvid" in out


@pytest.mark.parametrize(
    ("recipe", "changed", "hints"),
    [
        ("miniunet", "optimizer.lr=1", ["('frozen', 'unfrozen', 'full size')", "phases[2].lr=VALUE"]),
        ("miniunet", "optimizer.weight_decay=1", ["('full size')", "say phases[2].weight_decay=VALUE as"]),
        ("miniunet", "data.input_size=[64, 64]", ["('frozen', 'unfrozen')", "phases[0].input_size=VALUE"]),
        ("erfnet", "loss.log_offset=2", ["phases[0].loss.log_offset=VALUE", "phases[0].loss=null"]),
    ],
)
def test_a_change_that_would_not_reach_a_phase_is_refused(run, monkeypatch, recipe, changed, hints):
    for work in ("loop.train", "lr_range.find_lr"):
        monkeypatch.setattr(f"seglab.trainers.{work}", lambda *_, **__: pytest.fail("it began"))
    for verb in ("train", "lr-find"):
        code, _, err = run(verb, recipe, changed)
        assert code == 2 and err.startswith(f"seglab: {changed.split('=')[0]}: phases with their own ")
        assert err.count("\n") == 1 and all(hint in err for hint in hints)


@pytest.mark.parametrize(
    "words",
    [
        ["miniunet", "optimizer.lr=1", *(f"phases[{n}].lr={v}" for n, v in enumerate(("1", "null", "0.5")))],
        ["miniunet", "optimizer.lr=1", "phases=[]"],
        ["miniunet", "loss.class_weights=inverse"],  # no phase has its own
        ["erfnet", "optimizer.lr=1"],
        ["erfnet", "loss.log_offset=2", "phases[0].loss=null"],
        ["erfnet", "loss.log_offset=2", "phases[0].loss.log_offset=3"],
    ],
)
def test_a_change_that_reaches_all_phases_is_made(run, words):
    assert run("train", *words, "--show")[0] == 0


def test_show_and_a_mistyped_recipe_do_not_wait_for_torch():
    program = "import sys; from seglab import cli; code = cli.main(sys.argv[1:])"
    program += "; sys.exit(9 if 'torch' in sys.modules else code)"
    for words, expected in ((["minihrnet_a3", "--show"], 0), (["minihrnot"], 2)):
        done = subprocess.run([sys.executable, "-c", program, "train", *words], capture_output=True)
        assert done.returncode == expected, done.stderr


def test_train_from_a_recorded_config_repeats_the_run(run, trained, tmp_path):
    code, out, _ = run("train", "--config", trained / "config.yaml", "--out", tmp_path / "again")
    assert code == 0 and "val: mean IoU" in out
    for name in ("confusion_val.csv", "confusion_test.csv", "config.yaml"):
        assert (tmp_path / "again" / name).read_bytes() == (trained / name).read_bytes()


def test_evaluate_prints_each_class_and_the_recorded_mean(run, trained):
    code, out, _ = run("evaluate", trained)
    mean = runs.read_summary(trained)["scores"]["val"]["mean_iou"]
    assert code == 0 and "traffic light" in out and f"{100 * mean:.2f}%" in out
    assert out.splitlines()[-1] == CAVEAT and "frames of one video are not" in CAVEAT


def test_predict_writes_mask_and_overlay_at_the_picture_size(run, trained, tmp_path):
    picture = tmp_path / "street.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 70, 3), dtype=np.uint8)).save(picture)
    code, out, _ = run("predict", picture, "--run", trained, "--out", tmp_path / "out")
    assert code == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"street_mask.png", "street_overlay.png"}
    with Image.open(tmp_path / "out" / "street_mask.png") as mask:
        assert mask.size == (70, 50)
    assert out.split() == [str(tmp_path / "out" / f"street_{kind}.png") for kind in ("mask", "overlay")]
    code, _, err = run("predict", picture, "--run", trained, "--out", tmp_path / "out")
    assert code == 5 and "not overwritten" in err


def test_predict_writes_what_is_asked_for(run, trained, tmp_path):
    (tmp_path / "streets").mkdir()
    Image.fromarray(np.zeros((50, 70, 3), np.uint8)).save(tmp_path / "streets" / "a.png")
    arguments = ["--run", trained, "--out", tmp_path / "out", "--write", "ids", "index", "--tile", "48x64"]
    code, out, err = run("predict", tmp_path / "streets", *arguments)
    assert code == 0, err
    assert [Path(line).name for line in out.split()] == ["a_ids.png", "a_index.png"]


def test_evaluate_in_another_way_has_a_record_of_its_own_to_compare(run, trained):
    code, out, err = run("evaluate", trained, "--split", "test", "--multi-scale", "--tile", "64x96")
    assert code == 0 and "mean of" in out, err
    folder = trained / "evaluations" / "test-scales0.5-0.75-1-1.25-1.5-1.75-flip-tile64x96"
    assert runs.read_summary(folder)["inference"]["tile"] == [64, 96]
    assert run("evaluate", trained, "--split", "test")[0] == 0
    code, out, err = run("compare", trained, folder)
    assert code == 0 and "traffic light" in out and "95 % interval" in out, err
    assert out.splitlines()[-1] == CAVEAT
    expected = 100 * runs.read_summary(folder)["scores"]["test"]["mean_iou"]
    base = 100 * runs.read_summary(trained)["scores"]["test"]["mean_iou"]
    mean = next(line.split() for line in out.splitlines() if line.startswith("mean"))
    assert float(mean[1]) == round(base, 2)
    assert float(mean[2].rstrip("*")) == pytest.approx(expected - base, abs=0.006)


def test_models_lists_the_registry(run):
    code, out, _ = run("models")
    assert code == 0 and "minihrnet_a3" in out and "9,545,035" in out


def test_models_counts_and_saves_what_each_network_costs(run, monkeypatch, tmp_path):
    monkeypatch.setattr("seglab.analysis.cost_table.list_models", lambda: ["erfnet", "segsmall"])
    code, out, _ = run("models", "--cost", "64x128", "--save", tmp_path / "models")
    assert code == 0 and "GMACs" in out
    records = [json.loads(path.read_text()) for path in sorted((tmp_path / "models").iterdir())]
    assert [record["name"] for record in records] == ["erfnet", "segsmall"]
    assert records[0]["input_size"] == [64, 128] and f"{records[0]['params']:,}" in out


def test_recipes_and_data_are_listed(run, monkeypatch):
    monkeypatch.delenv("SEGLAB_DATA", raising=False)
    assert "Mini-HRNet" in run("recipes")[1]
    code, out, _ = run("data", "list")
    assert code == 0 and "street_scenes" in out and "SEGLAB_DATA" in out


def test_data_check_gives_a_verdict_and_an_exit_code(run, monkeypatch, tmp_path):
    rng = np.random.default_rng(0)
    drives = {"train": ("0001TP_1", "0006R0_1"), "val": ("0016E5_1",), "test": ("0001TP_2", "Seq05VD_1")}
    for split, names in drives.items():
        for name in names:
            for folder, pixels in (
                (split, rng.integers(0, 255, (40, 50, 3), dtype=np.uint8)),
                (f"{split}annot", rng.integers(0, 12, (40, 50), dtype=np.uint8)),
            ):
                (tmp_path / "CamVid" / folder).mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(tmp_path / "CamVid" / folder / f"{name}.png")
    monkeypatch.setenv("SEGLAB_DATA", str(tmp_path))
    code, out, _ = run("data", "check", "camvid")
    assert code == 0 and "camvid test: 2 pairs, 0 problems" in out
    (tmp_path / "CamVid" / "valannot" / "0016E5_1.png").write_bytes(b"no picture")
    code, out, err = run("data", "check", "camvid", "--out", tmp_path / "report.json")
    assert code == 6 and "valannot" in out and "1 errors" in err
    record = json.loads((tmp_path / "report.json").read_text())
    assert [f["kind"] for f in record["findings"]] == ["pair", "recording"]


@pytest.mark.parametrize(
    ("arguments", "code", "parts"),
    [
        (["train"], 2, ["RECIPE", "minihrnet_a3", "--config"]),
        (["train", "minihrnot"], 2, ["'minihrnot'", "did you mean"]),
        (["train", "minihrnet_a3", "optimizr.lr=1"], 2, ["optimizr", "did you mean optimizer"]),
        (["train", "minihrnet_a3", "optimizer.lr=fast"], 2, ["optimizer.lr", "'fast'", "a number"]),
        (["train", "minihrnet_a3", "data.root=/nowhere"], 6, ["/nowhere"]),
        (["train", "minihrnet_a3", "--data", "camvid"], 6, ["SEGLAB_DATA", "CamVid", "trainannot"]),
        (["train", "--config", "/nowhere.yaml"], 2, ["/nowhere.yaml"]),
        (["train", "--resume", "/nowhere"], 5, ["/nowhere", "config.yaml"]),
        (["train", "minihrnet_a3", "--resume", "/nowhere"], 2, ["--resume"]),
        (["train", "--resume", "/nowhere", "--seed", "1"], 2, ["--resume"]),
        (["train", "--config", "/nowhere.yaml", "--seed", "1"], 2, ["--seed", "--config"]),
        (["evaluate", "/nowhere"], 5, ["/nowhere"]),
        (["evaluate", "/nowhere", "--tile", "512"], 2, ["--tile", "HEIGHTxWIDTH"]),
        (["evaluate", "/nowhere", "--tile", "8x8"], 2, ["tile", "32"]),
        (["evaluate", "/nowhere", "--average", "logits"], 2, ["--average", "--multi-scale"]),
        (["compare", "/nowhere", "/elsewhere"], 5, ["/nowhere", "config.yaml"]),
        (["predict", "/nowhere.png", "--run", "/nowhere", "--out", "x"], 6, ["/nowhere.png"]),
        (["predict", "--run", "/nowhere", "--out", "x"], 2, ["pictures", "--webcam"]),
        (["predict", "a.png", "--webcam", "0", "--run", "/nowhere", "--out", "x"], 2, ["--webcam"]),
        (["models", "--cost", "512"], 2, ["--cost", "HEIGHTxWIDTH"]),
        (["models", "--save", "x"], 2, ["--save", "--cost HEIGHTxWIDTH"]),
        (["data", "make", "camvid"], 2, ["camvid", "street_scenes"]),
        (["data", "list", "kitti"], 2, ["kitti", "cityscapes"]),
        (["figures", "--results", "/nowhere"], 5, ["/nowhere"]),
        (["report", "--results", "/nowhere", "--out", "report.xyz"], 2, ["report.xyz", ".pdf", "--html"]),
        (["notebooks", "check", "99"], 2, ["99", "03_train_minihrnet"]),
    ],
)
def test_a_mistake_is_one_line_and_an_exit_code(run, monkeypatch, arguments, code, parts):
    monkeypatch.delenv("SEGLAB_DATA", raising=False)
    found, _, err = run(*arguments)
    assert found == code
    assert err.startswith("seglab: ") and err.count("\n") == 1
    for part in parts:
        assert part in err


def test_a_range_test_that_cannot_be_kept_takes_no_step(run, monkeypatch, tmp_path):
    monkeypatch.setattr("seglab.trainers.lr_range.find_lr", lambda *_, **__: pytest.fail("it took steps"))
    (tmp_path / "file").touch()
    code, _, err = run("lr-find", "minihrnet_a3", "--out", tmp_path / "file" / "x")
    assert code == 4 and "cannot be made" in err
    code, _, err = run("lr-find", "minihrnet_a3", "--out", tmp_path)
    assert code == 5 and "exists already" in err and "--resume" not in err


def test_a_full_disk_is_one_line_too(run, monkeypatch, trained, tmp_path):
    def full(*arguments):
        raise OSError(28, "No space left on device", "figure.png")

    monkeypatch.setattr("seglab.plots.save", full)
    code, _, err = run("figures", "--results", trained.parent, "--out", tmp_path)
    assert (code, err) == (4, "seglab: figure.png: No space left on device\n")


def test_an_interruption_says_so(run, monkeypatch):
    def interrupted(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.app, "cli", interrupted)
    assert run("models") == (130, "", "seglab: interrupted\n")


def readme_commands():
    block = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    lines = [line.split("#")[0].split() for line in block.splitlines() if line.startswith("    seglab ")]
    return [words[1:] for words in lines]


@pytest.mark.parametrize("words", [w for w in readme_commands() if w[0] == "train" and "--resume" not in w])
def test_trainings_of_the_readme_can_start(run, words, monkeypatch):
    code, out, err = run(*words, "--show")
    assert code == 0, err
    experiment = from_dict(Experiment, yaml.safe_load(out))
    monkeypatch.chdir(Path(__file__).parents[1])
    results = runs.workspace() / "results"
    folder = runs.default_folder(experiment)
    assert not (folder.is_relative_to(results) and folder.exists())


def test_commands_of_the_readme_exist(run):
    for words in readme_commands():
        assert run(words[0], "--help")[0] == 0


def test_debug_shows_the_traceback():
    with pytest.raises(ValueError, match="/nowhere"):
        cli.main(["evaluate", "/nowhere", "--debug"])


@pytest.mark.parametrize(
    "arguments", [["trian"], ["train", "minihrnet_a3", "--profile", "fast"], ["evaluate"]]
)
def test_unknown_verbs_and_choices_exit_with_2(run, arguments):
    assert run(*arguments)[0] == 2
