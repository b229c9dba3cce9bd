"""Tables between two markers of a Markdown file, made from `results/` and never by hand. No torch.

    <!-- table: networks -->
    …
    <!-- end -->
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable

import pandas as pd

from seglab import comparison as plan
from seglab import repeats, runs
from seglab.config import unknown
from seglab.differences import ablation_differences, points
from seglab.errors import ConfigError
from seglab.evidence import claims, unlearnt
from seglab.expectations import expectations
from seglab.machines import device_twins
from seglab.results import MissingResults, Results

_BETWEEN = re.compile(r"(<!-- table: (?P<name>\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
_NUMBER = re.compile(r"(?:[-+]?\d.{0,20}|-)$")  # or what begins with one: a unit, a size, a spread
_MARKER = re.compile(r"<!-- (?:table: \S+|end) -->")


def networks(results: Results) -> pd.DataFrame:
    """Parameters and multiply-adds of every network, beside those of its authors' code or paper."""
    rows = []
    for name, one in results.networks.items():
        stated, (height, width) = one["reference"], one["input_size"]
        size, own = "x".join(map(str, stated["input_size"])), stated["reconstructed"]
        rows.append(
            {
                "network": f"`{name}`",
                "parameters": f"{one['params']:,}",
                f"GMACs at {height}x{width}": f"{one['macs'] / 1e9:.1f}",
                "reference": "-" if own else f"{stated['params']:,}",
                "its GMACs": "-" if own else f"{stated['macs'] / 1e9:.1f} at {size}",
                "its classes": "-" if own else stated["num_classes"],
                "what the reference is, and the gap": stated["gap"],
            }
        )
    return pd.DataFrame(rows)


def comparison(results: Results) -> pd.DataFrame:
    """Every network under the common training: scores over the seeds, cost, and what a run took.

    Mean over the seeds ± the standard deviation of one. The unseen drive is the part of the test split that
    was never trained on, the other part continues a training drive. Times of training are those of one run on
    a processor.
    """
    table = results.comparison
    try:
        latency = results.latency.set_index("model")["median_ms"]
    except MissingResults:
        latency = pd.Series(dtype=float)
    planned = Counter(one.name for one in plan.networks())
    means = table.groupby("name")["scores.test.mean_iou"].mean().sort_values(ascending=False, kind="stable")
    rows = []
    for name in dict.fromkeys([*means.index, *planned]):
        of_name = table[table["name"] == name]
        rows.append(
            {
                "network": f"`{name}`",
                "seeds": f"{len(of_name)} of {planned[name]}",
                "runs on a GPU": f"{of_name['on_gpu'].sum()}" if len(of_name) else "-",
                "test mIoU (%)": spread(of_name["scores.test.mean_iou"]),
                "unseen drive": spread(of_name["scores.test_seq05vd.mean_iou"]),
                "continued drive": spread(of_name["scores.test_0001tp.mean_iou"]),
                "parameters": _mean(of_name, "cost.params", 1e6, "{:.2f} M"),
                "GMACs": _mean(of_name, "cost.macs", 1e9, "{:.2f}"),
                "one picture": f"{latency[name]:.0f} ms" if name in latency else "-",
                "training": _mean(of_name[~of_name["on_gpu"]], "time.seconds", 60, "{:.0f} min"),
                "CPU time": _mean(of_name[~of_name["on_gpu"]], "time.cpu_seconds", 60, "{:.0f} min"),
            }
        )
    return pd.DataFrame(rows)


def ablations(results: Results) -> pd.DataFrame:
    """Approach 3 with one thing changed at a time, and the difference from its own mean in points.

    The 95 % interval of the difference between the means is Student's, with the spread of a seed pooled over
    all networks of the comparison. Times of training are those of a processor.
    """
    table, column = results.ablations, "scores.test.mean_iou"
    base, changes = table["name"].iloc[0], 100 * ablation_differences(results)
    planned = Counter(one.name for one in [*plan.networks(), *plan.ablations()])
    rows = []
    for name in dict.fromkeys([base, *(one.name for one in plan.ablations())]):
        of_name = table[table["name"] == name]
        value, low, high = changes.loc[name] if name in changes.index else 3 * [math.nan]
        rows.append(
            {
                "run": f"`{name}`",
                "seeds": f"{len(of_name)} of {planned[name]}",
                "runs on a GPU": f"{of_name['on_gpu'].sum()}" if len(of_name) else "-",
                "test mIoU (%)": spread(of_name[column]),
                "difference": "-" if math.isnan(value) else f"{value:+.1f}",
                "95 % interval": "-" if math.isnan(low) else f"{low:+.1f} to {high:+.1f}",
                "parameters": _mean(of_name, "cost.params", 1e6, "{:.2f} M"),
                "GMACs": _mean(of_name, "cost.macs", 1e9, "{:.2f}"),
                "training": _mean(of_name[~of_name["on_gpu"]], "time.seconds", 60, "{:.0f} min"),
            }
        )
    return pd.DataFrame(rows)


def tuning(results: Results) -> pd.DataFrame:
    """Mean IoU (%) on a held-out training drive by learning rate; one rate is used for all networks."""
    table = results.tuning
    scores = (100 * table).map(lambda value: "-" if pd.isna(value) else f"{value:.1f}")
    scores.insert(0, "learning rate", [f"{rate:g}" for rate in table.index])
    return scores.assign(used=["yes" if rate == plan.LEARNING_RATE else "" for rate in table.index])


def budget(results: Results) -> pd.DataFrame:
    """What the study has taken so far: runs that have ended, their time, and that of all processor threads.

    Runs side by side share the processor, or the GPU, so hours are not those on the wall. Processor time was
    not recorded by the first runs, and is not counted where a GPU did the work.
    """
    table = results.runs
    if table.empty:
        raise MissingResults("no finished run", "seglab study-full")
    planned = [*plan.everything(), *plan.twins()]
    missing = Counter(one.study for one in results.missing(planned))
    whole = Counter(one.study for one in planned)
    rows = []
    for study in [*sorted({*whole, *table["study"]}), None]:
        chosen = table if study is None else table[table["study"] == study]
        left, number = (sum(each.values()) if study is None else each[study] for each in (missing, whole))
        here, there = chosen[~chosen["on_gpu"]], chosen[chosen["on_gpu"]]
        rows.append(
            {
                "study": "**all**" if study is None else f"`{study}`",
                "runs": f"{len(chosen)}",
                "missing": f"{left} of {number}" if number else "-",
                "hours on a processor": f"{here['time.seconds'].sum() / 3600:.1f}",
                "CPU hours, all threads": _processor_hours(here),
                "runs on a GPU": f"{len(there)}",
                "hours on a GPU": f"{there['time.seconds'].sum() / 3600:.1f}",
            }
        )
    return pd.DataFrame(rows)


def twins(results: Results) -> pd.DataFrame:
    """Mean IoU on CamVid's test split of runs with the same seed on a processor and on a GPU.

    The two machines differ in more than the device: see the sentences beside the table.
    """
    rows = []
    for name, pair in device_twins(results).iterrows():
        here, there = (f"{100 * pair[side]:.1f}" for side in ("processor", "gpu"))
        rows.append((f"`{name}`", here, there, points(pair["gpu"] - pair["processor"])))
    columns = ["network", "mIoU on a processor (%)", "mIoU on a GPU (%)", "difference"]
    return pd.DataFrame(rows, columns=columns)


def gpu_latency(results: Results) -> pd.DataFrame:
    """Milliseconds of a GPU for one picture, medians.

    One by one: the processor starts each kernel, as PyTorch does. Recorded: all starts are one, a CUDA graph,
    which leaves the GPU's own time. fp32 has its convolutions in TF32, as PyTorch does on such a GPU; bf16
    converts every weight for every picture.
    """
    table = results.gpu_latency
    if table.empty:
        raise MissingResults(f"{results.root}: no times of a GPU", "python benchmarks/gpu_latency.py --save")
    size = table["height"].astype(str) + "x" + table["width"].astype(str)
    way = table["cuda_graphs"].map({False: "one by one", True: "recorded"})
    how = size + ", " if size.nunique() > 1 else pd.Series("", table.index)
    how += table["precision"] + ", "
    if table["memory_format"].nunique() > 1:
        how += table["memory_format"] + ", "
    table = table.assign(how=how + way)
    wide = table.pivot(index="model", columns="how", values="median_ms")
    wide = wide[table["how"].unique()].sort_values(table["how"].iloc[0])
    shown = wide.map(lambda value: "-" if pd.isna(value) else f"{value:.1f}").add_suffix(" (ms)")
    macs = table.groupby("model")["macs"].first()[shown.index] / 1e9
    shown.insert(0, f"GMACs at {size.iloc[0]}", macs.map("{:.1f}".format))
    shown.insert(0, "network", [f"`{name}`" for name in shown.index])
    return shown


def _processor_hours(table: pd.DataFrame) -> str:
    known = table.get("time.cpu_seconds", pd.Series(dtype=float)).dropna()
    if known.empty:
        return "-"
    of_some = "" if len(known) == len(table) else f" ({len(known)} run{'s' * (len(known) > 1)})"
    return f"{known.sum() / 3600:.1f}{of_some}"


def repeated(results: Results) -> pd.DataFrame:
    """Runs that were trained a second time from their own config.yaml, and what was the same to the digit.

    The code is named by its commits, of the first and of the second training.
    """
    rows = []
    for name, repeat in results.repeated.items():
        folder = results.root / name
        first = runs.read_summary(folder)["provenance"].get("code_revision", "-")
        rows.append(
            {
                "run": f"`{name}`",
                "epochs": f"{len(runs.read_history(folder))}",
                **{what: repeat.compared.get(what, "-") for what in repeats.COMPARED},
                "code": f"{first}, {repeat.provenance['code_revision']}",
            }
        )
    return pd.DataFrame(rows)


def phases(results: Results) -> pd.DataFrame:
    """Mini-UNet's schedule, what it is without one of its ideas, and with one of two mistakes.

    All saw the same number of pixels. `not_pretrained` is not frozen either, so its partner is `not_frozen`.
    `unfrozen_fast` and `not_resized_half_batch` keep what leaving out one idea changes beside it. `leak` and
    `interpolated_masks` are mistakes of the reproduction in PyTorch, made on purpose; the first is meant to
    inflate the validation score.
    """
    table = results.study("soccer_phases", "seglab study-full")
    means = runs.over_seeds(table, "scores.test.mean_iou").set_index("name")["mean"]
    rows = []
    for name in means.sort_values(ascending=False, kind="stable").index:
        of_name = table[table["name"] == name]
        rows.append(
            {
                "schedule": f"`{name}`",
                "seeds": len(of_name),
                "val mIoU (%)": spread(of_name["scores.val.mean_iou"]),
                "test mIoU (%)": spread(of_name["scores.test.mean_iou"]),
            }
        )
    return pd.DataFrame(rows)


# What is done to seglab in each fault of `tests/faults`.
FAULTS = {
    "F1": "a training is killed at any operation on the disk while it saves",
    "F2": "the disk is full or fails at any of these operations",
    "F3": "a training is killed at a random instant",
    "F4": "a training is stopped after any step, and resumed",
    "F5": "Ctrl-C or SIGTERM, once and twice",
    "F6": "checkpoints with flipped bits, cut off, exchanged, or of another network",
    "F7": "checkpoints, weights and configurations that hold code",
    "F8": "damaged pictures, and files that are no pictures",
    "F9": "pictures and archives that unpack to a thousand times their size",
    "F10": "picture and mask of different sizes, or one without the other",
    "F11": "masks with every value, legal or not",
    "F12": "NaN or infinity in pictures, loss, gradients or weights",
    "F13": "a process that loads pictures is killed, crashes or hangs",
    "F14": "downloads that break off, or bring something else",
    "F15": "archives that would write outside their folder",
    "F16": "hostile names of runs, networks and files",
    "F17": "two trainings in one folder, with and without file locks",
    "F18": "other languages, time zones, clocks, paths and homes",
    "F20": "random and absurd configurations",
}


def faults(results: Results) -> pd.DataFrame:
    """Faults that were injected into trainings and what they rest on, and how many did no harm."""
    table = results.faults.rename(columns={"fault": "code"})
    table.insert(0, "fault", table["code"].map(FAULTS.__getitem__))
    return table


TABLES: dict[str, Callable[[Results], pd.DataFrame]] = {
    "networks": networks,
    "comparison": comparison,
    "unlearnt": unlearnt,
    "budget": budget,
    "repeated": repeated,
    "tuning": tuning,
    "ablations": ablations,
    "claims": claims,
    "expectations": expectations,
    "twins": twins,
    "gpu_latency": gpu_latency,
    "phases": phases,
    "faults": faults,
}


def spread(values: Iterable[float]) -> str:
    """Fractions as a mean in per cent, with the standard deviation of single values where there are two."""
    series = pd.Series(values).dropna() * 100
    if series.empty:
        return "-"
    return f"{series.mean():.1f}" + (f" ± {series.std():.1f}" if len(series) > 1 else "")


def _mean(table: pd.DataFrame, column: str, unit: float, form: str) -> str:
    """The mean of a column of runs in a unit, or a dash where nothing is known."""
    known = table[column].dropna() if column in table else pd.Series(dtype=float)
    return "-" if known.empty else form.format(known.mean() / unit)


def markdown(table: pd.DataFrame) -> str:
    """A table in Markdown; columns of numbers stand to the right, and all others to the left."""
    cells = table.astype(str)
    rule = ["---:" if cells[name].str.match(_NUMBER).all() else ":---" for name in table.columns]
    lines = [list(table.columns), rule, *cells.values.tolist()]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def fill(text: str, results: Results) -> str:
    """A Markdown text with its tables made anew; where results are missing, a line says so.

    Raises:
        ConfigError: If a marker names no table or has no counterpart.
    """

    def renew(found: re.Match[str]) -> str:
        name = found["name"]
        if name not in TABLES:
            raise ConfigError(unknown(f"table {name!r}", name, TABLES))
        try:
            content = markdown(TABLES[name](results))
        except MissingResults as missing:
            content = f"*There are no results for this table yet; `{missing.command}` makes them.*\n"
        return f"{found[1]}\n{content}\n{found[3]}"

    filled = _BETWEEN.sub(renew, text)
    if len(_MARKER.findall(text)) != 2 * len(_BETWEEN.findall(text)):
        raise ConfigError("a marker `<!-- table: NAME -->` without its `<!-- end -->`, or the reverse")
    return filled
