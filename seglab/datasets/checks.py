"""The doctor: reads a whole data set and says what is wrong with it, before a training stumbles over it.

An *error* is a file that cannot be used, a picture that two splits share, or a split without a labelled
pixel: no score on such data means what it seems to mean. A *warning* is what may be meant so: a class that
does not occur, a mask that is nearly empty, a recording of which two splits have parts.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image
from tqdm import tqdm

from seglab.datasets import create_dataset, dataset_info
from seglab.datasets.base import SegmentationDataset, num_cores
from seglab.datasets.statistics import ClassFrequencies, count_ids, sum_up
from seglab.errors import DataError
from seglab.runs import write_text

MIN_LABELLED = 0.01  # share of a mask's pixels; below, it is nearly empty
# Correlation of two thumbnails from which on they show the same picture. Compression, brighter light and a
# slightly other crop of one picture stay above it; pictures of CamVid that lie in two splits reach 0.965.
NEAR_DUPLICATE = 0.99
_THUMBNAIL = (16, 16)
_SHOWN = 10  # findings of one kind that are printed, of perhaps thousands


@dataclass(frozen=True)
class Finding:
    """Something that the doctor has found.

    Args:
        level: How bad it is.
        kind: `layout` (the split cannot be opened), `pair` (a pair cannot be read), `duplicate`,
            `near duplicate`, `missing class`, `empty mask`, `sizes` or `recording`.
        split: Where.
        message: A sentence for people, with the files.
    """

    level: Literal["error", "warning"]
    kind: str
    split: str
    message: str


@dataclass(frozen=True)
class CheckReport:
    """What reading a split has shown.

    Args:
        problems: One sentence for each pair that cannot be used; empty if all is well.
        frequencies: Counts over the pairs that can be used.
        missing: Names of the classes that occur in none of them; not a problem by itself.
        findings: What else there is to say about classes, single pictures and sizes.
        sizes: Pictures by height and width.
        pixels: SHA-256 of every usable picture's pixels, by its path.
        thumbnails: float32 (N, 256), rows of length 1 (or 0) with mean 0, in the order of `pixels`.
    """

    problems: tuple[str, ...]
    frequencies: ClassFrequencies
    missing: tuple[str, ...]
    findings: tuple[Finding, ...]
    sizes: Mapping[tuple[int, int], int]
    pixels: Mapping[Path, bytes]
    thumbnails: np.ndarray


@dataclass(frozen=True)
class Diagnosis:
    """What the doctor says about a data set.

    Args:
        name: The data set.
        splits: Of each split that was read: pictures, sizes, and of each class its share of the labelled
            pixels and of the pictures.
        parts: Splits that are meant to consist of pictures of others (`DatasetInfo.parts`), and of which;
            they are not compared.
        closeness: Of each two splits the median similarity, in [-1, 1], of a picture of the first to its
            nearest in the second; of a split with itself, to its nearest other one.
        findings: All of them, in the order of the splits.
    """

    name: str
    splits: dict[str, dict]
    parts: dict[str, list[str]]
    closeness: dict[str, dict[str, float]]
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> int:
        return sum(finding.level == "error" for finding in self.findings)

    def __str__(self) -> str:
        lines = []
        for split, facts in self.splits.items():
            near = self.closeness.get(split, {})
            text = ", ".join(
                f"{value:.2f} {'within' if other == split else f'to {other}'}"
                for other, value in near.items()
            )
            lines.append(
                f"{self.name} {split}: {facts['pairs']} pairs, {facts['problems']} problems"
                + (f"; similarity {text}" if text else "")
            )
        lines += [f"{self.name} {split}: pictures of {', '.join(of)}" for split, of in self.parts.items()]
        for kind, group in itertools.groupby(self.findings, lambda f: f"  {f.level} ({f.kind}) in {f.split}"):
            messages = [finding.message for finding in group]
            lines += [f"{kind}: {message}" for message in messages[:_SHOWN]]
            if len(messages) > _SHOWN:
                lines.append(f"{kind}: {len(messages) - _SHOWN} more; the JSON report has all")
        verdict = "cannot be trusted yet" if self.errors else "can be used"
        counts = f"{self.errors} errors, {len(self.findings) - self.errors} warnings"
        return "\n".join([*lines, f"{self.name} {verdict}: {counts}"])

    def write(self, path: Path) -> None:
        """Writes everything as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n")


def diagnose(
    name: str, root: Path | str | None = None, say: Callable[[str], None] = lambda text: None
) -> Diagnosis:
    """Reads every pair of a data set once and compares its splits.

    Args:
        name: As for `create_dataset`.
        root: As for `create_dataset`.
        say: Told what is being read.

    Raises:
        ConfigError: If the name is unknown.
        DataError: If no split at all can be opened.
    """
    reports: dict[str, CheckReport] = {}
    datasets: dict[str, SegmentationDataset] = {}
    findings: list[Finding] = []
    parts: dict[str, list[str]] = {}
    info = dataset_info(name)
    for split in info.splits:
        try:
            dataset = create_dataset(name, split, root)
        except DataError as error:
            findings.append(Finding("error", "layout", split, str(error)))
            continue
        known = {s: {sample.image for sample in one.samples} for s, one in datasets.items() if s not in parts}
        images = {sample.image for sample in dataset.samples}
        if split in info.parts and images <= set().union(*known.values()):
            parts[split] = [other for other, theirs in known.items() if theirs & images]
            if set(dataset.samples) <= {sample for one in datasets.values() for sample in one.samples}:
                continue  # not even the masks are others, as coarse ones would be
        say(f"reading {dataset.name} {split}")
        datasets[split], reports[split] = dataset, check(dataset)
        findings += [Finding("error", "pair", split, problem) for problem in reports[split].problems]
        findings += reports[split].findings
    if not reports:
        raise DataError(findings[0].message)
    compared = {split: report for split, report in reports.items() if split not in parts}
    findings += _duplicates(compared)
    findings += _near_duplicates(compared)
    findings += _shared_recordings({split: datasets[split] for split in compared})
    return Diagnosis(
        info.name,
        {split: _facts(datasets[split], report) for split, report in reports.items()},
        parts,
        {split: _closeness(split, compared) for split in compared},
        tuple(findings),
    )


def check(dataset: SegmentationDataset) -> CheckReport:
    """Reads every pair of a split and collects all problems, not only the first."""

    def look(index: int) -> _Look | DataError:
        try:
            if not dataset.labelled:
                return _look(dataset.read_image(index), None)
            return _look(*dataset.read(index))
        except DataError as error:
            return error

    with ThreadPoolExecutor(num_cores()) as pool:
        title = f"checking {dataset.name} {dataset.split}"
        results = list(
            tqdm(pool.map(look, range(len(dataset))), title, len(dataset), leave=False, disable=None)
        )
    problems = tuple(str(result) for result in results if isinstance(result, DataError))
    looks = {
        sample.image: look
        for sample, look in zip(dataset.samples, results, strict=True)
        if not isinstance(look, DataError)
    }
    counts = [look.counts for look in looks.values() if look.counts is not None]
    frequencies = sum_up(counts, dataset.labels.num_classes)
    absent = (frequencies.pixels == 0) & bool(counts)
    missing = tuple(name for name, gone in zip(dataset.labels.classes, absent, strict=True) if gone)
    sizes: dict[tuple[int, int], int] = defaultdict(int)
    for look in looks.values():
        sizes[look.size] += 1
    thumbnails = np.array([look.thumbnail for look in looks.values()]).reshape(
        len(looks), math.prod(_THUMBNAIL)
    )
    pixels = {path: look.pixels for path, look in looks.items()}
    findings = tuple(_findings(dataset, looks, missing, sizes))
    return CheckReport(problems, frequencies, missing, findings, dict(sizes), pixels, thumbnails)


@dataclass(frozen=True)
class _Look:
    """What is kept of a pair: pixels of each train id (None without a mask), size, identity, thumbnail."""

    counts: np.ndarray | None
    size: tuple[int, int]
    pixels: bytes
    thumbnail: np.ndarray


def _look(image: np.ndarray, mask: np.ndarray | None) -> _Look:
    picture = Image.fromarray(image)
    # Twice as fast as scaling at once, and nearly the same: first by whole factors, then to the size.
    factor = max(1, min(image.shape[:2]) // (4 * min(_THUMBNAIL)))
    grey = picture.reduce(factor).convert("L").resize(_THUMBNAIL, Image.Resampling.BOX)
    values = np.asarray(grey, np.float32).reshape(-1)
    values = values - values.mean()
    length = float(np.linalg.norm(values))
    return _Look(
        None if mask is None else count_ids(mask),
        image.shape[:2],
        hashlib.sha256(repr(image.shape).encode() + image.tobytes()).digest(),
        values / length if length else values,
    )


def _findings(
    dataset: SegmentationDataset,
    looks: Mapping[Path, _Look],
    missing: tuple[str, ...],
    sizes: Mapping[tuple[int, int], int],
) -> Iterable[Finding]:
    split = dataset.split
    if missing:
        none = len(missing) == dataset.labels.num_classes
        what = "any class; check the ids and `ignore`" if none else ", ".join(missing)
        yield Finding("error" if none else "warning", "missing class", split, f"no picture shows {what}")
    for sample in dataset.samples:
        if (look := looks.get(sample.image)) is None or look.counts is None:
            continue
        labelled = look.counts[: dataset.labels.num_classes].sum() / look.counts.sum()
        if labelled < MIN_LABELLED:
            message = f"{sample.mask}: {labelled:.2%} of the pixels are labelled, the rest is ignored"
            yield Finding("warning", "empty mask", split, message)
    if len(sizes) > 1:
        listing = ", ".join(f"{n} of {h} x {w}" for (h, w), n in sorted(sizes.items()))
        yield Finding("warning", "sizes", split, f"the pictures differ in height x width: {listing}")


def _duplicates(reports: Mapping[str, CheckReport]) -> Iterable[Finding]:
    """Pictures with the same pixels: an error where two splits have them, a single one for a whole split."""
    places: dict[bytes, list[tuple[str, Path]]] = defaultdict(list)
    for split, report in reports.items():
        for path, digest in report.pixels.items():
            places[digest].append((split, path))
    for split, report in reports.items():
        firsts = {path: places[digest][0] for path, digest in report.pixels.items()}
        twins = {path: first for path, first in firsts.items() if first != (split, path)}
        if len(firsts) == len(twins) > 1:
            others = " and ".join(dict.fromkeys(other for other, _ in twins.values()))
            message = f"all {len(twins)} pictures of {split} are also in {others}"
            yield Finding("error", "duplicate", split, message)
            continue
        for path, (other, twin) in twins.items():
            level = "warning" if split == other else "error"
            yield Finding(level, "duplicate", split, f"{path}: the same picture as {twin} of {other}")


def _near_duplicates(reports: Mapping[str, CheckReport]) -> Iterable[Finding]:
    """Pictures of two splits that look alike, though their pixels differ."""
    splits = list(reports)
    for i, first in enumerate(splits):
        a = reports[first]
        for second in splits[i + 1 :]:
            b = reports[second]
            if not (a.pixels and b.pixels):
                continue
            paths = list(a.pixels)
            for twin, index, value in zip(b.pixels, *_nearest(b, a), strict=True):
                path = paths[index]
                if value >= NEAR_DUPLICATE and b.pixels[twin] != a.pixels[path]:
                    message = f"{twin}: looks like {path} of {first} (similarity {value:.3f})"
                    yield Finding("warning", "near duplicate", second, message)


def _shared_recordings(datasets: Mapping[str, SegmentationDataset]) -> Iterable[Finding]:
    """Recordings, as the names begin with before the first `_`, of which two splits have pictures."""
    recordings: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for split, dataset in datasets.items():
        for name in dataset.names:
            if "_" in name:
                recordings[name.split("_")[0]][split] += 1
    if len(recordings) < 2:  # all names begin alike: that is no recording
        return
    for recording, counts in sorted(recordings.items()):
        (first, number), *others = counts.items()
        for split, others_number in others:
            message = (
                f"{others_number} of {len(datasets[split])} pictures are of {recording}, which has {number} "
                f"in {first}, too: a score on {split} says less about new places than it seems to"
            )
            yield Finding("warning", "recording", split, message)


def _nearest(a: CheckReport, b: CheckReport) -> tuple[np.ndarray, np.ndarray]:
    """For each picture of `a` the index of the most similar other one of `b`, and the similarity."""
    indices, values = [], []
    for start in range(0, len(a.thumbnails), 1024):  # all at once could take more memory than there is
        similarity = a.thumbnails[start : start + 1024] @ b.thumbnails.T
        if a is b:
            rows = np.arange(len(similarity))
            similarity[rows, start + rows] = -1
        indices.append(similarity.argmax(1))
        values.append(similarity.max(1))
    return np.concatenate(indices), np.concatenate(values)


def _closeness(split: str, reports: Mapping[str, CheckReport]) -> dict[str, float]:
    """Median similarity of the pictures of a split to their nearest ones in each split, rounded."""
    a = reports[split]
    enough = {other: b for other, b in reports.items() if a.pixels and len(b.pixels) > (b is a)}
    return {other: round(float(np.median(_nearest(a, b)[1])), 4) for other, b in enough.items()}


def _facts(dataset: SegmentationDataset, report: CheckReport) -> dict:
    f = report.frequencies
    return {
        "pairs": len(dataset),
        "problems": len(report.problems),
        "sizes": {f"{height}x{width}": n for (height, width), n in sorted(report.sizes.items())},
        "share_of_labelled_pixels": dict(
            zip(dataset.labels.classes, (f.pixels / max(1, f.pixels.sum())).round(6).tolist(), strict=True)
        ),
        "pictures_with_class": dict(zip(dataset.labels.classes, f.images.tolist(), strict=True)),
    }
