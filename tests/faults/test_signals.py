"""Fault F5: Ctrl-C and SIGTERM through the command line."""

import os
import signal
import time

import numpy as np
import pytest

from seglab import checkpoints
from seglab.cli import main
from seglab.config import to_yaml
from seglab.trainers.observers import Terminal

from .harness import (
    STEPS_PER_EPOCH,
    difference,
    exit_code,
    experiment,
    go,
    outcome,
    reference,
    run,
    server,
    start,
    wait,
)

NEVER_S = 1e9


def train_by_command(config, folder, steps, hangs_at):
    """`seglab train` that reports each step, as the leader of a group of processes, like in a terminal."""
    os.setpgid(0, 0)

    def report(terminal, progress):
        steps.send(progress.step)
        if progress.step == hangs_at:
            time.sleep(600)

    Terminal.step = report
    return main(["train", "--config", str(config), "--out", str(folder)])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("workers", [0, 2])
def test_f5_asked_to_stop(faults, scenes12, tmp_path, number, workers):
    # The one checkpoint is that of the stop.
    whole = experiment(scenes12, epochs=3, workers=workers, save_every_s=NEVER_S)
    config = tmp_path / "config.yaml"
    config.write_text(to_yaml(whole), encoding="utf-8")
    expected = reference(whole, tmp_path / "reference")
    rng = np.random.default_rng(number)
    injected, failures = faults.count(2, 25), []
    for case in range(injected):
        at, delay_s, twice = int(rng.integers(1, 2 * STEPS_PER_EPOCH)), rng.uniform(0, 0.02), case % 5 == 1
        wrong = stopped(whole, config, tmp_path / str(case), expected, number, at, delay_s, twice)
        if wrong:
            failures.append(
                f"F5: signal {number}, workers {workers}, step {at}, {delay_s=}, {twice=}: {wrong}"
            )
    faults.record("F5", injected, injected - len(failures))
    assert not failures, "\n".join(failures)


def stopped(whole, config, folder, expected, number, at, delay_s, twice) -> str | None:
    """Signals the whole group after a step, as a terminal does; answers what went wrong."""
    receiver, sender = server.Pipe(duplex=False)
    process = start(train_by_command, config, folder, sender, at if twice else -1)
    sender.close()
    steps = [receiver.recv()]
    while steps[-1] < at:
        steps.append(receiver.recv())
    time.sleep(delay_s)
    os.killpg(process.pid, number)
    if twice:  # the first one is only noted, for the step hangs
        time.sleep(0.3)
        if exit_code(process, 0) is not None:
            return "the first signal did not wait for the step"
        os.kill(process.pid, number)
    code = wait(process, patience_s=20)
    if twice:
        # A shell tells a death by SIGTERM as 143, too.
        if code not in (128 + number, -number):
            return f"exit {code} after the second signal"
    else:
        if code != 128 + number:
            return f"exit {code}"
        try:
            while True:
                steps.append(receiver.recv())
        except EOFError:
            pass
        saved = checkpoints.load_newest(folder / "checkpoints")[0]["steps"]
        if saved != steps[-1]:
            return f"saved after step {saved}, stopped after step {steps[-1]}"
    if (code := run(go, whole, folder)) != 0:
        return f"exit {code} on resuming"
    return difference(expected, outcome(folder))
