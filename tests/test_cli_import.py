"""`seglab import`: from the authors' file to weights under our names."""

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from seglab import cli
from seglab.models import create_model
from seglab.models.hrnet import original_key

NAME = "hrnetv2_w18_small_v1"


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


def test_weights_arrive_under_our_names(model, checkpoint, tmp_path, capsys):
    out = tmp_path / "new" / "weights.safetensors"
    code = cli.main(["import", str(checkpoint), "--as", NAME, "--classes", "3", "--out", str(out)])
    total = len(model.state_dict())
    first, second = capsys.readouterr().out.splitlines()
    assert code == 0 and second == str(out)
    assert f"{total} of {total} tensors of {NAME} loaded (100.0%)" in first
    assert "not used: loss.criterion.weight" in first

    with safe_open(out, "pt") as file:
        assert file.metadata() == {"model": NAME, "num_classes": "3"}
    imported = create_model(NAME, 3).eval()
    imported.load_state_dict(load_file(out))
    image = torch.randn(1, 3, 32, 64)
    assert torch.equal(imported(image), model(image))


def test_the_file_is_named_after_the_network_and_never_overwritten(checkpoint, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    command = ["import", checkpoint.name, "--as", NAME, "--classes", "3"]
    assert cli.main(command) == 0
    written = (tmp_path / f"{NAME}.safetensors").read_bytes()
    assert cli.main(command) == 7
    assert "not overwritten" in capsys.readouterr().err
    assert (tmp_path / f"{NAME}.safetensors").read_bytes() == written


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (["--as", NAME], 7, "is 3x240x1x1 instead of 19x240x1x1"),  # the published number of classes
        (["--as", "hrnetv2_w18_small_v2", "--classes", "3"], 7, "tensors are missing"),
        (["--as", "hrnet_w18_small_v1"], 2, f"did you mean {NAME}"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(checkpoint, tmp_path, capsys, arguments, code, part):
    out = tmp_path / "weights.safetensors"
    assert cli.main(["import", str(checkpoint), *arguments, "--out", str(out)]) == code
    err = capsys.readouterr().err
    assert part in err and err.count("\n") == 1
    assert not out.exists()
