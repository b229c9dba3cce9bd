import json

import pytest
import torch
from torch import nn

from seglab.analysis.complexity import complexity, model_complexity, write_complexity
from seglab.errors import ConfigError
from seglab.models import create_model, get_reference
from seglab.models.base import SegmentationModel


class Tiny(SegmentationModel):
    stride = 4

    def __init__(self) -> None:
        super().__init__(num_classes=5)
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.ReLU())
        self.gate = nn.Linear(4, 4)
        self.head = nn.Conv2d(4, 5, 1)
        self.aux_head = nn.Conv2d(4, 2, 1)  # training only

    def native_logits(self, image):
        feature = self.body(image)
        weight = torch.sigmoid(self.gate(feature.mean(dim=(2, 3))))
        return self.head(feature * weight[:, :, None, None])


def test_counts_by_hand():
    model = Tiny()
    cost = complexity(model, (50, 70))
    pixels = 52 * 72  # padded to the stride
    assert cost.params == 3 * 4 * 9 + (4 * 4 + 4) + (4 * 5 + 5)
    assert cost.aux_params == 4 * 2 + 2
    assert cost.macs == cost.torch_macs == pixels * (3 * 4 * 9 + 4 * 5) + 4 * 4
    assert cost.other_operations == {}
    assert cost.uncounted["aten::sigmoid"] == 1 and cost.uncounted["aten::mean"] == 1
    assert [(one.name, one.params, one.macs) for one in cost.modules_to_depth(1)] == [
        ("", cost.params, cost.macs),
        ("body", 108, pixels * 108),
        ("gate", 20, 16),
        ("head", 25, pixels * 20),
    ]
    assert model.training and not any(parameter.is_meta for parameter in model.parameters())


def test_activations_by_hand():
    class Plain(Tiny):
        def native_logits(self, image):
            return self.head(self.body(image))

    # The convolution keeps its padded input, ReLU its output, which is the head's input too.
    assert complexity(Plain(), (50, 70)).activation_bytes == 4 * (3 + 4) * 52 * 72


@pytest.mark.parametrize(
    ("name", "size", "giga_macs"),
    [
        ("minihrnet_a3", (1024, 2048), 309.4),
        ("erfnet", (512, 1024), 26.6),
        ("segsmall", (512, 1024), 10.94),
        ("miniunet", (480, 640), 13.5),
    ],
)
def test_macs_of_the_studied_networks(name, size, giga_macs):
    reference = get_reference(name)
    cost = model_complexity(name, reference.num_classes, size)
    digits = len(str(giga_macs).split(".")[1])
    assert round(cost.macs / 1e9, digits) == giga_macs
    assert cost.torch_macs == cost.macs
    assert reference.macs == pytest.approx(cost.macs, rel=5e-3) and reference.macs_input_size == size


@pytest.mark.parametrize(
    ("name", "official", "params_millions"),
    [("hrnetv2_w48", 696.2, 65.8), ("hrnetv2_w18_small_v2", 71.6, 3.9), ("hrnetv2_w18_small_v1", 31.1, 1.5)],
)
def test_official_gflops_of_hrnet_are_macs_in_units_of_2_to_the_30(name, official, params_millions):
    cost = model_complexity(name, 19, (1024, 2048))
    assert round(cost.macs / 2**30, 1) == official
    assert cost.torch_macs == cost.macs
    assert int(cost.params / 1e5) / 10 == params_millions
    assert cost.aux_params == 0


def test_aux_head_is_no_part_of_inference():
    cost = model_complexity("erfnet", 19, (64, 64))
    assert (cost.params, cost.aux_params) == (2_066_642 - 2_451, 2_451)


@pytest.mark.parametrize(
    ("name", "options"), [("minihrnet_a3", {"widths": [8, 12], "repetitions": 0}), ("miniunet", {})]
)
def test_parts_add_up(name, options):
    cost = model_complexity(name, 19, (64, 96), **options)
    whole = cost.modules[0]
    leaves = [
        one
        for one in cost.modules
        if not any(other.name.startswith(f"{one.name}.") for other in cost.modules) and one.name
    ]
    assert sum(leaf.macs for leaf in leaves) == whole.macs == cost.macs
    assert sum(leaf.params for leaf in leaves) == whole.params == cost.params


def test_refuses_a_small_size():
    with pytest.raises(
        ConfigError, match=r"input_size is \(16, 64\); allowed are heights and widths from 32"
    ):
        complexity(Tiny(), (16, 64))


def test_counts_do_not_depend_on_how_the_model_was_made():
    on_meta = model_complexity("segsmall", 4, (64, 64), structure="readme")
    assert complexity(create_model("segsmall", 4, structure="readme"), (64, 64)) == on_meta


def test_written_cost(tmp_path):
    cost = model_complexity("segsmall", 19, (33, 47), structure="readme")
    path = write_complexity(tmp_path / "models", "segsmall", 19, cost, structure="readme")
    assert path == tmp_path / "models" / "segsmall.json"
    record = json.loads(path.read_text())
    assert record["macs"] == cost.macs and record["input_size"] == [33, 47]
    assert record["options"] == {"structure": "readme"} and record["num_classes"] == 19
    assert record["reference"]["params"] == 867_266 and "2,451" in record["reference"]["gap"]
    assert max(module["name"].count(".") for module in record["modules"]) == 1
    assert set(record["versions"]) == {"seglab", "torch", "fvcore"}
