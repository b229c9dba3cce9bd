"""What the machine changes is computed from the runs of both."""

import shutil

import pytest

from seglab import comparison, machines
from seglab.results import MissingResults, Results

from .test_evidence import edit, set_scores


def test_the_effect_of_the_device_stands_beside_that_of_the_seed(copy):
    for name, score in (("minihrnet_a3", 0.30), ("erfnet", 0.36), ("segsmall", 0.32), ("miniunet", 0.34)):
        for path in (copy / "camvid_gpu" / name).glob("*/summary.json"):
            edit(path, lambda record, score=score: record["scores"]["test"].update(mean_iou=score))
            edit(path, lambda record: record["provenance"].update(versions={"torch": "2", "numpy": "1"}))
    for path in (copy / comparison.STUDY).glob("*/seed0/summary.json"):
        edit(path, lambda record: record["provenance"].update(versions={"torch": "3", "numpy": "1"}))
    path = copy / comparison.STUDY / "a3_norm_batch" / "seed0" / "summary.json"
    edit(path, lambda record: record["provenance"].update(device="A GPU"))
    set_scores(copy, {"segsmall": (0.3, 0.34)}, {})
    # Student's quantile for four pairs is 3.18, the deviation of 0, 6, 2 and 4 is 2.58, and its interval that
    # times the roots of 3 / 9.35 and 3 / 0.216. Of the four networks with two seeds one has a spread,
    # 4 / sqrt(2); pooled that is sqrt(2), and between two seeds 2.
    assert machines.device_effect(Results(copy)) == (
        "4 of 12 planned pairs are there. On the GPU the score differs by +3.0 points on average (95 % "
        "interval -1.1 to +7.1); the standard deviation of a difference is 2.6 (1.5 to 9.6), and between two "
        "seeds on a processor 2.0. Other than the device differ the releases of torch 3 and 2. Among the "
        "results are runs of a GPU without such a pair: `a3_norm_batch`."
    )
    for name in ("minihrnet_a3", "erfnet", "miniunet"):
        shutil.rmtree(copy / "camvid_gpu" / name)
    assert machines.device_effect(Results(copy)).startswith(
        "1 of 12 planned pairs are there. On the GPU the score differs by +2.0 points. Other than"
    )


def test_two_runs_of_one_machine_are_no_pair(copy):
    for seed in (0, 1):
        path = copy / comparison.STUDY / "segsmall" / f"seed{seed}" / "summary.json"
        edit(path, lambda record: record["provenance"].update(device="Fast One"))
    assert list(machines.device_twins(Results(copy)).index) == ["minihrnet_a3", "erfnet", "miniunet"]
    for name in ("minihrnet_a3", "erfnet", "miniunet"):
        shutil.rmtree(copy / "camvid_gpu" / name)
    with pytest.raises(MissingResults, match="nothing that ran on a processor and on a GPU"):
        machines.device_effect(Results(copy))
