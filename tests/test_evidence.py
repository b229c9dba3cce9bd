"""Verdicts follow from the results, and turn round when these do."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from seglab import comparison, evidence, machines, runs
from seglab.config import to_yaml
from seglab.errors import RunError
from seglab.plots.style import new_figure
from seglab.results import MissingResults, Results
from seglab.widgets.show import show

ROOT = Path(__file__).parents[1]


def edit(path, change):
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def set_scores(root, of_seeds, costs):
    """Gives the runs of the comparison test scores, by network and seed, all others 0.3; and costs.

    A cost is that many parameters, and as many MACs; it is 1 where none is given.
    """
    for path in (root / comparison.STUDY).glob("*/seed*/summary.json"):
        name, seed = path.parts[-3], int(path.parts[-2].removeprefix("seed"))
        score, cost = of_seeds.get(name, (0.3,) * 2)[seed], costs.get(name, 1)
        changed = {"scores": {"test": {"mean_iou": score}}, "cost": {"params": cost, "macs": cost}}
        edit(path, lambda record, changed=changed: record.update(changed))


def tune(root, scores):
    """Gives the runs that chose the learning rate these scores, by rate and network."""
    for one in comparison.tuning():
        path = root / one.study / one.name / "seed0" / "summary.json"
        score = scores(one.optimizer.lr, one.model.name)
        edit(path, lambda record, score=score: record["scores"].update(devval={"mean_iou": score}))


def test_the_committed_choice_of_the_rate_is_kept():
    results = Results(ROOT / "results")
    if missing := results.missing(comparison.tuning()):
        pytest.skip(f"{len(missing)} runs of the choice are missing")
    assert results.tuning["mean"].idxmax() == comparison.LEARNING_RATE


def test_rate_choice_says_whether_the_best_rate_is_used(copy):
    used = comparison.LEARNING_RATE
    other = next(rate for rate in comparison.LEARNING_RATES if rate != used)
    tune(copy, lambda rate, network: 0.5 if rate == used else 0.4)
    text = evidence.rate_choice(Results(copy))
    assert f"rate {used:g}, which is what the comparison uses" in text
    lowest, middle, highest = comparison.LEARNING_RATES
    for best, word in ((lowest, "the lowest"), (middle, None), (highest, "the highest")):
        tune(copy, lambda rate, network, best=best: 0.5 if rate == best else 0.4)
        text = evidence.rate_choice(Results(copy))
        assert ("that was tried" in text) == (word is not None) and (word or "") in text
    tune(copy, lambda rate, network: 0.9 if rate == other and network == "erfnet" else 0.4)
    text = evidence.rate_choice(Results(copy))
    assert f"rate {other:g}, but the comparison uses {used:g}" in text and f"erfnet {other:g}" in text
    shutil.rmtree(copy / "camvid_tuning" / comparison.tuning()[0].name)
    assert "not complete: 1 of 9 runs" in evidence.rate_choice(Results(copy))


def test_the_mean_of_a_rate_needs_all_its_networks(copy):
    tune(copy, lambda rate, network: {"erfnet": 0.2, "minihrnet_a3": 0.3}.get(network, 0.4))
    table = Results(copy).tuning
    assert list(table.index) == list(comparison.LEARNING_RATES)
    assert table["mean"].to_list() == pytest.approx([0.3] * 3)
    first = comparison.tuning()[0]
    shutil.rmtree(copy / first.study / first.name)
    assert list(Results(copy).tuning["mean"].isna()) == [True, False, False]


def test_a_run_that_is_not_as_planned_is_named(copy):
    assert "all have the plan's configuration" in evidence.plan_kept(Results(copy))
    folder = copy / comparison.STUDY / "segsmall" / "seed1"
    one = runs.read_experiment(folder)
    other = replace(one, optimizer=replace(one.optimizer, lr=0.5))
    (folder / "config.yaml").write_text(to_yaml(other))
    assert evidence.plan_kept(Results(copy)).endswith("NOT as planned: segsmall seed 1.")


def test_runs_of_a_gpu_are_counted_and_their_times_are_not(copy):
    for seed in (0, 1):
        path = copy / comparison.STUDY / "segsmall" / f"seed{seed}" / "summary.json"
        edit(path, lambda record: record["provenance"].update(device="Fast One"))
    assert evidence.plan_kept(Results(copy)).endswith(
        "to the letter. The plan's machine is a processor; 2 of the runs that have ended are of a GPU."
    )
    # Processor times are those of processors.
    rows = machines.size_and_time(Results(copy))["what"]
    assert not rows.str.startswith("a training").any()


def test_a_run_that_nobody_planned_is_not_counted(copy):
    before = evidence.plan_kept(Results(copy))
    one = copy / comparison.STUDY / "erfnet" / "seed0"
    other = Path(shutil.copytree(one, one.with_name("seed9")))
    (other / "config.yaml").write_text(to_yaml(replace(runs.read_experiment(one), seed=9)))
    after = evidence.plan_kept(Results(copy))
    assert after == f"{before} Not in the plan at all: erfnet seed 9."


def test_worth_names_what_is_cheaper_and_no_worse(copy):
    # Score, parameters and MACs; the last one is cheaper than approach 3 in MACs alone, and ERFNet than
    # SegSmall in parameters alone.
    scores = {"minihrnet_a3": (0.5, 4, 4), "segsmall": (0.4, 3, 1), "miniunet": (0.6, 9, 9)}
    scores |= {"erfnet": (0.6, 2, 3), "hrnetv2_w48": (0.55, 5, 3)}
    for name in (path.name for path in (copy / comparison.STUDY).iterdir() if path.is_dir()):
        if name not in scores:
            shutil.rmtree(copy / comparison.STUDY / name)
            continue
        score, params, macs = scores[name]
        changed = {"scores": {"test": {"mean_iou": score}}, "cost": {"params": params, "macs": macs}}
        for path in (copy / comparison.STUDY / name).glob("*/summary.json"):
            edit(path, lambda record, changed=changed: record.update(changed))
    level = evidence.worth(Results(copy)).set_index("network")["cheaper in both, mean at least as high"]
    assert level.to_dict() == {"`minihrnet_a3`": "`erfnet`", "`segsmall`": "none", "`miniunet`": "`erfnet`"}


def test_worth_names_what_other_seeds_might_put_level(copy):
    lower = "cheaper in both, lower by no more than the seed's"

    def of_approach_3(erfnet):
        """The last column, where the seeds of approach 3 lie 2 points apart, and those of others agree."""
        set_scores(copy, {"minihrnet_a3": (0.49, 0.51), "erfnet": erfnet}, {"minihrnet_a3": 2})
        return evidence.worth(Results(copy)).set_index("network").loc["`minihrnet_a3`", lower]

    # A deviation of 1.41 points pooled over four networks with two seeds each is 0.71 points with 4 degrees
    # of freedom; times Student's 2.78 and the root of 1/2 + 1/2 that is 1.96 points.
    assert "`erfnet`" in of_approach_3((0.481, 0.481))
    assert "`erfnet`" not in of_approach_3((0.480, 0.480))
    assert "`erfnet`" not in of_approach_3((0.52, 0.52))  # it is in the column of those at least as high
    for folder in (copy / comparison.STUDY).glob("*/seed1"):
        shutil.rmtree(folder)
    assert evidence.worth(Results(copy))[lower].unique().tolist() == ["-"]  # one seed each: nobody knows


def test_claims_about_size_turn_with_the_counts(copy):
    first = evidence.claims(Results(copy)).iloc[0]
    assert first["found"] == "9,545,035 of 65,859,379: 14.5 %"
    assert first["verdict"].startswith("not confirmed")
    edit(copy / "models" / "minihrnet_a3.json", lambda record: record.update(params=8_561_719))
    assert evidence.claims(Results(copy)).iloc[0]["verdict"] == "confirmed"


def test_claim_about_scales_turns_with_the_published_numbers(copy):
    def verdict():
        return evidence.claims(Results(copy)).iloc[1]["verdict"]

    gains = evidence.view_gains(Results(copy))
    assert set(gains["run"]) == {"minihrnet_a3", "segsmall"} and (gains["low"] <= gains["high"]).all()
    highest, path = gains["high"].max() / 100, copy / "models" / "minihrnet_a3.json"
    for more, word in ((0.01, "unlikely"), (-0.0001, "may explain")):
        stated = {"Cityscapes val mIoU (abstract)": 0.6 + highest + more, "Cityscapes val mIoU (mean)": 0.6}
        edit(path, lambda record, stated=stated: record["reference"].update(scores=stated))
        assert word in verdict()
    assert "bring 4 runs of ours on CamVid" in evidence.claims(Results(copy)).iloc[1]["found"]
    for folder in list((copy / comparison.STUDY).glob("*/*/evaluations"))[1:]:
        shutil.rmtree(folder)
    assert "bring 1 run of ours on CamVid" in evidence.claims(Results(copy)).iloc[1]["found"]
    shutil.rmtree(copy / comparison.STUDY)
    assert "no results yet: `seglab study-full`" in verdict()


def test_claim_about_speed_turns_with_the_times(copy):
    results = Results(copy)
    table = machines.size_and_time(results).set_index("what")
    assert "our reading" in evidence.claims(results).iloc[2]["claim"]
    times = results.latency.set_index("model")["median_ms"]
    ratio = table.loc["one picture, 180x240, fp32, contiguous", "ratio"]
    assert ratio == pytest.approx(times["segsmall"] / times["erfnet"])
    assert table.loc["parameters", "ratio"] == pytest.approx(864_815 / 2_064_191)
    timed = results.gpu_latency
    assert (table["machine"] == "Some GPU").sum() == 8  # two sizes, two formats, two ways
    large = timed.query("height == 1024 and precision == 'bf16' and cuda_graphs")
    times = large.set_index("model")["median_ms"]
    what = "one picture, 1024x2048, bf16, contiguous, recorded"
    assert table.loc[what, "ratio"] == pytest.approx(times["segsmall"] / times["erfnet"])
    # Stopped after the first way of the first format.
    timed[timed["height"].eq(512) & timed["precision"].eq("fp32") & ~timed["cuda_graphs"]].to_csv(
        copy / "benchmarks" / "gpu_latency.csv", index=False
    )
    assert (machines.size_and_time(Results(copy))["machine"] == "Some GPU").sum() == 1
    verdict = evidence.claims(Results(copy)).iloc[2]["verdict"]
    assert "on a processor and on a GPU" in verdict or "depends" in verdict
    benchmark = copy / "benchmarks" / "training_speed.json"
    (copy / comparison.STUDY / "latency.csv").unlink()
    (copy / "benchmarks" / "gpu_latency.csv").unlink()
    for folder in (copy / comparison.STUDY).glob("erfnet/*/summary.json"):
        edit(folder, lambda record: record["time"].update(cpu_seconds=100.0))
    # ERFNet's training takes 100 s, its step 1 s.
    for how in ("plain", "seglab auto"):
        edit(benchmark, lambda record, how=how: record["networks"]["erfnet"][how].update(median_s=1.0))
    cases = [(200.0, 9.0, "contradicted"), (200.0, 0.95, "contradicted"), (200.0, 0.5, "depends")]
    for cpu, seconds, word in [*cases, (95.0, 1.05, "not confirmed"), (50.0, 0.5, "confirmed")]:
        for folder in (copy / comparison.STUDY).glob("segsmall/*/summary.json"):
            edit(folder, lambda record, cpu=cpu: record["time"].update(cpu_seconds=cpu))
        for how in ("plain", "seglab auto"):
            edit(
                benchmark,
                lambda record, how=how, s=seconds: record["networks"]["segsmall"][how].update(median_s=s),
            )
        assert evidence.claims(Results(copy)).iloc[2]["verdict"].startswith(word) or word == "depends"
        assert ("depends" in evidence.claims(Results(copy)).iloc[2]["verdict"]) == (word == "depends")
    edit(benchmark, lambda record: record.pop("networks"))
    with pytest.raises(RunError, match=r"training_speed\.json: damaged \(the field 'networks'"):
        machines.size_and_time(Results(copy))
    benchmark.unlink()
    shutil.rmtree(copy / comparison.STUDY)
    assert "no results yet: `seglab latency`" in evidence.claims(Results(copy)).iloc[2]["verdict"]


def test_published_scores_stand_beside_the_measured_one(study_results):
    table = evidence.published(Results(study_results))
    ours = Results(study_results).comparison.groupby("name")["scores.test.mean_iou"].mean()["erfnet"]
    of_erfnet = table[table["network"] == "`erfnet`"]
    assert of_erfnet["its %"].to_list() == ["70.0", "68.0", "72.1", "69.8"]
    assert set(of_erfnet["measured on CamVid test (%)"]) == {f"{100 * ours:.1f}"}
    assert table.loc[table["network"] == "`segsmall`", "its %"].to_list() == ["-"]


def test_progress_is_the_mean_of_the_curves(copy):
    # The invented curves are 0.6 - 0.5 / epoch, scored every third epoch; that of one seed is halved.
    path = copy / comparison.STUDY / "erfnet" / "seed1"
    history = runs.read_history(path)
    history.assign(mean_iou=history["mean_iou"] / 2).to_csv(path / "history.csv", index=False)
    table = evidence.progress(Results(copy)).set_index("network")
    assert table.loc["`erfnet`", "after epoch 3"] == f"{75 * (0.6 - 0.5 / 3):.1f}"
    assert table.loc["`erfnet`", "gained last"] == f"{75 * (0.5 / 27 - 0.5 / 30):+.1f}"


def test_shares_are_of_the_largest_network(copy):
    for name, params, macs in (("hrnetv2_w48", 4000, 9000), ("segsmall", 1000, 90)):
        edit(
            copy / "models" / f"{name}.json",
            lambda record, params=params, macs=macs: record.update(params=params, macs=macs),
        )
    table = evidence.parameter_share(Results(copy)).set_index("network")
    assert table.loc["`segsmall`"].to_list() == ["1,000", "25.0", "1.0"]
    assert table.loc["`hrnetv2_w48`"].to_list() == ["4,000", "100.0", "100.0"]


def test_notebooks_show_tables_figures_and_what_is_missing(tmp_path, study_results, monkeypatch):
    shown = []
    monkeypatch.setattr("seglab.widgets.show.display", shown.append)
    show(lambda: evidence.worth(Results(tmp_path)))
    show(lambda: evidence.worth(Results(study_results)))
    show(lambda: new_figure(20, 20))
    assert shown[0].data == "*Not there yet; `seglab study-full` makes it.*"
    assert shown[1].data.startswith("| network | test mIoU (%) |")
    assert shown[2].data.startswith(b"\x89PNG")


def test_results_without_runs_are_missing(tmp_path):
    asked = evidence.view_gains, evidence.claims
    for function in (evidence.rate_choice, evidence.plan_kept, evidence.worth, *asked):
        with pytest.raises(MissingResults, match="`seglab ") as missing:
            function(Results(tmp_path))
        assert str(missing.value).startswith(str(tmp_path))


def test_what_is_missing_beside_other_runs_names_its_folder(copy):
    for name in evidence.OF_THE_PROJECTS:
        shutil.rmtree(copy / comparison.STUDY / name, ignore_errors=True)
    for function in (evidence.worth, evidence.view_gains):
        with pytest.raises(MissingResults, match="`seglab ") as missing:
            function(Results(copy))
        assert str(missing.value).startswith(f"{copy}: no ")
