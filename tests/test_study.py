"""`make study`: what it hands to the notebook."""

import os

import pytest

from seglab import notebooks, study


class Ran(Exception):
    """The notebook would run now."""


@pytest.mark.parametrize(("wished", "expected"), [(None, "street_scenes"), ("camvid", "camvid")])
def test_the_study_runs_on_the_data_set_that_is_wished_for(tmp_path, monkeypatch, wished, expected):
    def execute(*_, **__):
        assert os.environ["SEGLAB_DATASET"] == expected
        raise Ran

    monkeypatch.setenv("SEGLAB_DATASET", wished or "")
    if wished is None:
        monkeypatch.delenv("SEGLAB_DATASET")
    monkeypatch.setattr(notebooks, "execute", execute)
    with pytest.raises(Ran):
        study.run_study()
