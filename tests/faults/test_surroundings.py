"""Fault F18: languages, time zones, clocks, paths and homes that change nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from seglab import runs
from seglab.config import to_yaml

from .conftest import FULL
from .harness import difference, experiment, outcome, reference

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys, time
from seglab import models
from seglab.cli import main
from tests.faults import harness
models.REGISTRY["speck"] = harness
if sys.argv[1] == "back":
    began, now = time.time(), time.time
    time.time = lambda: now() - (24 * 3600 if now() > began + 1 else 0)
sys.exit(main(sys.argv[2:]))
"""
CASES = {
    "C": {"LC_ALL": "C"},
    "C.UTF-8": {"LC_ALL": "C.UTF-8"},
    "German": {"LC_ALL": "de_DE.UTF-8", "LANG": "de_DE.UTF-8"},
    "Turkish": {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"},
    "ASCII": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "east": {"TZ": "Pacific/Kiritimati"},
    "half an hour off": {"TZ": "America/St_Johns"},
    "clock set back": {},
    "path of all kinds": {},
    "path of all kinds in ASCII": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "read-only home": {"HOME": os.devnull, "SEGLAB_CACHE": "", "XDG_CACHE_HOME": ""},
    "other hashes": {"PYTHONHASHSEED": "1"},
}
SHORT = ("path of all kinds in ASCII", "read-only home")


@pytest.fixture(scope="module")
def expected(scenes12, tmp_path_factory):
    return reference(experiment(scenes12, epochs=1), tmp_path_factory.mktemp("reference") / "run")


@pytest.mark.parametrize("case", CASES if FULL else SHORT)
def test_f18_the_result_is_the_same(faults, scenes12, expected, tmp_path, case):
    folder = tmp_path / ("Größe 1 ☃ 'a b'" if "path" in case else "run")
    config = tmp_path / "config.yaml"
    config.write_text(to_yaml(experiment(scenes12, epochs=1)), encoding="utf-8")
    clock = "back" if case == "clock set back" else "on"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, clock, "train", "--config", str(config), "--out", str(folder)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", **CASES[case]},
        capture_output=True,
    )
    wrong = f"exit {done.returncode}: {done.stderr.decode(errors='replace')}" if done.returncode else None
    wrong = wrong or difference(expected, outcome(folder))
    faults.record("F18", 1, int(not wrong))
    assert not wrong, wrong
    assert runs.read_summary(folder)["time"]["seconds"] >= 0
