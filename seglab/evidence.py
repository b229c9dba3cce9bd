"""What the originals claim and what the results say to it; whether the study kept to its plan. No torch.

Every verdict is computed from `results/`, and changes with it.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from seglab import comparison, metrics, runs
from seglab.differences import comparison_spread
from seglab.machines import PROCESSOR, size_and_time
from seglab.metrics.intervals import paired_bootstrap
from seglab.results import MissingResults, Results, asked_again, class_scores

# The networks of the three projects; all others of the registry are the originals that they were made from,
# and rivals.
OF_THE_PROJECTS = ("minihrnet_a1", "minihrnet_a2", "minihrnet_a3", "segsmall", "miniunet")
# Of the original HRNet's trainable parameters, says the abstract of Al-Raimi's thesis.
PARAMETER_SHARE = 0.13
SMALL, LARGE = "minihrnet_a3", "hrnetv2_w48"
# By so much the times of two networks may differ that are one and the same: `miniunet_lite0` with and without
# pretrained weights differ by half of it in `latency.csv`.
LEVEL_TIMES = 0.1


def rate_choice(results: Results) -> str:
    """Whether the comparison's learning rate is the best one on the held-out drive, in a sentence.

    Raises:
        MissingResults: If no run of the choice has ended.
    """
    table, used = results.tuning, comparison.LEARNING_RATE
    missing = results.missing(comparison.tuning())
    if missing:
        planned = len(comparison.tuning())
        return (
            f"The choice is not complete: {len(missing)} of {planned} runs are missing. "
            f"The plan uses the rate {used:g}."
        )
    best = table["mean"].idxmax()
    each = ", ".join(f"{network} {table[network].idxmax():g}" for network in table.columns.drop("mean"))
    kept = "which is what the comparison uses" if best == used else f"but the comparison uses {used:g}"
    ends = {table.index.min(): "lowest", table.index.max(): "highest"}
    edge = f" It is the {ends[best]} that was tried; one beyond it may be better." if best in ends else ""
    return f"The best mean has the rate {best:g}, {kept}. The best of each network alone: {each}.{edge}"


def plan_kept(results: Results) -> str:
    """How many of the planned runs on CamVid are there, and whether each has the configuration of the plan.

    Raises:
        MissingResults: If there is none.
    """
    planned = {(one.name, one.seed): one for one in [*comparison.networks(), *comparison.ablations()]}
    there, of_gpu, another, unplanned = 0, 0, [], []
    for row in results.study(comparison.STUDY, "seglab study-full").itertuples():
        one = planned.get((row.name, row.seed))
        if one is None:
            unplanned.append(f"{row.name} seed {row.seed}")
            continue
        there += 1
        of_gpu += row.on_gpu
        if runs.read_experiment(row.folder) != one:
            another.append(f"{row.name} seed {row.seed}")
    kept = ", and all have the plan's configuration to the letter."
    if another:
        kept = f". NOT as planned: {', '.join(another)}."
    if of_gpu:
        kept += f" The plan's machine is a processor; {of_gpu} of the runs that have ended are of a GPU."
    beside = f" Not in the plan at all: {', '.join(unplanned)}." if unplanned else ""
    return f"{there} of {len(planned)} planned runs have ended{kept}{beside}"


def worth(results: Results) -> pd.DataFrame:
    """Each project's network, and those with fewer parameters *and* fewer MACs that come up to it.

    In two steps: those whose mean is at least as high, where nothing that was counted speaks for the dearer
    network; and those whose mean is lower, but by no more than other seeds could make up for (the 95 %
    intervals of `seed_differences`). Networks with pretrained weights are left out, since what these have
    cost is counted nowhere.

    Raises:
        MissingResults: If none of the networks has a run.
    """
    made = results.comparison
    groups = made[~made["pretrained"]].groupby("name")
    table = groups[["scores.test.mean_iou", "cost.params", "cost.macs"]].mean()
    table.columns = ["score", "params", "macs"]
    table["seeds"], spread = groups.size(), comparison_spread(results)
    rows = []
    for name in (name for name in OF_THE_PROJECTS if name in table.index):
        own = table.loc[name]
        cheaper = table[(table["params"] < own["params"]) & (table["macs"] < own["macs"])]
        cheaper = cheaper.sort_values("score", ascending=False)
        level, lower = [], []
        for other, its in cheaper.iterrows():
            if its["score"] >= own["score"]:
                level.append(f"`{other}`")
            elif spread and spread.interval(own["score"] - its["score"], own["seeds"], its["seeds"])[0] <= 0:
                lower.append(f"`{other}`")
        reachable = (", ".join(lower) or "none") if spread else "-"
        rows.append(
            {
                "network": f"`{name}`",
                "test mIoU (%)": f"{100 * own['score']:.1f}",
                "parameters": f"{own['params'] / 1e6:.2f} M",
                "GMACs": f"{own['macs'] / 1e9:.2f}",
                "cheaper in both, mean at least as high": ", ".join(level) or "none",
                "cheaper in both, lower by no more than the seed's": reachable,
            }
        )
    if not rows:
        wanted = ", ".join(OF_THE_PROJECTS)
        raise MissingResults(f"{results.root}: no finished run of {wanted}", "seglab study-full")
    return pd.DataFrame(rows)


def progress(results: Results) -> pd.DataFrame:
    """Mean IoU (%) on the validation burst after some epochs: who still rises, could use more of them.

    The burst is cut out of a training drive, so that only the change along a row means something.
    """
    curves: dict[str, list[pd.Series]] = {}
    for row in results.comparison.itertuples():
        history = runs.read_history(row.folder).dropna(subset="mean_iou")
        curves.setdefault(row.name, []).append(100 * history.set_index("epoch")["mean_iou"])
    table = pd.DataFrame({name: pd.concat(each, axis=1).mean(axis=1) for name, each in curves.items()}).T
    shown = table.map("{:.1f}".format).add_prefix("after epoch ")
    if table.shape[1] > 1:
        shown["gained last"] = (table.iloc[:, -1] - table.iloc[:, -2]).map("{:+.1f}".format)
    shown.insert(0, "network", [f"`{name}`" for name in table.index])
    return shown


def unlearnt(results: Results) -> pd.DataFrame:
    """Which classes a network of the comparison has not learnt at all, and how it does on the others.

    Not learnt is an IoU below 1 % on CamVid's test split, mean over the seeds. The last column is the mean
    over the classes that every network has learnt: there the networks are compared without the question who
    has begun to name the rare ones.

    Raises:
        MissingResults: If the comparison has no run.
    """
    scores, _ = class_scores(results.comparison, "test")
    learnt = scores >= 0.01
    by_all = learnt.all()
    others = f"mIoU of the {by_all.sum()} classes that all have learnt (%)"
    rows = []
    for name, row in scores.iterrows():
        missed = [one for one in scores.columns if not learnt.loc[name, one]]
        rows.append(
            {
                "network": f"`{name}`",
                "test mIoU (%)": f"{100 * row.mean():.1f}",
                "not learnt": ", ".join(missed) or "none",
                others: f"{100 * row[by_all].mean():.1f}",
            }
        )
    return pd.DataFrame(rows)


def parameter_share(results: Results) -> pd.DataFrame:
    """Parameters and multiply-adds of each network, as shares of the largest HRNet's."""
    cost = pd.DataFrame({name: (one["params"], one["macs"]) for name, one in results.networks.items()}).T
    cost.columns = ["parameters", "MACs"]
    largest = results.network(LARGE)
    share = 100 * cost / [largest["params"], largest["macs"]]
    return pd.DataFrame(
        {
            "network": [f"`{name}`" for name in cost.index],
            "parameters": cost["parameters"].map("{:,}".format),
            f"% of {LARGE}'s": share["parameters"].map("{:.1f}".format),
            "MACs, %": share["MACs"].map("{:.1f}".format),
        }
    )


def view_gains(results: Results) -> pd.DataFrame:
    """What other scales and mirror images add to the mean IoU of each run on CamVid.

    Returns:
        One row per run and recorded way of asking: `gain` in points, and the ends of its 95 % interval.

    Raises:
        MissingResults: If no run was asked in several views.
    """
    rows = []
    for row in results.on_camvid.itertuples():
        for asked in asked_again(row.folder):
            pair = runs.paired_confusions(row.folder, asked, "test")
            gain = paired_bootstrap(*pair, metrics.mean_iou)
            way = asked.name.removeprefix("test-")
            rows.append((row.label, row.seed, way, 100 * gain.value, 100 * gain.low, 100 * gain.high))
    if not rows:
        how = "seglab evaluate RUN --split test --multi-scale"
        raise MissingResults(f"{results.root}: no evaluation in several views", how)
    return pd.DataFrame(rows, columns=["run", "seed", "views", "gain", "low", "high"])


def published(results: Results) -> pd.DataFrame:
    """Scores that others published, beside the measured one: other data, another training, no comparison.

    Published are scores on Cityscapes (1024x2048, 19 classes) or on private soccer pictures, mostly after a
    start from ImageNet and hundreds of epochs. Measured is the mean IoU on CamVid's test split under the
    common training.
    """
    try:
        measured = results.comparison.groupby("name")["scores.test.mean_iou"].mean()
    except MissingResults:
        measured = pd.Series(dtype=float)
    rows = []
    for name, one in results.networks.items():
        for what, score in one["reference"]["scores"].items() or [("none", None)]:
            rows.append(
                {
                    "network": f"`{name}`",
                    "published": what,
                    "its %": "-" if score is None else f"{100 * score:.1f}",
                    "measured on CamVid test (%)": f"{100 * measured[name]:.1f}" if name in measured else "-",
                }
            )
    return pd.DataFrame(rows)


def claims(results: Results) -> pd.DataFrame:
    """What the originals say about themselves, what was found, and whether the two agree.

    Mini-HRNet's sentences are those of the thesis' abstract; that of SegSmall is our reading of its idea, and
    marked so: its author publishes no time.

    Raises:
        MissingResults: If nothing can be said about any of them; else the verdict names what is missing.
    """
    rows, nothing = [], None
    for claim, judge in _CLAIMS.items():
        try:
            found, verdict = judge(results)
        except MissingResults as missing:
            found, verdict = "-", f"no results yet: `{missing.command}` makes them"
            nothing = missing
        rows.append({"claim": claim, "found": found, "verdict": verdict})
    if nothing is not None and all(row["found"] == "-" for row in rows):
        raise nothing
    return pd.DataFrame(rows)


def _judge_share(results: Results) -> tuple[str, str]:
    small, large = results.network(SMALL)["params"], results.network(LARGE)["params"]
    found = f"{small:,} of {large:,}: {100 * small / large:.1f} %"
    if round(small / large, 2) == PARAMETER_SHARE:
        return found, "confirmed"
    whole = f"{small / PARAMETER_SHARE / 1e6:.1f} million"
    return found, f"not confirmed; what was released has {100 * PARAMETER_SHARE:.0f} % of {whole}"


def _judge_score(results: Results) -> tuple[str, str]:
    scores = results.network(SMALL)["reference"]["scores"]
    of_val = [score for what, score in scores.items() if what.startswith("Cityscapes val")]
    stated, released = max(of_val), min(of_val)
    needed = 100 * (stated - released)
    found = f"{100 * stated:.1f} % in the abstract, {100 * released:.1f} % in the released results by class"
    gains = view_gains(results)
    asked = len(gains[["run", "seed"]].drop_duplicates())
    found += (
        f"; several views (scales, mirror image), which would have to explain {needed:.1f} points, bring "
        f"{asked} run{'s' * (asked > 1)} of ours on CamVid {gains['gain'].max():+.1f} at best "
        f"(intervals up to {gains['high'].max():+.1f})"
    )
    if gains["high"].max() < needed:
        return found, "several views alone are an unlikely explanation; only the author's weights could tell"
    return found, "several views may explain it; only the author's weights could tell"


def _judge_speed(results: Results) -> tuple[str, str]:
    table = size_and_time(results)
    params, macs, *times = table["ratio"]
    if not times:
        raise MissingResults(f"{results.root}: no times of segsmall and erfnet", "seglab latency")
    found = (
        f"{params:.2f} times the parameters, {macs:.2f} times the MACs, "
        f"{min(times):.2f} to {max(times):.2f} times the time ({len(times)} measurements)"
    )
    level = f"{100 * LEVEL_TIMES:.0f} % are within the noise"
    where = f"on a {PROCESSOR}"
    if not set(table["machine"]) <= {"-", PROCESSOR}:
        where += " and on a GPU"
    if max(times) <= 1 - LEVEL_TIMES:
        return found, "confirmed"
    if min(times) > 1 - LEVEL_TIMES and max(times) >= 1 + LEVEL_TIMES:
        return found, f"contradicted {where}: level or slower wherever it was timed ({level})"
    if min(times) > 1 - LEVEL_TIMES:
        return found, f"not confirmed {where}: level wherever it was timed ({level})"
    return found, "it depends on what is timed"


_CLAIMS: dict[str, Callable[[Results], tuple[str, str]]] = {
    f"Mini-HRNet, approach 3: {100 * PARAMETER_SHARE:.0f} % of HRNet's parameters": _judge_share,
    "Mini-HRNet, approach 3: its mean IoU on Cityscapes val": _judge_score,
    "SegSmall: smaller than ERFNet, and so faster (our reading; its author gives no time)": _judge_speed,
}
