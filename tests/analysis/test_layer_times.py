"""Which layers are timed, what they move, and that the clock is read where it should be."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from seglab.analysis import layer_times as module
from seglab.analysis.complexity import complexity
from seglab.analysis.layer_times import BETWEEN, KINDS, layer_kind, layer_times
from seglab.evaluation.execution import Execution
from seglab.models import SegmentationModel, create_model
from seglab.plots.style import LAYER_KINDS

CPU = Execution(torch.device("cpu"))


class Network(SegmentationModel):
    """Two layers, the second one called twice, and one that does nothing in evaluation."""

    stride = 1

    def __init__(self):
        super().__init__(num_classes=2)
        self.first = nn.Conv2d(3, 2, 3, padding=1, bias=False)
        self.again = nn.Conv2d(2, 2, 1)
        self.dropout = nn.Dropout2d(0.5)

    def native_logits(self, image):
        return self.dropout(self.again(self.again(self.first(image)))) + 1


def test_layers_their_kinds_and_what_they_move():
    table = layer_times(Network(), (32, 40), CPU, repeats=1, warmup=0).set_index("layer")
    assert list(table.index) == ["first", "again", BETWEEN]
    assert list(table["kind"]) == ["dense convolution", "pointwise convolution", "other"]
    pixels = 32 * 40
    # 3 channels in, 2 out, 54 weights; then twice 2 in, 2 out, 4 weights and 2 biases
    # between the layers: padding copies the picture, and 1 is added to 2 channels; dropout moves nothing
    assert list(table["values"]) == [5 * pixels + 54, 2 * (4 * pixels + 6), (6 + 4) * pixels]
    assert list(table["macs"]) == [54 * pixels, 2 * 4 * pixels, 0]


def test_time_is_a_median_without_the_warm_up_and_the_rest_is_between(monkeypatch):
    # In each pass the clock is read at its start, before and after each of three calls, and at its end.
    readings = []
    for first, again, between in ((50, 50, 50), (1, 2, 5), (3, 4, 1), (2, 9, 3)):
        steps = (0, between, first, 0, again, 0, again, 0)
        readings += [sum(steps[: i + 1]) for i in range(len(steps))]
    clock = iter(readings)
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(clock))
    table = layer_times(Network(), (32, 32), CPU, repeats=3, warmup=1).set_index("layer")["median_ms"]
    assert list(table) == [2000, 8000, 3000]
    assert next(clock, "read to the end") == "read to the end"


def test_a_network_is_counted_whole_and_left_as_it_was():
    model = create_model("segsmall", 5)
    table = layer_times(model, (32, 64), CPU, repeats=1, warmup=0)
    assert table["macs"].sum() == complexity(model, (32, 64)).macs
    assert set(table["kind"]) <= set(KINDS)
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in model.modules())


def test_values_of_what_is_not_a_layer():
    class Parts(Network):
        def native_logits(self, image):
            feature = F.relu(self.first(image))  # 4 values for each pixel, outside of the convolution
            half = feature[:, :, ::2, ::2]  # a view
            pooled = F.max_pool2d(feature, 2)  # 2 read for each pixel, half a one written
            half += pooled  # read, and read and written, a quarter of the pixels
            return feature.permute(0, 1, 3, 2).transpose(2, 3)

    table = layer_times(Parts(), (32, 40), CPU, repeats=1, warmup=0).set_index("layer")
    assert list(table.index) == ["first", BETWEEN]
    padding = 6
    assert table.loc[BETWEEN, "values"] == (padding + 4 + 2.5 + 6 / 4) * 32 * 40


def test_a_gpu_is_waited_for_at_every_reading_of_the_clock(monkeypatch):
    waited = []
    monkeypatch.setattr(Execution, "synchronize", lambda execution: waited.append(execution))
    layer_times(Network(), (32, 32), CPU, repeats=2, warmup=0)
    assert waited == 2 * (2 + 2 * 3) * [CPU]


def test_watching_is_not_timed(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(module.time, "perf_counter", lambda: clock[0])
    register = nn.Module.register_forward_hook

    def slowly(*arguments):
        clock[0] += 5
        return register(*arguments)

    monkeypatch.setattr(nn.Module, "register_forward_hook", slowly)
    assert layer_times(Network(), (32, 32), CPU, repeats=2, warmup=0)["median_ms"].sum() == 0
    assert clock[0] > 0


@pytest.mark.parametrize(
    ("layer", "kind"),
    [
        (nn.Conv2d(8, 8, 3, groups=8), "depthwise convolution"),
        (nn.Conv2d(8, 8, 3, groups=4), "dense convolution"),
        (nn.Conv2d(1, 8, 3), "dense convolution"),
        (nn.Conv2d(8, 8, (3, 1)), "dense convolution"),
        (nn.Conv2d(8, 4, 1), "pointwise convolution"),
        (nn.ConvTranspose2d(8, 4, 2, stride=2), "transposed convolution"),
        (nn.BatchNorm2d(8), "normalisation"),
        (nn.GroupNorm(2, 8), "normalisation"),
        (nn.ReLU(), "other"),
    ],
)
def test_kinds(layer, kind):
    assert layer_kind(layer) == kind


def test_every_kind_has_a_colour():
    assert tuple(LAYER_KINDS) == KINDS
