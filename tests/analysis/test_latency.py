"""The measurement is fair and says what it measured; how long something takes decides nothing here."""

import pytest
import torch
from torch import nn

from seglab.analysis import latency as module
from seglab.analysis.latency import latency
from seglab.errors import ConfigError
from seglab.evaluation.execution import Execution


def test_networks_take_turns_and_the_warm_up_is_not_counted(monkeypatch):
    calls = []

    class Network(nn.Module):
        def forward(self, image):
            calls.append((self.name, tuple(image.shape), self.training, torch.is_inference_mode_enabled()))

    networks = {}
    for name in ("a", "b"):
        networks[name] = Network()
        networks[name].name = name
    # Start and end of each pass: 9 s each in the warm-up; then a needs 1, 2, 3 and b 4, 4, 8 s.
    durations = [9, 9, 1, 4, 2, 4, 3, 8]
    clock = iter([time for duration in durations for time in (0, duration)])
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(clock))
    execution = Execution(torch.device("cpu"))
    table = latency(networks, (32, 64), execution, batch=2, repeats=3, warmup=1).set_index("model")

    assert calls == [(name, (2, 3, 32, 64), False, True) for name in "abababab"]
    assert list(table["median_ms"]) == [2000, 4000]
    # Linear between the sorted values: 0.95 lies at nine tenths from the second to the third.
    assert list(table["p95_ms"]) == pytest.approx([2900, 7600])
    row = table.loc["a"]
    assert list(row[["precision", "memory_format", "batch", "repeats"]]) == ["fp32", "contiguous", 2, 3]
    assert row["threads"] == torch.get_num_threads() and row["device"]


def test_graphs_are_for_gpus_alone():
    with pytest.raises(ConfigError, match="cuda_graphs: got true for a processor"):
        latency({}, (32, 64), Execution(torch.device("cpu")), cuda_graphs=True)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_recorded_pass_computes_what_the_plain_one_does(precision):
    """The network writes what it computes into a tensor of its own, which the replays overwrite."""

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Conv2d(3, 4, 3, padding=1)
            self.seen = torch.zeros(1, 4, 32, 64, device="cuda")
            self.passes = torch.zeros((), device="cuda")

        def forward(self, image):
            self.seen.copy_(self.inner(image))
            self.passes += 1

    network, execution = Network(), Execution(torch.device("cuda", 0), precision)
    latency({"a": network}, (32, 64), execution, repeats=1, warmup=0)
    plain = network.seen.clone()
    network.seen.zero_()
    network.passes.zero_()
    table = latency({"a": network}, (32, 64), execution, repeats=3, warmup=2, cuda_graphs=True)
    assert torch.equal(network.seen, plain) and table["cuda_graphs"].all()
    assert network.passes == 3 + 5  # before the recording, which computes nothing, and the replays
