"""A trained network for those who only want to look at one, as the notebooks do."""

from __future__ import annotations

import os
from pathlib import Path

from seglab import runs
from seglab.config import Experiment, config_hash
from seglab.recipes import recipe
from seglab.trainers.loop import train

RUN = "SEGLAB_RUN"


def runs_with_weights(data: str) -> list[Path]:
    """The study's finished runs on a data set whose weights are kept, sorted."""
    found = runs.find(runs.workspace() / "results" / data)
    return [folder for folder in found if (folder / runs.WEIGHTS).is_file()]


def ready_run(data: str = "street_scenes", name: str = "minihrnet_a3") -> Path:
    """A run folder with weights.

    It is the one that the environment variable `SEGLAB_RUN` names, counted from the workspace; else one of
    the study, this network's before others; else one that is trained now and kept for the next time.

    Args:
        data: Data set of the run.
        name: Recipe, whose quick profile is trained where there is nothing.
    """
    if RUN in os.environ:
        return runs.workspace() / Path(os.environ[RUN]).expanduser()
    if found := runs_with_weights(data):
        return min(found, key=lambda folder: runs.read_experiment(folder).name != name)
    return trained_once(recipe(name, data, "quick"))


def trained_once(experiment: Experiment) -> Path:
    """The folder, below `runs/`, of exactly this experiment; it is trained if that was not done before.

    Args:
        experiment: A small one: nobody is asked before it is trained.
    """
    folder = runs.workspace() / "runs" / "ready" / f"{experiment.name}-{config_hash(experiment)}"
    if not (folder / "summary.json").is_file():
        train(experiment, folder, resume=folder.exists())
    return folder
