"""Faults are injected in small numbers with every test run, and in full with `SEGLAB_FAULTS=full`.

A full run keeps its numbers in `results/faults.json`, from which the table in the README comes.
"""

import json
import os
from pathlib import Path

import pytest

from seglab.datasets import street_scenes

FULL = os.environ.get("SEGLAB_FAULTS") == "full"
TABLE = Path(__file__).resolve().parents[2] / "results" / "faults.json"


class Faults:
    """Counts the injected faults of a session and those that did no harm, by the number of the fault plan."""

    def __init__(self) -> None:
        self.rows: dict[str, list[int]] = {}

    def count(self, short: int, full: int) -> int:
        """How many faults to inject: `full` of them in a full run, else `short`."""
        return full if FULL else short

    def record(self, fault: str, injected: int, survived: int) -> None:
        """Adds up numbers; to be called before the test asserts that they are equal.

        Args:
            fault: Number in the fault plan, such as `F8`; several tests may share one.
            injected: Faults injected.
            survived: Faults after which everything was as it should be.
        """
        row = self.rows.setdefault(fault, [0, 0])
        row[0] += injected
        row[1] += survived

    def write(self, path: Path) -> None:
        """Replaces the rows of this session's faults in a table of all faults."""
        known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        rows = {row["fault"]: row for row in known}
        for fault, (injected, survived) in self.rows.items():
            rows[fault] = {"fault": fault, "injected": injected, "survived": survived}
        ordered = sorted(rows.values(), key=lambda row: int(row["fault"].removeprefix("F")))
        lines = ",\n".join(f" {json.dumps(row)}" for row in ordered)
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


@pytest.fixture(scope="session")
def faults():
    recorder = Faults()
    yield recorder
    if FULL and recorder.rows:
        recorder.write(TABLE)


@pytest.fixture(scope="session")
def scenes12(own_cache, tmp_path_factory):
    """Folder of street scenes of 32x64 pixels: 12 to train on, 2 for val."""
    root = tmp_path_factory.mktemp("data") / "scenes12"
    return street_scenes.make(root, counts={"train": 12, "val": 2}, size=(32, 64), processes=1)
