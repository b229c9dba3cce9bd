"""Figures of notebook 05."""

import json

import numpy as np
import pandas as pd
import pytest

from seglab.plots.heat_table import heat_table
from seglab.plots.position_maps import position_maps
from seglab.plots.rare_or_small import rare_or_small
from seglab.results import MissingResults, Results


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_heat_table_writes_its_cells():
    table = pd.DataFrame([[12.34, 0.056], [np.nan, 100]], index=["a", "b"], columns=["x", "y"])
    assert texts(heat_table(table, "shares")) == ["12", "0.056", "-", "100"]
    assert texts(heat_table(table - 50, "differences", difference=True)) == ["-38", "-50", "-", "+50"]


def test_position_maps_have_a_map_for_each_class():
    maps = np.zeros((3, 2, 4))
    maps[1, 0, 0], maps[:, 1, 3] = 0.25, np.nan
    figure = position_maps(maps, ["a", "b", "c"], columns=2)
    titles = [axes.get_title() for axes in figure.axes if axes.images]
    assert titles == ["a, up to 0.0%", "b, up to 25.0%", "c, up to 0.0%"]


def test_bars_part_what_is_seldom_from_what_is_small(tmp_path):
    # The second class has 1 % of the pixels, in a tenth of the pictures; the third one has none.
    counts = {"pixels": [990, 10, 0], "images": [20, 2, 0], "num_images": 20}
    record = {"name": "one", "classes": ["a", "b", "c"], "splits": {"train": counts}}
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "one.json").write_text(json.dumps(record))
    figure = rare_or_small(Results(tmp_path), ["one"])
    few, small = figure.axes[0].containers
    assert [bar.get_x() + bar.get_width() for bar in few] == pytest.approx([100, 10])
    assert [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in small] == [(100, 99), (10, 1)]
    with pytest.raises(MissingResults, match="not counted: two"):
        rare_or_small(Results(tmp_path), ["two"])
