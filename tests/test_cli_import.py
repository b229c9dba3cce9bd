"""`seglab import`: from the authors' file to a run that can be evaluated."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from seglab import checkpoints, cli, runs
from seglab.evaluation.inference import InferenceConfig, load_predictor
from seglab.models import create_model, erfnet, miniunet
from seglab.models.hrnet import original_key

NAME = "hrnetv2_w18_small_v1"
GARDEN = """
name: garden
images: photos
masks: labels
classes: {soil: {id: 0}, plant: {id: 1}, stone: {id: 2}}
splits: [val]
"""


@pytest.fixture
def model():
    torch.manual_seed(0)
    return create_model(NAME, 3).eval()


@pytest.fixture
def checkpoint(model, tmp_path):
    """A file as the official training writes it."""
    path = tmp_path / "released.pth"
    state = {f"model.{original_key(key)}": value for key, value in model.state_dict().items()}
    torch.save({"state_dict": state | {"loss.criterion.weight": torch.ones(3)}}, path)
    return path


@pytest.fixture
def garden(tmp_path):
    """A data set of three classes with two pictures."""
    rng = np.random.default_rng(0)
    for folder, shape, largest in (("photos", (40, 64, 3), 256), ("labels", (40, 64), 3)):
        (tmp_path / folder / "val").mkdir(parents=True)
        for name in "ab":
            pixels = rng.integers(0, largest, shape, dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / "val" / f"{name}.png")
    (tmp_path / "garden.yaml").write_text(GARDEN)
    return tmp_path / "garden.yaml"


def test_an_imported_run_is_evaluated_and_predicts(model, checkpoint, garden, tmp_path, capsys):
    run = tmp_path / "new" / "run"
    code = cli.main(["import", str(checkpoint), "--as", NAME, "--data", str(garden), "--out", str(run)])
    total = len(model.state_dict())
    first, second = capsys.readouterr().out.splitlines()
    assert code == 0 and second == str(run)
    assert f"{total} of {total} tensors of {NAME} loaded (100.0%)" in first
    assert "not used: loss.criterion.weight" in first

    weights = checkpoints.load_weights(run)
    assert weights.keys() == model.state_dict().keys()
    assert all(torch.equal(weights[key], value) for key, value in model.state_dict().items())
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert runs.read_summary(run)["provenance"]["imported"] == {"file": "released.pth", "sha256": digest}

    assert cli.main(["evaluate", str(run)]) == 0
    assert "plant" in capsys.readouterr().out
    assert runs.read_confusion(run, "val")[0].sum() == 2 * 40 * 64
    predict = ["predict", str(garden.parent / "photos" / "val"), "--run", str(run), "--write", "index"]
    assert cli.main([*predict, "--out", str(tmp_path / "out")]) == 0
    with torch.inference_mode(), Image.open(tmp_path / "out" / "a_index.png") as index:
        data = runs.read_experiment(run).data
        with Image.open(garden.parent / "photos" / "val" / "a.png") as picture:
            image = (np.asarray(picture) / 255 - data.mean) / data.std
        answer = model(torch.from_numpy(image).float().permute(2, 0, 1)[None]).argmax(1)[0]
        assert (np.asarray(index) == answer.numpy()).mean() > 0.999  # equal logits round this or that way


def test_the_run_is_named_after_the_network_and_never_overwritten(
    checkpoint, garden, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    command = ["import", checkpoint.name, "--as", NAME, "--data", str(garden)]
    assert cli.main(command) == 0
    run = tmp_path / "runs" / "imported" / NAME
    before = {path: path.read_bytes() for path in run.iterdir()}
    assert {path.name for path in before} == {"config.yaml", "weights.safetensors", "summary.json"}
    assert cli.main(command) == 5
    assert "not overwritten" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in run.iterdir()} == before
    assert cli.main(["train", "--resume", str(run)]) == 5
    assert "has ended" in capsys.readouterr().err


def test_no_other_weights_are_read_for_an_imported_network(tmp_path):
    """The recipe of Mini-UNet begins with an encoder that is downloaded."""
    state = create_model("miniunet", 4).state_dict()
    state = {miniunet.original_key(key): value for key, value in state.items()}
    torch.save(state, tmp_path / "released.pth")
    command = ["import", str(tmp_path / "released.pth"), "--as", "miniunet", "--data", "soccer"]
    assert cli.main([*command, "--out", str(tmp_path / "run")]) == 0
    assert runs.read_experiment(tmp_path / "run").model.options == {}


def test_mini_unet_sees_what_its_authors_fed_it(tmp_path):
    """BGR in 0..255, without normalisation."""
    torch.manual_seed(0)
    model = create_model("miniunet", 4).eval()
    state = {miniunet.original_key(key): value for key, value in model.state_dict().items()}
    torch.save(state, tmp_path / "released.pth")
    command = ["import", str(tmp_path / "released.pth"), "--as", "miniunet", "--data", "soccer"]
    assert cli.main([*command, "--out", str(tmp_path / "run")]) == 0
    picture = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    with torch.inference_mode():
        fed = torch.from_numpy(picture[..., ::-1].copy()).permute(2, 0, 1)[None].float()
        logits = model(fed)[0]
    raw = replace(load_predictor(tmp_path / "run", "cpu"), inference=InferenceConfig(average="logits"))
    np.testing.assert_allclose(raw.scores(picture), logits.numpy(), rtol=1e-3, atol=1e-2)


def test_the_output_of_what_is_not_labelled_is_left_out(tmp_path, capsys):
    """ERFNet's author trains 20 outputs for Cityscapes' 19 classes."""
    model = create_model("erfnet", 20)
    state = {f"module.{erfnet.original_key(key)}": value for key, value in model.state_dict().items()}
    torch.save(state, tmp_path / "released.pth")
    command = ["import", str(tmp_path / "released.pth"), "--as", "erfnet"]
    assert cli.main([*command, "--out", str(tmp_path / "run")]) == 0
    assert "decoder.output_conv.weight, output 19" in capsys.readouterr().out
    weights = checkpoints.load_weights(tmp_path / "run")
    assert torch.equal(weights["head.weight"], model.head.weight[:, :19])
    assert torch.equal(weights["head.bias"], model.head.bias[:19])


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (["--as", NAME], 7, "is 3x240x1x1 instead of 19x240x1x1"),  # the classes of Cityscapes
        (["--as", "hrnetv2_w18_small_v2", "--data", "garden.yaml"], 7, "tensors are missing"),
        (["--as", "hrnet_w18_small_v1"], 2, f"did you mean {NAME}"),
        (["--as", NAME, "--data", "cityscape"], 2, "did you mean cityscapes"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(
    checkpoint, garden, tmp_path, monkeypatch, capsys, arguments, code, part
):
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "run"
    assert cli.main(["import", str(checkpoint), *arguments, "--out", str(run)]) == code
    err = capsys.readouterr().err
    assert part in err and err.count("\n") == 1
    assert not run.exists()
