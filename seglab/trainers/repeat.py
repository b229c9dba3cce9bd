"""A finished run, trained once more from its own config.yaml: does it give the same?"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from seglab import repeats, runs
from seglab.errors import ConfigError, RunError
from seglab.repeats import Repeat
from seglab.trainers import record
from seglab.trainers.loop import train
from seglab.trainers.observers import Observer


def repeat(run: Path | str, observers: Sequence[Observer] = ()) -> tuple[Repeat, list[str]]:
    """Trains a run a second time, compares, and records the outcome in the run (`seglab.repeats`).

    The second run lies below `runs/repeats/`. One that was stopped goes on. It is removed where nothing
    differs, and kept to look at where something does.

    Args:
        run: A finished run.
        observers: Told of the progress.

    Returns:
        The comparison; and what of code, versions, machine, number format or data is another than it was for
        the first training, which may explain a difference.

    Raises:
        RunError: If the run has not ended or is damaged; or if an earlier repeat, which differed, is there.
        ConfigError: Under torchrun.
    """
    if "WORLD_SIZE" in os.environ:
        raise ConfigError("repeat: got several processes; allowed is one, without torchrun")
    first = runs.read_summary(run)["provenance"]
    experiment = runs.read_experiment(run)
    name = Path(experiment.study, experiment.name, f"seed{experiment.seed}")
    folder = runs.workspace() / "runs" / "repeats" / name
    if (folder / "summary.json").exists():
        raise RunError(f"{folder}: an earlier repeat, which differed, is still there; move it away")
    train(experiment, folder, resume=folder.exists(), observers=observers)
    found = repeats.compare(run, folder)
    repeats.write(run, found)
    if found.same:
        shutil.rmtree(folder)
    return found, record.changes(first, found.provenance)
