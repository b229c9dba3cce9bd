"""What the machine changes: scores of runs that a GPU trained, and the time that things take. No torch."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pandas as pd
from scipy import stats

from seglab import comparison, runs
from seglab.differences import LEVEL, comparison_spread, points
from seglab.results import MissingResults, Results

PROCESSOR = "processor"
# Under which times of a GPU can be compared.
GPU_CONDITIONS = ["device", "height", "width", "precision", "memory_format", "cuda_graphs"]


def device_twins(results: Results) -> pd.DataFrame:
    """Scores of runs that were trained with the same seed on a processor and on a GPU.

    Returns:
        One row per pair, by name in the plan's order: mean IoU on CamVid's test split, `processor` and
        `gpu`; and the runs' folders, `processor_folder` and `gpu_folder`.

    Raises:
        MissingResults: If there is no such pair.
    """
    rows, made = {}, {}
    for run in results.runs.to_dict("records"):
        made[run["study"], run["name"], run["seed"]] = run
    for twin in comparison.twins():
        both = [made.get((study, twin.name, twin.seed)) for study in (comparison.STUDY, twin.study)]
        sides = {"gpu" if run["on_gpu"] else "processor": run for run in both if run}
        if len(sides) == 2:
            rows[twin.name] = {side: run["scores.test.mean_iou"] for side, run in sides.items()}
            rows[twin.name] |= {f"{side}_folder": run["folder"] for side, run in sides.items()}
    if not rows:
        what = f"{results.root}: nothing that ran on a processor and on a GPU"
        raise MissingResults(what, "seglab study-full")
    columns = ["processor", "gpu", "processor_folder", "gpu_folder"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def device_difference(pairs: pd.DataFrame) -> tuple[float, float, float]:
    """By how much a GPU's scores lie above a processor's: the mean over the networks, and its 95 % interval.

    Student's, with the deviation of the differences themselves; the ends are NaN for a single pair.

    Args:
        pairs: As `device_twins` returns them.
    """
    values = pairs["gpu"] - pairs["processor"]
    half = math.nan
    if len(values) > 1:
        half = float(stats.t.ppf((1 + LEVEL) / 2, len(values) - 1)) * values.std() / math.sqrt(len(values))
    return values.mean(), values.mean() - half, values.mean() + half


def device_effect(results: Results) -> str:
    """By how much runs of a GPU score otherwise than those of a processor, in a few sentences.

    If the machine shifts scores in no direction, the same seed on both gives a mean difference near 0; and if
    it is no more than another seed, the differences scatter as those between two seeds do.

    Raises:
        MissingResults: If nothing was trained on both.
    """
    pairs = device_twins(results)
    mean, low, high = device_difference(pairs)
    said = (
        f"{len(pairs)} of {len(comparison.twins())} planned pairs are there. On the GPU the score differs by "
        f"{points(mean)} points"
    )
    if len(pairs) > 1:
        said += f" on average (95 % interval {points(low)} to {points(high)})"
        values, degrees = pairs["gpu"] - pairs["processor"], len(pairs) - 1
        ends = [values.std() * math.sqrt(degrees / stats.chi2.ppf(p, degrees)) for p in (0.975, 0.025)]
        said += f"; the standard deviation of a difference is {100 * values.std():.1f}"
        said += f" ({100 * ends[0]:.1f} to {100 * ends[1]:.1f})"
        if spread := comparison_spread(results, with_gpu=False):
            two_seeds = 100 * math.sqrt(2) * spread.deviation
            said += f", and between two seeds on a processor {two_seeds:.1f}"
    said = f"{said}. {_other_releases(pairs)}".rstrip()
    made = results.study(comparison.STUDY, "seglab study-full").query("on_gpu")
    alone = [f"`{name}`" for name in dict.fromkeys(made["name"]) if name not in pairs.index]
    if alone:
        said += f" Among the results are runs of a GPU without such a pair: {', '.join(alone)}."
    return said


def _other_releases(pairs: pd.DataFrame) -> str:
    """What else differs between the two runs of the pairs: releases of what they run on."""
    here, there = (
        [runs.read_summary(folder).get("provenance", {}).get("versions", {}) for folder in pairs[column]]
        for column in ("processor_folder", "gpu_folder")
    )
    other = []
    for key in here[0]:
        one, two = (", ".join(sorted({made[key] for made in side if key in made})) for side in (here, there))
        if one != two:
            other.append(f"{key} {one} and {two}")
    return f"Other than the device differ the releases of {'; '.join(other)}." if other else ""


def size_and_time(results: Results, small: str = "segsmall", large: str = "erfnet") -> pd.DataFrame:
    """Cost and time of a small network beside a larger one; a ratio below 1 is in favour of the small one.

    Times are given as far as they were measured: a training step (`results/benchmarks`), a picture
    (`seglab latency`; on a GPU `benchmarks/gpu_latency.py`), and a whole training of the comparison.

    Returns:
        One row per quantity: `what`, `machine` (`-` for what was counted), a column for each network, `unit`
        and `ratio`.

    Raises:
        MissingResults: If the networks were not counted.
    """
    one, two = (results.network(name) for name in (small, large))
    height, width = one["input_size"]
    rows = [("parameters", "-", one["params"] / 1e6, two["params"] / 1e6, "million")]
    rows.append((f"MACs at {height}x{width}", "-", one["macs"] / 1e9, two["macs"] / 1e9, "10^9"))
    for source in (_step_times, _picture_times, _training_times, _gpu_picture_times):
        try:
            found = list(source(results))
        except MissingResults:
            continue
        for what, machine, unit, values in found:
            if small in values and large in values:
                rows.append((what, machine, values[small], values[large], unit))
    table = pd.DataFrame(rows, columns=["what", "machine", small, large, "unit"])
    return table.assign(ratio=table[small] / table[large])


# What was timed, on what, its unit, and the values by network.
Times = Iterator[tuple[str, str, str, pd.Series | dict[str, float]]]


def _step_times(results: Results) -> Times:
    speed = results.training_speed
    number, height, width = speed["batch"]
    for way, how in (("plain", "fp32, contiguous"), ("seglab auto", "each in its fastest format")):
        values = {name: each[way]["median_s"] for name, each in speed["networks"].items()}
        yield f"training step, {number} pictures of {height}x{width}, {how}", PROCESSOR, "s", values


def _picture_times(results: Results) -> Times:
    table = results.latency.set_index("model")  # of one measurement, under one set of conditions
    one = table.iloc[0]
    how = f"{one['height']}x{one['width']}, {one['precision']}, {one['memory_format']}"
    yield f"one picture, {how}", PROCESSOR, "ms", table["median_ms"]


def _gpu_picture_times(results: Results) -> Times:
    for conditions, table in results.gpu_latency.groupby(GPU_CONDITIONS, sort=False):
        device, height, width, precision, memory_format, recorded = conditions
        how = f"{height}x{width}, {precision}, {memory_format}, {'recorded' if recorded else 'one by one'}"
        yield f"one picture, {how}", device, "ms", table.set_index("model")["median_ms"]


def _training_times(results: Results) -> Times:
    made = results.comparison
    if "time.cpu_seconds" not in made:  # older runs did not record it
        raise MissingResults(f"{results.root}: no processor times", "seglab study-full")
    seconds = made[~made["on_gpu"]].groupby("name")["time.cpu_seconds"].mean().dropna()
    how = comparison.networks()[0].training
    what = f"a training of the comparison, all threads, {how.precision}, {how.memory_format}"
    yield what, PROCESSOR, "min", seconds / 60
