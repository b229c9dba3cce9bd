"""Which of CUDA's kernels a training takes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from seglab.config import Experiment


@contextmanager
def kernels(experiment: Experiment, device: torch.device) -> Iterator[None]:
    """Lets CUDA choose its kernels: the fastest for the sizes at hand, or deterministic ones alone."""
    if device.type != "cuda":
        yield
        return
    deterministic = experiment.training.deterministic
    settings = torch.utils.deterministic
    before = torch.backends.cudnn.benchmark, torch.are_deterministic_algorithms_enabled()
    filled = settings.fill_uninitialized_memory
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # or cuBLAS refuses to be deterministic
    torch.backends.cudnn.benchmark = not deterministic
    torch.use_deterministic_algorithms(deterministic)
    # Else torch writes NaN into every new tensor before anything else is written there, one kernel each.
    settings.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before[0]
        torch.use_deterministic_algorithms(before[1])
        settings.fill_uninitialized_memory = filled
