"""`make study`: what it hands to the notebook. `make study-full`: which runs it makes on which machine."""

import os
import shutil
from dataclasses import replace

import pytest

from seglab import comparison, notebooks, study


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


@pytest.mark.parametrize("has_gpu", [True, False])
def test_twins_are_made_of_runs_of_the_other_machine(study_results, tmp_path, monkeypatch, has_gpu):
    shutil.copytree(study_results, tmp_path / "results")
    monkeypatch.setattr(study.runs, "workspace", lambda: tmp_path)
    of_gpu = ["minihrnet_a3", "erfnet", "segsmall", "miniunet"] if has_gpu else []
    assert [one.name for one in study._twins(has_gpu)] == of_gpu
    # What a GPU has trained is not trained there again, but on a processor, if that is planned.
    of_batch = tmp_path / "results" / comparison.STUDY / "a3_norm_batch" / "seed0"
    of_group = of_batch.parents[1] / "a3_norm_group" / "seed0"
    shutil.copytree(of_batch, of_group)
    (of_group / "config.yaml").write_text(
        (of_group / "config.yaml").read_text().replace("a3_norm_batch", "a3_norm_group")
    )
    for folder in (of_group, of_batch.parents[1] / "erfnet" / "seed0"):
        path = folder / "summary.json"
        path.write_text(path.read_text().replace('"device": "cpu"', '"device": "A GPU"'))
    found = [(one.study, one.name, one.training.device) for one in study._twins(has_gpu)]
    kept = [("camvid_gpu", name, "cuda") for name in of_gpu if name != "erfnet"]
    assert found == [*kept, ("camvid_cpu", "a3_norm_group", "cpu")]


def test_twins_differ_from_the_plan_in_study_and_device_alone():
    planned = {(one.name, one.seed): one for one in [*comparison.networks(), *comparison.ablations()]}
    for one in comparison.twins():
        training = replace(one.training, device="auto")
        assert replace(one, study=comparison.STUDY, training=training) == planned[one.name, one.seed]
    assert [one.name for one in comparison.twins()][:-1] == list(comparison.NETWORKS)
