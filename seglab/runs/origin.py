"""What is needed to judge and to repeat a run: code, versions, machine."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
from pathlib import Path
from typing import Any

import seglab
from seglab.config import Experiment, config_hash

SCHEMA_VERSION = 1


def provenance(experiment: Experiment, **facts: Any) -> dict[str, Any]:
    """What is needed to judge and to repeat a run: code, versions, machine, and the given facts."""
    packages = ("torch", "torchvision", "numpy", "pillow")
    return {
        "schema_version": SCHEMA_VERSION,
        "config_hash": config_hash(experiment),
        "versions": {"seglab": seglab.__version__, "python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in packages},
        "system": platform.system(),
        "processor": processor(),
        **facts,
    }


def code_revision() -> str:
    """The git commit of the code, with `+changes` if it was edited since; `unknown` outside a checkout.

    An environment may lie inside somebody's own repository, whose commit says nothing about this code.
    """
    here = Path(seglab.__file__).resolve().parent

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(here), *arguments], capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", "--", "__init__.py")  # fails where git does not keep this package
        changed = git("status", "--porcelain", "--untracked-files=no", "--", str(here))
        return git("rev-parse", "--short=12", "HEAD") + ("+changes" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def processor() -> str:
    """The processor's name as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
