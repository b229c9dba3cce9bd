"""Fault F13: loader processes that are killed, crash, stop, or meet a damaged picture."""

import shutil
import signal
import time

import psutil
import pytest

from .conftest import FULL
from .harness import difference, experiment, go, outcome, reference, run, start, survivors, wait, wait_until

ENDS_WITHIN_S = 15 if FULL else 60  # a full run has the machine for itself
HARM = {
    "killed": signal.SIGKILL,
    "crashed": signal.SIGSEGV,
    "stopped": signal.SIGSTOP,
    "damaged picture": None,
}


@pytest.fixture(scope="module")
def expected(scenes12, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    return reference(experiment(scenes12, epochs=3), folder / "run")


@pytest.mark.parametrize("harm", HARM)
def test_f13_a_loader_process_fails(faults, scenes12, expected, tmp_path, harm):
    def ended_and_resumed(case):
        data, folder, log = tmp_path / f"data{case}", tmp_path / f"run{case}", tmp_path / f"log{case}"
        shutil.copytree(scenes12, data)
        whole = experiment(data, epochs=3, workers=2, cache_gib=0.0)
        process = start(go, whole, folder, log=log)
        # The loader processes work for some batches in advance; after these steps there are many to come.
        if not wait_until(lambda: steps_saved(folder) > case % 5):
            return "did not begin"
        workers = psutil.Process(process.pid).children()
        began = time.monotonic()
        if HARM[harm] is None:
            pictures = {path: path.read_bytes() for path in sorted(data.rglob("*.png"))}
            for path, content in pictures.items():
                path.write_bytes(content[: len(content) // 2])
        else:
            workers[case % 2].send_signal(HARM[harm])
        code = wait(process)
        took_s = time.monotonic() - began
        said = log.read_text(encoding="utf-8") if log.exists() else ""
        named = ".png" in said and str(data) in said
        if code != 6 or not (named or "between two epochs" in said):
            return f"exit {code}, said {said!r}"
        if took_s > ENDS_WITHIN_S:
            return f"took {took_s:.1f} s"
        if not wait_until(lambda: not any(map(is_alive, workers)), patience_s=10):
            return f"left {[worker for worker in workers if is_alive(worker)]}"
        if HARM[harm] is None:
            for path, content in pictures.items():
                path.write_bytes(content)
        if (code := run(go, whole, folder)) != 0:
            return f"exit {code} on resuming"
        return difference(expected, outcome(folder))

    # Most of the time is spent waiting.
    survivors(faults, "F13", ended_and_resumed, [(case,) for case in range(faults.count(1, 20))], at_once=4)


def is_alive(process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def steps_saved(folder) -> int:
    names = [path.name for path in (folder / "checkpoints").glob("step-*")]
    return max((int(name[5:13]) for name in names), default=0)
