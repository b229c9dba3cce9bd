"""The folder `results/` as tables: what figures, tables of the README and the report are made of. No torch.

    results/<study>/<name>/seed<k>/     runs (`seglab.runs`)
            models/<network>.json       what each network costs; `seglab models --cost 1024x2048 --save …`
            models/streams.csv          how the HRNets and Mini-HRNets are built; by the same command
            datasets/<name>.json        how often each class occurs
            camvid_comparison/latency.csv   time per picture; `seglab latency`
            lr_range/<study>/<name>/    range tests (`seglab.lr_curve`); `seglab lr-find … --out …`
            benchmarks/training_speed.json  seconds of a training step; `benchmarks/training_speed.py`
            benchmarks/gpu_latency.csv  time per picture on a GPU; `benchmarks/gpu_latency.py`
            faults.json                 faults injected, and how many of them a training survived
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from seglab import comparison, lr_curve, metrics, repeats, runs, samples
from seglab.config import Experiment
from seglab.errors import RunError
from seglab.lr_curve import LrCurve
from seglab.repeats import Repeat


class MissingResults(RunError):
    """What is asked for is not in the folder of results.

    Args:
        what: What is missing, and where.
        command: What makes it.
    """

    def __init__(self, what: str, command: str) -> None:
        super().__init__(f"{what}; `{command}` makes it")
        self.command = command


@dataclass(frozen=True)
class Results:
    """One folder of results; everything is read when it is asked for.

    Args:
        root: The folder, `results` in a checkout.
    """

    root: Path

    def __post_init__(self) -> None:
        if not self.root.is_dir():
            raise RunError(f"{self.root}: no folder of results; allowed is one like results/")

    @cached_property
    def runs(self) -> pd.DataFrame:
        """One row per finished run, as from `runs.load`; perhaps none."""
        return runs.load(self.root)

    def study(self, name: str, made_by: str) -> pd.DataFrame:
        """The finished runs of a study.

        Args:
            name: The study.
            made_by: The command that makes them, for the message.

        Raises:
            MissingResults: If there are none.
        """
        table = self.runs
        if not table.empty:
            table = table[table["study"] == name]
        if table.empty:
            raise MissingResults(f"{self.root}: no finished run of study {name!r}", made_by)
        return table

    def missing(self, experiments: Iterable[Experiment]) -> list[Experiment]:
        """Those of the planned experiments that have not ended."""
        table = self.runs
        done = set() if table.empty else set(zip(table["study"], table["name"], table["seed"], strict=True))
        return [one for one in experiments if (one.study, one.name, one.seed) not in done]

    @cached_property
    def tuning(self) -> pd.DataFrame:
        """What the learning rate was chosen by: mean IoU on the drive that was held out.

        Returns:
            One row per rate and one column per network, NaN where the run is missing; and their `mean`, NaN
            where one is missing.

        Raises:
            MissingResults: If there is none.
        """
        planned = comparison.tuning()
        made = self.study(planned[0].study, "seglab study-full")
        rates = [runs.read_experiment(folder).optimizer.lr for folder in made["folder"]]
        column = f"scores.{planned[0].data.eval_split}.mean_iou"
        table = made.assign(rate=rates).pivot_table(column, "rate", "model")
        networks = list(dict.fromkeys(one.model.name for one in planned))
        table = table.reindex(index=comparison.LEARNING_RATES, columns=networks)
        return table.assign(mean=table.mean(axis=1, skipna=False))

    @cached_property
    def comparison(self) -> pd.DataFrame:
        """The runs of the networks under the common training.

        Raises:
            MissingResults: If there are none.
        """
        return self._of_camvid({one.name for one in comparison.networks()})

    @cached_property
    def ablations(self) -> pd.DataFrame:
        """The runs of approach 3 with one thing changed, behind those of approach 3 itself.

        Raises:
            MissingResults: If one of the two is missing.
        """
        names = {one.name for one in comparison.ablations()}
        changed = self._of_camvid(names)
        base = comparison.ablations()[0].model.name  # it runs under its own name
        return pd.concat([self._of_camvid({base}), changed])

    @cached_property
    def on_camvid(self) -> pd.DataFrame:
        """All runs on CamVid, with a `label`: name, and study.

        But for those that only chose the learning rate, or tell one machine from another.

        Raises:
            MissingResults: If there are none.
        """
        table = self.runs
        if not table.empty:
            aside = table["study"].isin(comparison.ASIDE)
            aside |= table["name"].isin({one.name for one in comparison.ablations()})
            table = table[(table["data"] == "camvid") & ~aside]
        if table.empty:
            raise MissingResults(f"{self.root}: no finished run on CamVid", "seglab study-full")
        own = table["study"] != comparison.STUDY
        return table.assign(label=table["name"].where(~own, table["name"] + ", " + table["study"]))

    def _of_camvid(self, names: set[str]) -> pd.DataFrame:
        made_by = "seglab study-full"
        table = self.study(comparison.STUDY, made_by)
        table = table[table["name"].isin(names)]
        if table.empty:
            wanted = ", ".join(sorted(names))
            raise MissingResults(f"{self.root}: no finished run of {wanted}", made_by)
        return table

    @cached_property
    def networks(self) -> dict[str, dict]:
        """What each network costs at the size of Cityscapes, by name, the most multiply-adds first.

        Raises:
            MissingResults: If nothing was counted.
        """
        records = [_read_json(path, "macs") for path in sorted((self.root / "models").glob("*.json"))]
        if not records:
            raise self._missing("models", "seglab models --cost 1024x2048 --save results/models")
        return {one["name"]: one for one in sorted(records, key=lambda one: (-one["macs"], one["name"]))}

    def network(self, name: str) -> dict:
        """What one network costs.

        Raises:
            MissingResults: If it was not counted.
        """
        if name not in self.networks:
            raise self._missing(f"models/{name}.json", "seglab models --cost 1024x2048 --save results/models")
        return self.networks[name]

    def parts(self, network: str) -> pd.DataFrame:
        """What the outermost parts of a network cost: `part`, `params`, `macs`.

        Raises:
            MissingResults: If it was not counted.
        """
        table = pd.DataFrame(self.network(network)["modules"]).rename(columns={"name": "part"})
        outermost = ~table["part"].str.contains(".", regex=False) & ~table["part"].isin(["", "stages"])
        chosen = table[outermost | table["part"].str.startswith("stages.")]
        return chosen[["part", "params", "macs"]].reset_index(drop=True)

    @cached_property
    def streams(self) -> pd.DataFrame:
        """One row per network, step and stream: `network` and the columns of `analysis.structure`.

        Raises:
            MissingResults: If there is no such file.
        """
        made_by = "seglab models --cost 1024x2048 --save results/models"
        return self._table("models/streams.csv", made_by, "network")

    @cached_property
    def latency(self) -> pd.DataFrame:
        """Time per picture of the compared networks: `model`, `median_ms`, `p95_ms`, and its conditions.

        Raises:
            MissingResults: If it was not measured.
        """
        return self._table(f"{comparison.STUDY}/latency.csv", "seglab latency", "model", "median_ms")

    @cached_property
    def gpu_latency(self) -> pd.DataFrame:
        """Time per picture on a GPU: `model`, `median_ms`, `macs`, `cuda_graphs`, and the other conditions.

        Raises:
            MissingResults: If it was not measured.
        """
        made_by = "python benchmarks/gpu_latency.py --save"
        columns = "device", "precision", "memory_format", "cuda_graphs", "height", "width"
        return self._table("benchmarks/gpu_latency.csv", made_by, "model", "median_ms", "macs", *columns)

    @cached_property
    def training_speed(self) -> dict:
        """Seconds of a training step of some networks, and the conditions: the benchmark's own record.

        Raises:
            MissingResults: If it was not measured.
            RunError: If the file is damaged.
        """
        name = "benchmarks/training_speed.json"
        if not (self.root / name).is_file():
            raise self._missing(name, "python benchmarks/training_speed.py --save")
        return _read_json(self.root / name, "networks")

    @cached_property
    def datasets(self) -> dict[str, dict]:
        """Counts of each class, by name of the data set: `classes`, and by split `pixels` and `images`.

        Raises:
            MissingResults: If nothing was counted.
        """
        records = [_read_json(path, "name") for path in sorted((self.root / "datasets").glob("*.json"))]
        if not records:
            raise self._missing("datasets", "seglab data statistics NAME")
        return {one["name"]: one for one in records}

    @cached_property
    def faults(self) -> pd.DataFrame:
        """One row per kind of fault: `fault`, `injected`, `survived`.

        Raises:
            MissingResults: If none were injected.
        """
        path = self.root / "faults.json"
        if not path.is_file():
            raise self._missing("faults.json", "SEGLAB_FAULTS=full python -m pytest tests/faults")
        return pd.DataFrame(_read_json(path))[["fault", "injected", "survived"]]

    @cached_property
    def lr_ranges(self) -> list[tuple[Experiment, LrCurve]]:
        """The learning-rate range tests, sorted by study and name.

        Raises:
            MissingResults: If there are none.
        """
        folders = sorted(path.parent for path in self.root.glob("lr_range/*/*/curve.csv"))
        if not folders:
            raise self._missing("lr_range", "seglab lr-find RECIPE --out results/lr_range/STUDY/NAME")
        return [lr_curve.read(folder) for folder in folders]

    @cached_property
    def with_samples(self) -> pd.DataFrame:
        """The runs that keep samples of pictures, a row for each split: as `runs`, with `split`.

        Raises:
            MissingResults: If there are none.
        """
        table = self.runs
        if not table.empty:
            table = table.assign(split=table["folder"].map(samples.splits))
            table = table.explode("split").dropna(subset="split")
        if table.empty:
            raise MissingResults(f"{self.root}: no run keeps samples", "seglab samples RUN")
        return table

    @cached_property
    def repeated(self) -> dict[str, Repeat]:
        """The runs that were trained a second time, by folder below the root, and how that came out.

        Raises:
            MissingResults: If there are none.
        """
        tried = {folder: repeats.read(folder) for folder in runs.find(self.root)}
        found = {folder.relative_to(self.root).as_posix(): one for folder, one in tried.items() if one}
        if not found:
            raise MissingResults(f"{self.root}: no run was repeated", "seglab repeat RUN")
        return found

    def _table(self, name: str, made_by: str, *columns: str) -> pd.DataFrame:
        path = self.root / name
        if not path.is_file():
            raise self._missing(name, made_by)
        try:
            table = pd.read_csv(path)
        except ValueError as error:  # pandas' own errors are ValueErrors
            raise RunError(f"{path}: damaged ({' '.join(str(error).split())})") from None
        if missing := [column for column in columns if column not in table]:
            raise RunError(f"{path}: damaged (no column {', '.join(missing)})")
        return table

    def _missing(self, name: str, made_by: str) -> MissingResults:
        return MissingResults(f"{self.root / name}: no such results", made_by)


def _read_json(path: Path, field: str | None = None):
    """What a JSON file holds; with `field`, a mapping that has it."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise RunError(f"{path}: not a JSON file") from None
    if field is not None and not (isinstance(record, dict) and field in record):
        raise RunError(f"{path}: damaged (the field {field!r} is missing)")
    return record


def class_scores(table: pd.DataFrame, split: str) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """IoU of each class, averaged over the seeds of each run.

    Args:
        table: Rows of `Results.runs`, all of one data set.
        split: That they were scored on; runs without it are left out.

    Returns:
        One row per run name, the best mean IoU first, one column per class; and the class names.

    Raises:
        MissingResults: If no run was scored on the split.
    """
    scores: dict[str, list[np.ndarray]] = {}
    classes: tuple[str, ...] = ()
    for row in table.itertuples():
        if split in runs.splits(row.folder):
            confusion, classes = runs.read_confusion(row.folder, split)
            scores.setdefault(row.name, []).append(metrics.iou(confusion))
    if not scores:
        studies = ", ".join(sorted(set(table["study"])))
        how = f"seglab evaluate RUN --split {split}"
        raise MissingResults(f"{studies}: no run was scored on {split!r}", how)
    means = pd.DataFrame({name: np.mean(seeds, 0) for name, seeds in scores.items()}, index=classes).T
    return means.loc[means.mean(axis=1).sort_values(ascending=False, kind="stable").index], classes


def asked_again(run: Path | str) -> list[Path]:
    """The evaluations of a run's test split in several views: other scales, or the mirror image; sorted."""
    found = []
    for folder in runs.evaluations(run):
        how = runs.read_summary(folder)["inference"]
        if folder.name.startswith("test-") and (len(how["scales"]) > 1 or how["flip"]):
            found.append(folder)
    return found


def most_scales(run: Path | str) -> Path | None:
    """The evaluation of a run's test split at the most scales; None where there is none at more than one."""
    folders = [one for one in runs.evaluations(run) if one.name.startswith("test-")]
    scales = {folder: len(runs.read_summary(folder)["inference"]["scales"]) for folder in folders}
    best = max(scales, key=lambda folder: scales[folder], default=None)
    return best if best is not None and scales[best] > 1 else None


def summed_confusion(table: pd.DataFrame, split: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """The confusion matrices of runs that differ in their seed alone, added: int64 (K,K), and the names."""
    read = [runs.read_confusion(folder, split) for folder in table["folder"]]
    return np.sum([confusion for confusion, _ in read], axis=0), read[0][1]
