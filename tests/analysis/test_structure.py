"""What is read off the modules, against the configurations as they are published."""

import pytest
import torch

from seglab.analysis.complexity import model_complexity
from seglab.analysis.structure import layer_table, output_shapes, part_table, stream_table
from seglab.errors import ConfigError
from seglab.models import create_model

HRNET = {"widths": (4, 6, 8), "units": (1, 2), "blocks": 3, "bottlenecks": 2, "bottleneck_width": 5}


def records(table):
    return [tuple(row) for row in table.itertuples(index=False)]


def test_streams_of_hrnet():
    unit = [(0, 4, 4, 3, True), (1, 8, 6, 3, True), (2, 16, 8, 3, True)]
    assert records(stream_table(create_model("hrnetv2_w48", 5, **HRNET))) == [
        (0, "stem", 0, 4, 64, 0, False),
        (1, "bottlenecks", 0, 4, 20, 2, False),
        *((2, "stage 2", *row) for row in unit[:2]),
        *((3, "stage 3", *row) for row in unit),
        *((4, "stage 3", *row) for row in unit),
        (5, "head", 0, 4, 5, 0, False),
    ]


def test_streams_of_the_cascade_run_one_after_the_other():
    model = create_model("minihrnet_a3", 5, widths=(4, 6), repetitions=1)
    assert records(stream_table(model))[2:] == [
        (2, "entry", 0, 4, 4, 0, False),
        (3, "cascade", 0, 4, 4, 4, False),
        (4, "cascade", 1, 8, 6, 4, True),
        (5, "stage", 0, 4, 4, 4, True),
        (5, "stage", 1, 8, 6, 4, True),
        (6, "head", 0, 4, 5, 0, False),
    ]


def test_a_network_without_streams_is_refused():
    with pytest.raises(ConfigError, match="SegSmall has no parallel streams"):
        stream_table(create_model("segsmall", 5))


def test_layers_stand_in_the_order_in_which_they_are_run():
    model = create_model("miniunet", 4)
    table = layer_table(model, (96, 64))
    assert list(table["layer"]) == [
        *(f"encoder.{part}" for part in range(4)),
        *("decoder.0", "laterals.2", "decoder.1", "laterals.1", "decoder.2", "laterals.0", "decoder.3"),
    ]
    assert records(table)[5] == ("laterals.2", "Conv2d", 128, 6, 4, 256 * 128 + 128)
    assert table["params"].sum() == sum(parameter.numel() for parameter in model.parameters())


def test_layers_without_parts_are_listed_wherever_they_are():
    table = layer_table(create_model("segsmall", 7), (64, 128))
    assert len(table) == 25
    assert records(table)[-1] == ("head", "ConvTranspose2d", 7, 64, 128, 16 * 7 * 4 + 7)


def test_shapes_are_those_of_a_real_forward_pass_and_the_model_stays_as_it_is():
    model = create_model("hrnetv2_w18_small_v1", 3)
    shapes = output_shapes(model, (64, 96))
    assert model.training and not model.stem._forward_hooks
    with torch.no_grad():
        stem = model.stem(torch.zeros(1, 3, 64, 96))
    assert shapes["stem"] == tuple(stem.shape) == (1, 64, 16, 24)
    assert shapes[""] == (1, 3, 64, 96)  # the logits


def test_parts_add_up_to_the_network():
    cost = model_complexity("minihrnet_a3", 5, (64, 64), widths=[4, 6], repetitions=2)
    table = part_table(cost)
    assert list(table["part"]) == ["stem", "bottlenecks", "entry", "cascade", "stages.0", "stages.1", "head"]
    assert (table["params"].sum(), table["macs"].sum()) == (cost.params, cost.macs)
