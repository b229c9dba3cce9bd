"""The authors' checkpoints load completely or not at all."""

import pickle
from pathlib import Path

import pytest
import torch

from seglab.errors import CheckpointError, ConfigError
from seglab.models import create_model
from seglab.models.minihrnet import original_key
from seglab.models.originals import load_original

NAME = "hrnetv2_w18_small_v1"


def save(content, folder: Path) -> Path:
    path = folder / "released.pth"
    torch.save(content, path)
    return path


@pytest.mark.parametrize(
    ("name", "prefix", "wrapper"),
    [
        ("minihrnet_a3", "", None),
        ("segsmall", "", None),
        ("segsmall", "module.", "state_dict"),
        ("erfnet", "module.", None),
        ("miniunet", "module.", None),
        (NAME, "model.", None),
        (NAME, "module.model.", "state_dict"),
    ],
)
def test_reads_what_the_authors_write(name, prefix, wrapper, original_state, tmp_path):
    state = original_state(name)
    content = {prefix + key: value for key, value in state.items()}
    if wrapper:
        content = {"epoch": 3, wrapper: content, "optimizer": {"lr": 0.1}}
    model, report = load_original(name, save(content, tmp_path))

    assert not model.training
    assert (report.matched, report.initial) == (report.total, ())
    assert f"{report.total} of {report.total} tensors of {name} loaded (100.0%)" in str(report)
    unused = ("encoder.output_conv.bias", "encoder.output_conv.weight") if name == "segsmall" else ()
    assert report.unused == unused
    assert all(key in str(report) for key in unused)
    # As multisets of values, all weights arrived.
    ours = sorted(value.double().sum().item() for value in model.state_dict().values())
    theirs = sorted(value.double().sum().item() for key, value in state.items() if key not in unused)
    assert ours == theirs


def test_reads_an_imagenet_classifier_of_hrnet(original_state, tmp_path):
    state = {key: value for key, value in original_state(NAME).items() if not key.startswith("last_layer.")}
    state |= {
        "incre_modules.0.0.conv1.weight": torch.zeros(2, 2, 1, 1),
        "classifier.weight": torch.zeros(3, 3),
    }
    model, report = load_original(NAME, save(state, tmp_path))
    assert torch.equal(model.stem[0].conv.weight, state["conv1.weight"])
    assert report.matched == len(state) - 2
    assert {key.split(".")[0] for key in report.initial} == {"head"}
    assert "left at their start: head." in str(report) and "not used: classifier.weight" in str(report)


def test_reads_files_from_before_batch_counters(original_state, tmp_path):
    state = {key: value for key, value in original_state("erfnet").items() if "num_batches" not in key}
    _, report = load_original("erfnet", save(state, tmp_path))
    assert report.matched == len(state)
    assert all(key.endswith("num_batches_tracked") for key in report.initial)


def test_number_of_classes_is_the_files(tmp_path):
    model = create_model("minihrnet_a3", 3, repetitions=0, widths=[8, 8])
    path = save({original_key(key): value for key, value in model.state_dict().items()}, tmp_path)
    loaded, _ = load_original("minihrnet_a3", path, 3, repetitions=0, widths=[8, 8])
    assert torch.equal(loaded.head[1].weight, model.head[1].weight)
    with pytest.raises(
        CheckpointError, match=r"with 19 classes: last_layer.3.weight is 3x16x1x1 instead of 19x"
    ):
        load_original("minihrnet_a3", path, repetitions=0, widths=[8, 8])


def test_refuses_missing_and_extra_tensors(original_state, tmp_path):
    state = original_state(NAME)
    del state["conv2.weight"]
    with pytest.raises(CheckpointError, match=r"1 of its tensors are missing \(conv2.weight\)"):
        load_original(NAME, save(state, tmp_path))
    state = original_state(NAME) | {"ocr_head.weight": torch.zeros(1)}
    with pytest.raises(CheckpointError, match=r"1 tensors are unknown \(ocr_head.weight\)"):
        load_original(NAME, save(state, tmp_path))


def test_refuses_another_network(original_state, tmp_path):
    path = save(original_state("miniunet"), tmp_path)
    with pytest.raises(
        CheckpointError, match=r"released.pth is not a checkpoint of erfnet .* missing .* unknown"
    ):
        load_original("erfnet", path)


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("write", [torch.save, lambda bomb, path: path.write_bytes(pickle.dumps(bomb))])
def test_runs_no_code_from_a_checkpoint(write, tmp_path):
    path, crater = tmp_path / "evil.pth", tmp_path / "crater"
    write({"conv1.weight": Bomb(crater)}, path)
    with pytest.raises(CheckpointError, match=r"evil.pth: damaged, or holds more than tensors") as refusal:
        load_original(NAME, path)
    assert "weights_only" not in str(refusal.value)  # torch advises to open it all the same
    assert not crater.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "bad.pth"),
        (b"PK\x03\x04" + bytes(100), "cannot be read"),
    ],
)
def test_refuses_damaged_files(content, message, tmp_path):
    path = tmp_path / "bad.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        load_original(NAME, path)


def test_refuses_what_is_not_a_dict_of_tensors(tmp_path):
    with pytest.raises(CheckpointError, match="holds list"):
        load_original(NAME, save([torch.zeros(1)], tmp_path))
    with pytest.raises(CheckpointError, match="entry 'epoch' is int"):
        load_original(NAME, save({"epoch": 3}, tmp_path))
    with pytest.raises(CheckpointError, match="no such file"):
        load_original(NAME, tmp_path / "absent.pth")
    with pytest.raises(ConfigError, match="did you mean erfnet"):
        load_original("erfnett", tmp_path / "absent.pth")
