"""Miniature data sets, and a cache folder of the test's own."""

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

_DATA = os.environ.get("SEGLAB_DATA")  # the user's, before `places` hides it


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """No test sees the user's data or cache."""
    monkeypatch.delenv("SEGLAB_DATA", raising=False)
    monkeypatch.setenv("SEGLAB_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def real_camvid() -> Path:
    if _DATA is None or not (Path(_DATA) / "CamVid").is_dir():
        pytest.skip("needs CamVid in the folder that SEGLAB_DATA names")
    return Path(_DATA) / "CamVid"


@pytest.fixture
def real_hulks() -> Path:
    if _DATA is None or not (Path(_DATA) / "hulks_nao").is_dir():
        pytest.skip("needs hulks_nao in the folder that SEGLAB_DATA names")
    return Path(_DATA) / "hulks_nao"


def write_png(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def random_pair(seed: int, size=(48, 64), ids=range(12)) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    return image, rng.choice(np.array(ids, np.uint8), size)


@pytest.fixture
def camvid_root(tmp_path) -> Path:
    """CamVid's layout with 10 training, 3 validation and 5 test pictures of 48 x 64 pixels."""
    root = tmp_path / "data" / "CamVid"
    seed = 0
    for split, number in (("train", 10), ("val", 3), ("test", 5)):
        for i in range(number):
            image, mask = random_pair(seed := seed + 1)
            write_png(root / split / f"{split}_{i:02}.png", image)
            write_png(root / f"{split}annot" / f"{split}_{i:02}.png", mask)
    return root


@pytest.fixture
def cityscapes_root(tmp_path) -> Path:
    """Cityscapes' layout with three pictures of 32 x 64 pixels in two cities; every file id 0..33 occurs."""
    root = tmp_path / "cityscapes"
    for seed, name in enumerate(("bonn_1_2", "aachen_9_0", "aachen_3_4")):
        city = name.split("_")[0]
        image, mask = random_pair(seed, (32, 64), range(34))
        write_png(root / "leftImg8bit" / "train" / city / f"{name}_leftImg8bit.png", image)
        write_png(root / "gtFine" / "train" / city / f"{name}_gtFine_labelIds.png", mask)
        write_png(root / "gtFine" / "train" / city / f"{name}_gtFine_color.png", image)
    return root


def raw_png(width: int, height: int, depth: int, color_type: int, rows: bytes) -> bytes:
    """A PNG of any kind, also those that Pillow does not write; `rows` has a filter byte before each row."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks
