"""Processes to be killed: each is one fork of a server that has imported everything, and so starts at once.

A server is needed because the process that runs the tests has threads, which a fork would lose.
"""

import faulthandler
import json
import multiprocessing
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import connection
from pathlib import Path

import torch
from torch import nn

from seglab import checkpoints, models, runs
from seglab.config import (
    AugmentConfig,
    DataConfig,
    Experiment,
    ModelConfig,
    OptimizerConfig,
    PhaseConfig,
    TrainingConfig,
)
from seglab.errors import SeglabError
from seglab.models import SegmentationModel
from seglab.trainers.interruption import Interrupted
from seglab.trainers.loop import train

# torch._dynamo is what the first optimizer of a process imports, and takes a second for.
PRELOADED = ["pytest", "torch._dynamo", "seglab.cli", "seglab.trainers.loop", "seglab.evaluation.evaluate"]
EPOCHS, STEPS_PER_EPOCH = 10, 6
STEPS = EPOCHS * STEPS_PER_EPOCH
PATIENCE_S = 120  # longer than anything takes on a busy machine; ends a test that hangs

server = multiprocessing.get_context("forkserver")
server.set_forkserver_preload(PRELOADED)
# An exit code can be read once. Starting a process reads those of all that have ended; where another thread
# waits for one of them, it finds nothing to read and says 255. So one thread starts or reads at a time.
one_thread = threading.Lock()


class Speck(SegmentationModel):
    """A network that is as small as can be, with all that a training must keep.

    Statistics of batches, dropout, and a part that can be frozen.
    """

    stride = native_stride = 4

    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes)
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 4, 3, stride=4, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.1)
        )
        self.decoder = nn.Conv2d(4, num_classes, 1)

    def native_logits(self, image):
        return self.decoder(self.encoder(image))


def speck(num_classes: int) -> Speck:
    return Speck(num_classes)


def experiment(scenes: Path, *, phases: bool = False, **fields) -> Experiment:
    """Sixty steps of training Speck; a checkpoint after each.

    Args:
        scenes: Folder of twelve training pictures.
        phases: Whether to train in three phases, of which the first freezes the encoder.
        **fields: Of `TrainingConfig`, and `workers`, `cache_gib` of `DataConfig`.
    """
    data = {name: fields.pop(name) for name in ("workers", "cache_gib") if name in fields}
    plan = (
        PhaseConfig("frozen", 3, freeze=("encoder",)),
        PhaseConfig("small", 3, lr=2e-3, input_size=(32, 48)),
        PhaseConfig("whole", 4, lr=1e-3),
    )
    training = {"epochs": EPOCHS, "batch_size": 2, "ema_decay": 0.9, "save_every_s": 0.0, "precision": "fp32"}
    return Experiment(
        "faults",
        "speck",
        "quick",
        data=DataConfig("street_scenes", str(scenes), **data),
        augment=AugmentConfig(scale=(0.8, 1.2), brightness=0.2),
        model=ModelConfig("speck"),
        optimizer=OptimizerConfig(lr=1e-2),
        training=TrainingConfig(**{"memory_format": "contiguous", **training, **fields}),
        phases=plan if phases else (),
    )


# ---------------------------------------------------------------------------------------- processes


def start(function, *arguments, log: Path | None = None):
    """Calls a function of a test module in a process of its own.

    It exits as the command line does (`SeglabError.exit_code`), with what it has to say in `log`.
    """
    process = server.Process(target=_main, args=(function, arguments, log))
    with one_thread:
        process.start()
    return process


def _main(function, arguments, log):
    torch.set_num_threads(1)
    # Tests that run in the background inherit that Ctrl-C is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # A child of the server would ask a server of its own for loader processes; a training forks them.
    multiprocessing.set_start_method("fork", force=True)
    faulthandler.dump_traceback_later(PATIENCE_S - 10, file=sys.__stderr__)  # where it hangs
    models.REGISTRY["speck"] = sys.modules[__name__]
    runs.code_revision = lambda: "as always"  # asking git costs more than a training does
    try:
        code = function(*arguments) or 0
    except SeglabError as error:
        code, said = error.exit_code, str(error)
    except Interrupted as stop:
        code, said = stop.exit_code, str(stop)
    else:
        said = ""
    if log is not None:
        log.write_text(said, encoding="utf-8")
    sys.exit(code)


def exit_code(process, patience_s: float | None = None) -> int | None:
    """Exit code of a process, negative for a signal; None if it still runs after the given time."""
    connection.wait([process.sentinel], patience_s)
    with one_thread:
        return process.exitcode


def wait(process, patience_s: float = PATIENCE_S) -> int | None:
    """Exit code of a process, negative for a signal; None if it had to be killed after the given time."""
    code = exit_code(process, patience_s)
    if code is None:
        kill(process)
    return code


def kill(process) -> int:
    """Kills a process if it still runs, and answers its exit code."""
    process.kill()
    return exit_code(process)


def run(function, *arguments, log: Path | None = None) -> int | None:
    """Calls a function in a process of its own and waits for its exit code."""
    return wait(start(function, *arguments, log=log))


def go(experiment: Experiment, folder: Path) -> None:
    """Trains to the end, from wherever the folder stands."""
    if not (folder / "summary.json").exists():
        train(experiment, folder, resume=folder.exists())


def reference(experiment: Experiment, folder: Path) -> dict:
    """The outcome of a run that nobody disturbs."""
    assert run(go, experiment, folder) == 0
    return outcome(folder)


# ----------------------------------------------------------------------------------------- outcomes


def outcome(folder: Path) -> dict:
    """All that a finished run leaves, in a form that `==` compares bit by bit, but for times.

    Raises:
        AssertionError: If a checkpoint is damaged, or something half-written is left.
    """
    state, damaged = checkpoints.load_newest(folder / "checkpoints")
    assert damaged == [], damaged
    rests = [path.name for path in folder.rglob(".*.tmp")]
    assert rests == [], rests
    for row in state["history"]:
        for name in runs.CLOCKED:
            del row[name]
    kept = ("model", "optimizer", "scaler", "average", "steps", "skipped", "epoch", "losses", "lr", "history")
    summary = runs.read_summary(folder)
    files = ("weights.safetensors", "confusion_val.csv", "images_val.npz")
    return {
        **{name: plain(state[name]) for name in kept},
        **{name: (folder / name).read_bytes() for name in files},
        "history.csv": runs.read_history(folder).drop(columns=runs.CLOCKED).to_csv(),
        "scores": json.dumps(summary["scores"]),
    }


def plain(value):
    """A value in a form that `==` compares bit by bit."""
    if isinstance(value, torch.Tensor):
        return str(value.dtype), tuple(value.shape), value.contiguous().numpy().tobytes()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return repr(value)  # NaN equals itself then


def difference(one: dict, other: dict) -> str | None:
    """The names of what differs between two outcomes; None if nothing does."""
    return ", ".join(f"{name} differs" for name in one if one[name] != other[name]) or None


def survivors(faults, fault: str, check, cases, at_once: int = 2) -> None:
    """Injects faults and records how many did no harm.

    Args:
        faults: The recorder.
        fault: Number in the fault plan.
        check: Injects the fault that a case describes; answers what went wrong, or None.
        cases: The arguments of `check`, which are enough to repeat a failure.
        at_once: How many are tried side by side.
    """
    cases = list(cases)

    def failure(case):
        try:
            wrong = check(*case)
        except Exception as error:
            wrong = f"{type(error).__name__}: {error}"
        return wrong and f"{fault}: {check.__name__}{tuple(map(str, case))}: {wrong}"

    with ThreadPoolExecutor(at_once) as pool:
        failures = [text for text in pool.map(failure, cases) if text]
    faults.record(fault, len(cases), len(cases) - len(failures))
    assert not failures, "\n".join(failures)


def wait_until(condition, patience_s: float = PATIENCE_S) -> bool:
    """Whether a condition comes true in time."""
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True
