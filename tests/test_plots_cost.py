"""Figures of how networks are built and what they cost: what is drawn is what the tables say."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Rectangle

from seglab.plots import save
from seglab.plots.architecture import architecture
from seglab.plots.cost_by_kind import cost_by_kind
from seglab.plots.cost_by_part import cost_by_part
from seglab.plots.cost_growth import cost_growth
from seglab.plots.cost_latency import cost_latency
from seglab.plots.machine_times import machine_times, shares_of_largest
from seglab.plots.reach import LEAST, reach
from seglab.plots.roofline import roofline
from seglab.results import MissingResults, Results

STREAMS = pd.DataFrame(
    [
        (0, "stem", 0, 4, 64, 0, False),
        (1, "stage 2", 0, 4, 18, 4, True),
        (1, "stage 2", 1, 8, 36, 4, True),
        (2, "stage 3", 0, 4, 18, 2, True),
        (2, "stage 3", 1, 8, 36, 2, True),
        (3, "head", 0, 4, 19, 0, False),
    ],
    columns=["step", "name", "stream", "stride", "width", "blocks", "fused"],
)
PARTS = pd.DataFrame({"part": ["stem", "head"], "params": [1, 3], "macs": [9, 1]})


def lines(axes):
    """Start and end of each line as (step, stream), whole numbers."""
    return sorted(
        tuple((round(x), -round(y)) for x, y in (line.get_xydata()[0], line.get_xydata()[-1]))
        for line in axes.lines
    )


def test_architecture_draws_each_stream_and_each_exchange():
    axes = architecture({"net": STREAMS}).axes[0]
    assert axes.get_title(loc="left") == "net"
    assert [text.get_text() for text in axes.texts] == [
        "64", "18\n4 blocks", "36\n4 blocks", "18\n2 blocks", "36\n2 blocks", "19",
    ]  # fmt: skip
    assert [label.get_text() for label in axes.get_yticklabels()] == ["1/4", "1/8"]
    assert {patch.get_y() for patch in axes.patches if isinstance(patch, Rectangle)} == {-0.3, -1.3}
    assert lines(axes) == [
        ((0, 0), (1, 0)), ((0, 0), (1, 1)),  # a new stream starts from the one above it
        ((1, 0), (2, 0)), ((1, 0), (2, 1)), ((1, 1), (2, 0)), ((1, 1), (2, 1)),  # fusion
        ((2, 0), (3, 0)), ((2, 1), (3, 0)),  # the head takes in all
    ]  # fmt: skip


def test_without_a_fusion_a_stream_goes_on_alone():
    table = STREAMS.assign(fused=False)
    assert ((1, 0), (2, 1)) not in lines(architecture({"net": table}).axes[0])
    assert ((1, 1), (2, 1)) in lines(architecture({"net": table}).axes[0])


def test_cost_by_part_draws_shares_of_each_network():
    figure = cost_by_part({"one": PARTS, "two": PARTS, "three": PARTS})
    assert [axes.get_visible() for axes in figure.axes] == [True, True, True, False]
    assert [bar.get_width() for bar in figure.axes[0].patches] == [25, 75, 90, 10]


def test_cost_growth_has_a_panel_for_each_choice():
    rows = [("width", 1, 1e6, 1e9), ("width", 2, 4e6, 1e9), ("depth", 0, 2e6, 1e9)]
    table = pd.DataFrame(rows, columns=["choice", "value", "params", "macs"])
    figure = cost_growth(table)
    assert [axes.get_xlabel() for axes in figure.axes[:2]] == ["width", "depth"]
    assert list(figure.axes[0].lines[0].get_ydata()) == [1, 4]


def test_cost_latency_sorts_by_count_and_divides_it_by_time():
    table = pd.DataFrame(
        {"model": ["slow", "big"], "macs": [1e9, 8e9], "median_ms": [100, 200], "p95_ms": [120, 210]}
    )
    counted, measured, speed = cost_latency(table).axes
    assert [label.get_text() for label in counted.get_yticklabels()] == ["big", "slow"]
    assert [bar.get_width() for bar in counted.patches] == [8, 1]
    assert list(measured.lines[0].get_xdata()) == [210, 120]
    assert [bar.get_width() for bar in speed.patches] == pytest.approx([40, 10])


LAYERS = pd.DataFrame(
    [
        ("dense convolution", 8e9, 1e8, 100.0),
        ("dense convolution", 1e9, 1e8, 50.0),
        ("depthwise convolution", 1e8, 5e7, 25.0),
        ("other", 0, 0, 7.0),
    ],
    columns=["kind", "macs", "values", "median_ms"],
)


def test_cost_by_kind_stacks_the_kinds_of_each_network():
    without = LAYERS[LAYERS["kind"] != "depthwise convolution"]
    counted, _, timed = cost_by_kind({"one": LAYERS, "two": without}).axes
    assert [label.get_text() for label in counted.get_yticklabels()] == ["one", "two"]
    # dense, depthwise, other; each of one and two
    assert [bar.get_width() for bar in counted.patches] == pytest.approx([9, 9, 0.1, 0, 0, 0])
    assert [bar.get_x() for bar in timed.patches] == [0, 0, 150, 150, 175, 150]
    assert [text.get_text() for text in timed.texts] == [" 182", " 157"]


def test_roofline_is_drawn_through_the_best_layers():
    (axes,) = roofline({"erfnet": LAYERS}).axes
    dense, depthwise = (np.sort(points.get_offsets(), axis=0).tolist() for points in axes.collections)
    # multiply-adds for each number, and 10^9 of them in a second
    assert dense == [pytest.approx([10, 20]), pytest.approx([80, 80])]
    assert depthwise == [pytest.approx([2, 4])]
    # The best move 2e9 numbers a second, so the roof of 8e10 multiply-adds begins at 40 for each.
    left, ridge, right = axes.lines[0].get_xdata()
    assert left < 2 and right > 80 and ridge == pytest.approx(40)
    assert axes.lines[0].get_ydata() == pytest.approx([2 * left, 80, 80])


def test_figures_can_be_saved(tmp_path):
    assert save(architecture({"net": STREAMS}), tmp_path, "figure")[0].stat().st_size > 1000


def test_reach_is_drawn_around_its_centre_and_never_below_the_scale():
    influence = np.zeros((4, 6))
    influence[2, 3] = 1
    figure = reach({"one": influence, "two": influence}, columns=2)
    one, two, _bar = figure.axes
    assert [axes.get_title() for axes in (one, two)] == ["one", "two"]
    (picture,) = one.images
    assert picture.get_extent() == [-3, 3, 2, -2]
    assert picture.get_array().min() == LEAST and picture.get_array()[2, 3] == 1


def test_machine_times_are_shares_of_the_network_with_the_most_macs(copy):
    results = Results(copy)
    table, here, there = shares_of_largest(results)
    assert (here, there) == ("180x240, fp32", "Some GPU, 512x1024, fp32")
    timed = results.gpu_latency.query("height == 512 and precision == 'fp32'")
    macs = timed.groupby("model")["macs"].first()
    assert (table.iloc[0] == 100).all() and macs[table.index[0]] == macs.max()
    assert table["counted"].to_dict() == pytest.approx((100 * macs / macs.max())[table.index].to_dict())
    times = timed.query("cuda_graphs").set_index("model")["median_ms"]
    assert table["recorded"].to_dict() == pytest.approx((100 * times / times[table.index[0]]).to_dict())
    (axes,) = machine_times(results).axes
    drawn = {line.get_label(): list(line.get_xdata()) for line in axes.lines}
    assert drawn["multiply-adds"] == list(table["counted"])
    assert drawn["processor, 180x240, fp32"] == list(table["processor"])
    assert drawn["Some GPU, 512x1024, fp32, one by one"] == list(table["one by one"])
    assert [label.get_text() for label in axes.get_yticklabels()] == list(table.index)
    timed.query("not cuda_graphs").to_csv(copy / "benchmarks" / "gpu_latency.csv", index=False)
    with pytest.raises(MissingResults, match="in both ways, on a GPU"):
        machine_times(Results(copy))
