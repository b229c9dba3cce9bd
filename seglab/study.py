"""The main job: notebook 03 from a fresh clone to a trained network, the figures, and where to look."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from tqdm import tqdm

from seglab import runs
from seglab.config import Experiment, to_yaml
from seglab.errors import ConfigError, RunError

NOTEBOOK = "03"
# Where notebook 03 puts its runs, below the workspace.
RUNS = Path("runs", "notebook03")


def run_study() -> None:
    """Runs notebook 03 without a browser, redraws the figures, and prints what was reached."""
    from seglab import notebooks
    from seglab.plots import draw

    started = time.monotonic()
    source = notebooks.find(NOTEBOOK)
    target = runs.workspace() / RUNS / source.name
    print(f"Running {source.name}; a copy with its outputs will be {_shown(target)}", flush=True)
    os.environ.setdefault("SEGLAB_DATASET", "street_scenes")
    notebooks.execute(source, target, watch=_show)
    newest = max((runs.workspace() / RUNS).glob("run*/summary.json"), key=os.path.getmtime).parent
    print("\n" + _verdict(newest), flush=True)

    drawn = draw(results=runs.workspace() / "results", figures=runs.workspace() / "figures")
    print(f"Figures redrawn from results/: {', '.join(_shown(p) for p in drawn if p.suffix == '.png')}")
    print(
        f"Look at:   {_shown(target)} (curves, predictions, per-class IoU)\n"
        f"           {_shown(newest)} (config, history, confusion matrices)\n"
        "Play with: make lab\n"
        f"Time:      {_minutes(time.monotonic() - started)}"
    )


def run_full_study(at_once: int = 1) -> None:
    """Trains what is missing of every study, and redraws the figures.

    Runs are made on a GPU where there is one. Also made are the twins, of runs that another machine made.

    Args:
        at_once: Trainings side by side.

    Raises:
        DataError: If CamVid is not on this machine, before anything is run.
        RunError: As `train_missing` does.
    """
    import torch

    from seglab import comparison
    from seglab.datasets import create_dataset
    from seglab.plots import draw

    create_dataset("camvid", "train")
    train_missing(comparison.everything(), at_once)
    train_missing(_twins(torch.cuda.is_available()), at_once)
    draw(results=runs.workspace() / "results", figures=runs.workspace() / "figures")


def train_missing(experiments: Iterable[Experiment], at_once: int = 1) -> None:
    """Trains what is not there yet, each in a process of its own; what was stopped goes on.

    One that fails does not keep the others from running; the logs are below `runs/logs`.

    Args:
        experiments: What to run, in this order.
        at_once: Trainings side by side. On a processor one is best; a GPU has room for several small ones.

    Raises:
        ConfigError: If `at_once` is below 1.
        RunError: If a folder holds another experiment, before anything is run; or, at the end, naming those
            that failed.
    """
    if at_once < 1:
        raise ConfigError(f"--at-once: got {at_once}; allowed is 1 or more")
    missing = [experiment for experiment in experiments if not _is_there(experiment)]
    failed = []
    with ThreadPoolExecutor(at_once) as pool, TemporaryDirectory() as configs:
        done = pool.map(lambda one: _train_apart(one, Path(configs)), missing)
        for experiment, code in zip(missing, tqdm(done, "training", len(missing), unit="run"), strict=True):
            if code:
                failed.append(f"{experiment.name} seed {experiment.seed} (exit {code})")
    if failed:
        raise RunError(f"these trainings failed: {', '.join(failed)}; their logs are below runs/logs")


def measure_latency() -> Path:
    """Times every network of the comparison for one picture on the processor, and records it in `results/`.

    The numbers hold for this machine, its threads and this moment: nothing else should run.

    Returns:
        The file; an earlier one is replaced, since times are compared within one measurement only.
    """
    import torch

    from seglab import comparison
    from seglab.analysis.latency import latency
    from seglab.evaluation.execution import Execution
    from seglab.labels import CAMVID11
    from seglab.models import create_model

    experiments = {one.name: one for one in comparison.networks()}
    models = {}
    for name, one in experiments.items():
        model = one.model.untrained
        models[name] = create_model(model.name, CAMVID11.num_classes, **model.options)
    size = next(iter(experiments.values())).data.input_size
    table = latency(models, size, Execution(torch.device("cpu")))
    table = table.assign(height=size[0], width=size[1]).round({"median_ms": 2, "p95_ms": 2})
    path = runs.workspace() / "results" / comparison.STUDY / "latency.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    runs.write_text(path, table.to_csv(index=False))
    return path


def _twins(has_gpu: bool) -> list[Experiment]:
    """The comparison's twins that this machine can make, of runs that were made on the other kind."""
    from seglab import comparison

    table = runs.load(runs.workspace() / "results").query("study == @comparison.STUDY")
    made = set(zip(table["name"], table["seed"], table["on_gpu"], strict=True))
    chosen = []
    for one in comparison.twins():
        on_cpu = one.training.device == "cpu"
        if (on_cpu or has_gpu) and (one.name, one.seed, on_cpu) in made:
            chosen.append(one)
    return chosen


def _is_there(experiment: Experiment) -> bool:
    folder = runs.default_folder(experiment)
    if not folder.exists():
        return False
    if runs.read_experiment(folder) != experiment:
        raise RunError(f"{folder}: its config.yaml is of another experiment; move the folder away")
    return (folder / "summary.json").exists()


def _train_apart(experiment: Experiment, configs: Path) -> int:
    """Trains in a process of its own; returns its exit code."""
    folder = runs.default_folder(experiment)
    log = runs.workspace() / "runs" / "logs" / experiment.study / f"{experiment.name}-{experiment.seed}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    if folder.exists():
        what = ["--resume", str(folder)]
    else:
        config = configs / f"{experiment.study}-{experiment.name}-{experiment.seed}.yaml"
        config.write_text(to_yaml(experiment), encoding="utf-8")
        what = ["--config", str(config), "--out", str(folder)]
    with log.open("a", encoding="utf-8") as file:
        program = "from seglab.cli import main; raise SystemExit(main())"
        command = [sys.executable, "-c", program, "train", *what]
        return subprocess.call(command, stdout=file, stderr=file, cwd=runs.workspace())


def _show(text: str) -> None:
    """Prints what the notebook shows; between two epochs one line that changes, and nothing in a log file."""
    terminal = sys.stdout.isatty()
    if not text.startswith("step "):
        print(("\r\033[K" if terminal else "") + text, flush=True)
    elif terminal:
        print(f"\r\033[K{text}", end="", flush=True)


def _verdict(folder: Path) -> str:
    experiment, summary = runs.read_experiment(folder), runs.read_summary(folder)
    lines = [f"{experiment.model.name} on {experiment.data.name}, profile {experiment.profile}:"]
    for split, scores in summary["scores"].items():
        lines.append(f"  {split}: mean IoU {scores['mean_iou']:.3f} over {scores['classes']} classes")
    if experiment.profile == "quick":
        lines.append("  (a quick run: it shows that the network learns, and is no result of the study)")
    return "\n".join(lines)


def open_lab() -> int:
    """Opens notebook 03 in JupyterLab; returns its exit code."""
    from seglab import notebooks

    notebook = notebooks.find(NOTEBOOK).relative_to(runs.workspace())
    command = [sys.executable, "-m", "jupyterlab", str(notebook)]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # In a container there often is no other user; the server listens on this machine alone, with a token.
        command.append("--allow-root")
    return subprocess.call(command, cwd=runs.workspace())


def run_tests() -> int:
    """Runs the tests of a checkout, tells their time and returns pytest's exit code.

    Raises:
        ConfigError: Outside a checkout.
    """
    return _run_pytest("--durations=10")


def run_faults() -> int:
    """Injects all faults of the fault plan and prints how many were survived; returns pytest's exit code.

    Raises:
        ConfigError: Outside a checkout.
    """
    from seglab.results import Results
    from seglab.tables import faults

    code = _run_pytest("tests/faults", SEGLAB_FAULTS="full")
    print(faults(Results(runs.workspace() / "results")).to_string(index=False))
    return code


def _run_pytest(*arguments: str, **environment: str) -> int:
    root = runs.workspace()
    if not (root / "tests").is_dir():
        raise ConfigError(f"{root}: there are no tests here; run this in a clone of seglab")
    started = time.monotonic()
    command = [sys.executable, "-m", "pytest", *arguments]
    code = subprocess.call(command, cwd=root, env={**os.environ, **environment})
    print(f"Time: {_minutes(time.monotonic() - started)}")
    return code


def _shown(path: Path) -> str:
    """A path as a person in the current folder would write it."""
    return os.path.relpath(path)


def _minutes(seconds: float) -> str:
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"
