"""The embedded street scenes: a small data set that is painted on the spot, in the layout of Cityscapes.

It needs no download and no licence, its masks are exact, and the same seed gives the same files. The
pictures come from `street_painter`; this module decides which ones, and puts them on disk.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
from PIL import Image

from seglab.datasets.base import num_cores
from seglab.datasets.locations import cache_root
from seglab.datasets.street_painter import CITIES, City, render_scene
from seglab.errors import DataError

__all__ = ["CITIES", "COUNTS", "GENERATOR_VERSION", "SIZE", "City", "default_root", "make", "render_scene"]

GENERATOR_VERSION = 3  # raise it whenever the same seed gives other files
COUNTS = {"train": 280, "val": 60, "test": 60}
SIZE = (256, 512)
_MANIFEST = "street_scenes.json"


def default_root(*, counts: Mapping[str, int] = COUNTS, size: tuple[int, int] = SIZE, seed: int = 0) -> Path:
    """The cache folder of one set; its name tells all that decides the pictures. It need not exist yet."""
    pictures = "-".join(str(counts[split]) for split in sorted(counts))
    name = f"street_scenes-v{GENERATOR_VERSION}-{size[0]}x{size[1]}-{pictures}-seed{seed}"
    return cache_root() / name


def make(
    root: Path | str,
    *,
    counts: Mapping[str, int] = COUNTS,
    size: tuple[int, int] = SIZE,
    seed: int = 0,
    processes: int | None = None,
    progress: Callable[..., Iterable] | None = None,
) -> Path:
    """Makes a set of street scenes, unless exactly this set is there already.

    The set appears at `root` in one step, when it is complete; until then it grows in a folder beside it.
    Two processes may make the same set at the same time.

    Args:
        root: Folder of the set.
        counts: Pictures per split, spread evenly over the split's cities.
        size: Height and width of the pictures in pixels, from 32 up.
        seed: Seed of the whole set; each picture has a generator of its own, which depends on the seed, its
            city and its number alone.
        processes: Processes that paint at the same time; None takes one per processor that may be used.
        progress: Wraps the stream of finished pictures, as `tqdm` does.

    Returns:
        `root`.

    Raises:
        DataError: If something else is at `root`, or if counts, size or processes are out of range.
    """
    root = Path(root)
    _check_request(counts, size, processes)
    manifest = {
        "generator": GENERATOR_VERSION,
        "seed": seed,
        "counts": dict(sorted(counts.items())),
        "size": list(size),
    }
    if root.exists():
        _check_same(root, manifest)
        return root
    root.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(root)
    unfinished = root.with_name(f"{_unfinished_prefix(root)}{os.getpid()}-{secrets.token_hex(4)}")
    unfinished.mkdir()
    try:
        with closing(_paint_all(unfinished, manifest, processes or num_cores())) as pictures:
            options = {"total": sum(counts.values()), "desc": "painting street scenes"}
            for _ in progress(pictures, **options) if progress else pictures:
                pass
        (unfinished / _MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
        try:
            unfinished.rename(root)
        except OSError:
            if not root.exists():
                raise
            _check_same(root, manifest)  # somebody else was faster
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return root


def _check_request(counts: Mapping[str, int], size: tuple[int, int], processes: int | None) -> None:
    splits = sorted({city.split for city in CITIES})
    for split, count in counts.items():
        if split not in splits or count < 1:
            allowed = f"allowed are {', '.join(splits)}, each from 1 up"
            raise DataError(f"street scenes: counts: got {split}: {count}; {allowed}")
    if min(size) < 32:
        raise DataError(f"street scenes: size: got {size[0]}x{size[1]} pixels; allowed is 32x32 or more")
    if processes is not None and processes < 1:
        raise DataError(f"street scenes: processes: got {processes}; allowed is 1 or more, or None")


def _check_same(root: Path, manifest: dict) -> None:
    """Refuses a folder that holds anything but the set that the manifest describes."""
    try:
        found = json.loads((root / _MANIFEST).read_text())
    except (OSError, ValueError):
        raise DataError(
            f"{root}: is there already, and holds no street scenes ({_MANIFEST} is missing or damaged); "
            "choose another folder, or delete this one"
        ) from None
    if found != manifest:
        raise DataError(
            f"{root}: holds other street scenes: {json.dumps(found)}, asked for are {json.dumps(manifest)}; "
            "choose another folder, or delete this one"
        )


def _paint_all(folder: Path, manifest: dict, processes: int) -> Generator[str]:
    """Paints all pictures of a manifest below `folder`; yields once for each that is finished."""
    for city, _ in _pictures(manifest["counts"]):
        for kind in ("leftImg8bit", "gtFine"):
            (folder / kind / city.split / city.name).mkdir(parents=True, exist_ok=True)
    if processes == 1:
        yield from _paint_share(folder, manifest, 0, 1)
        return
    # Plain child processes: unlike those of `multiprocessing` they do not import the caller's script again,
    # and they end with the caller however it ends, because nobody reads what they write.
    program = "from seglab.datasets import street_scenes; street_scenes._paint_share_from_arguments()"
    reader, writer = os.pipe()
    with os.fdopen(reader) as finished:
        children = []
        try:
            for share in range(processes):
                arguments = [str(folder), json.dumps(manifest), str(share), str(processes)]
                children.append(subprocess.Popen([sys.executable, "-c", program, *arguments], stdout=writer))
            os.close(writer)
            yield from finished
            if any([child.wait() for child in children]):
                raise RuntimeError("painting street scenes: a child process failed, see its message above")
        finally:
            for child in children:
                child.kill()
                child.wait()


def _paint_share_from_arguments() -> None:
    """What a child process does: it paints its share, and writes a line after each picture."""
    folder, manifest, share, shares = sys.argv[1:]
    try:
        for stem in _paint_share(Path(folder), json.loads(manifest), int(share), int(shares)):
            os.write(sys.stdout.fileno(), f"{stem}\n".encode())
    except BrokenPipeError:
        sys.exit("painting street scenes: stopped, because the process that asked for them has ended")


def _paint_share(folder: Path, manifest: dict, share: int, shares: int) -> Iterator[str]:
    """Paints every `shares`-th picture from number `share` on; yields the stems of their files."""
    for city, number in _pictures(manifest["counts"])[share::shares]:
        # Every picture has a generator of its own, so that it does not matter who paints it, and when.
        rng = np.random.default_rng([manifest["seed"], zlib.crc32(city.name.encode()), number])
        image, labels = render_scene(rng, city, tuple(manifest["size"]))
        place, stem = Path(city.split, city.name), f"{city.name}_{number:06d}_000019"
        for path, pixels in (
            (folder / "leftImg8bit" / place / f"{stem}_leftImg8bit.png", image),
            (folder / "gtFine" / place / f"{stem}_gtFine_labelIds.png", labels),
        ):
            Image.fromarray(pixels).save(path, compress_level=3)
        yield stem


def _pictures(counts: Mapping[str, int]) -> list[tuple[City, int]]:
    """City and number of every picture; a split's cities take turns."""
    pictures = []
    for split in sorted(counts):
        cities = [city for city in CITIES if city.split == split]
        pictures += [(cities[i % len(cities)], i // len(cities)) for i in range(counts[split])]
    return pictures


def _unfinished_prefix(root: Path) -> str:
    return f".{root.name}-unfinished-{socket.gethostname()}-"


def _remove_abandoned(root: Path) -> None:
    """Deletes unfinished sets beside `root` whose process on this machine is dead."""
    prefix = _unfinished_prefix(root)
    for folder in sorted(root.parent.glob(f"{prefix}*")):
        process = folder.name.removeprefix(prefix).split("-")[0]
        if process.isdecimal() and not _alive(int(process)):
            # A child of the dead process may be at its last picture still; it cannot find a renamed folder.
            removed = folder.with_name(f"{folder.name}-removed")
            with suppress(OSError):
                shutil.rmtree(folder.rename(removed))


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # somebody else's
    return True
