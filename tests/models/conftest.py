import gzip
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

PARITY = Path(__file__).with_name("parity")


def original_shapes(name: str) -> dict[str, tuple[int, ...]]:
    with gzip.open(PARITY / f"{name}.tsv.gz", "rt") as file:
        rows = [line.rstrip("\n").split("\t") for line in file]
    return {key: () if shape == "scalar" else tuple(map(int, shape.split("x"))) for key, shape in rows}


def generated_weight(key: str, shape: tuple[int, ...]) -> torch.Tensor:
    """The rule in parity/README.md."""
    if key.endswith("num_batches_tracked"):
        return torch.tensor(0)
    normal = np.random.default_rng(zlib.crc32(key.encode())).standard_normal(shape)
    if len(shape) > 1:
        value = normal * np.sqrt(0.5 / np.prod(shape[1:]))
    elif key.endswith("running_var"):
        value = 1 + 0.25 * np.abs(normal)
    elif key.endswith("weight"):
        value = 1 + 0.1 * normal
    else:
        value = 0.1 * normal
    return torch.from_numpy(value.astype(np.float32))


@pytest.fixture
def original_state():
    """Makes the state dict of an original network, with generated weights under its authors' names."""
    return lambda name: {key: generated_weight(key, shape) for key, shape in original_shapes(name).items()}


@pytest.fixture
def original_logits():
    """Reads what an original network answers: logits, step between their pixels, largest value, sum."""

    def read(name: str):
        with np.load(PARITY / f"{name}.npz") as stored:
            return stored["logits"], int(stored["step"]), float(stored["largest"]), float(stored["sum"])

    return read
