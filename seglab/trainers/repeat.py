"""A finished run, trained once more from its own config.yaml: does it give the same?"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from seglab import repeats, runs
from seglab.config import config_hash
from seglab.errors import ConfigError
from seglab.repeats import Repeat
from seglab.trainers import record
from seglab.trainers.interruption import Interrupted
from seglab.trainers.loop import train
from seglab.trainers.observers import Observer


def repeat(run: Path | str, observers: Sequence[Observer] = ()) -> tuple[Repeat, list[str], Path]:
    """Trains a run a second time, compares, and records the outcome in the run (`seglab.repeats`).

    The second run lies below `runs/repeats/`. One that was stopped goes on; one that has ended is compared
    without being trained again. It is removed where nothing differs, and kept where something does.

    Args:
        run: A finished run.
        observers: Told of the progress.

    Returns:
        The comparison; what of code, versions, machine, number format or data is another than it was for the
        first training, or for an earlier sitting of it, which may explain a difference; and the folder of
        the second run.

    Raises:
        RunError: If the run has not ended, or is damaged; before anything is trained.
        ConfigError: Under torchrun, with several processes.
        Interrupted: After Ctrl-C or SIGTERM; the next call goes on.
    """
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise ConfigError("repeat: got several processes; allowed is one, without torchrun")
    first = runs.read_summary(run)["provenance"]
    repeats.compare(run, run)  # reads all that will be compared
    experiment = runs.read_experiment(run)
    name = f"{experiment.name}-seed{experiment.seed}-{config_hash(experiment)}"
    folder = runs.workspace() / "runs" / "repeats" / experiment.study / name
    if not (folder / "summary.json").exists():
        try:
            train(experiment, folder, resume=folder.exists(), observers=observers)
        except Interrupted as stop:
            how = f"stopped; to go on: seglab repeat {run}"
            raise Interrupted(how, stop.exit_code - 128) from None
    found = repeats.compare(run, folder)
    repeats.write(run, found)
    if found.same:
        shutil.rmtree(folder)
    now = found.provenance
    changes = record.changes(first, now)
    for sitting in first.get("sittings", []):
        changes += [f"{name} up to step {sitting['until_step']}" for name in record.changes(sitting, now)]
    return found, changes, folder
