"""How a set of painted pictures comes onto the disk: whole or not at all, and by several processes.

What is painted is another matter: `street_scenes` and `soccer_scenes` hand over a function that paints one
picture. It is found again by its module and name in the child processes.
"""

from __future__ import annotations

import importlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path

from seglab.datasets.base import num_cores
from seglab.datasets.locations import cache_root
from seglab.errors import DataError

# Paints picture `number` of the set that a manifest describes into the folder; answers the picture's name.
Paint = Callable[[Path, Mapping, int], str]


def default_root(
    name: str, version: int, counts: Mapping[str, int], size: tuple[int, int], seed: int
) -> Path:
    """The cache folder of one set; its name tells all that decides the pictures. It need not exist yet."""
    pictures = "-".join(str(counts[split]) for split in sorted(counts))
    return cache_root() / f"{name}-v{version}-{size[0]}x{size[1]}-{pictures}-seed{seed}"


def make(
    root: Path | str,
    name: str,
    version: int,
    paint: Paint,
    *,
    folders: Mapping[str, Iterable[str]],
    counts: Mapping[str, int],
    size: tuple[int, int],
    seed: int,
    processes: int | None,
    progress: Callable[..., Iterable] | None,
) -> Path:
    """Makes a painted set, unless exactly this set is there already.

    The set appears at `root` in one step, when it is complete; until then it grows in a folder beside it.
    Two processes may make the same set at the same time.

    Args:
        root: Folder of the set.
        name: The data set's name.
        version: Version of what paints it.
        paint: Paints one picture; a function of a module.
        folders: For every split that can be painted, the folders below `root` that its pictures go to.
        counts: Pictures per split.
        size: Height and width of the pictures in pixels, from 32 up.
        seed: Seed of the whole set.
        processes: Processes that paint at the same time; None takes one per processor that may be used.
        progress: Wraps the stream of finished pictures, as `tqdm` does.

    Returns:
        `root`.

    Raises:
        DataError: If something else is at `root`, or if counts, size or processes are out of range.
    """
    root, title = Path(root), name.replace("_", " ")
    _check_request(title, folders, counts, size, processes)
    manifest = {"generator": version, "seed": seed, "counts": dict(sorted(counts.items())), "size": [*size]}
    manifest_file = _manifest_file(name)
    if root.exists():
        _check_same(root, title, manifest_file, manifest)
        return root
    root.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(root)
    unfinished = root.with_name(f"{_unfinished_prefix(root)}{os.getpid()}-{secrets.token_hex(4)}")
    unfinished.mkdir()
    try:
        # Made here, so that a painter who outlives us cannot make them again after they were removed.
        for split in counts:
            for folder in folders[split]:
                (unfinished / folder).mkdir(parents=True)
        with closing(_paint_all(unfinished, title, manifest, paint, processes or num_cores())) as pictures:
            options = {"total": sum(counts.values()), "desc": f"painting {title}"}
            for _ in progress(pictures, **options) if progress else pictures:
                pass
        (unfinished / manifest_file).write_text(json.dumps(manifest, indent=2) + "\n")
        try:
            unfinished.rename(root)
        except OSError:
            if not root.exists():
                raise
            _check_same(root, title, manifest_file, manifest)  # somebody else was faster
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return root


def turns(counts: Mapping[str, int], places: Iterable) -> list[tuple]:
    """Place and number of every picture; the places of a split (their `split`) take turns."""
    pictures: list[tuple] = []
    for split in sorted(counts):
        here = [place for place in places if place.split == split]
        pictures += [(here[i % len(here)], i // len(here)) for i in range(counts[split])]
    return pictures


def _check_request(
    title: str,
    splits: Collection[str],
    counts: Mapping[str, int],
    size: tuple[int, int],
    processes: int | None,
) -> None:
    for split, count in counts.items():
        if split not in splits or count < 1:
            allowed = f"allowed are {', '.join(sorted(splits))}, each from 1 up"
            raise DataError(f"{title}: counts: got {split}: {count}; {allowed}")
    if min(size) < 32:
        raise DataError(f"{title}: size: got {size[0]}x{size[1]} pixels; allowed is 32x32 or more")
    if processes is not None and processes < 1:
        raise DataError(f"{title}: processes: got {processes}; allowed is 1 or more, or None")


def is_painted(root: Path, name: str) -> bool:
    """Whether a folder holds a set that `make` made under this name."""
    return (root / _manifest_file(name)).is_file()


def _manifest_file(name: str) -> str:
    return f"{name}.json"


def _check_same(root: Path, title: str, manifest_file: str, manifest: dict) -> None:
    """Refuses a folder that holds anything but the set that the manifest describes."""
    try:
        found = json.loads((root / manifest_file).read_text())
    except (OSError, ValueError):
        raise DataError(
            f"{root}: is there already, and holds no {title} ({manifest_file} is missing or damaged); "
            "choose another folder, or delete this one"
        ) from None
    if found != manifest:
        raise DataError(
            f"{root}: holds other {title}: {json.dumps(found)}, asked for are {json.dumps(manifest)}; "
            "choose another folder, or delete this one"
        )


def _paint_all(folder: Path, title: str, manifest: dict, paint: Paint, processes: int) -> Generator[str]:
    """Paints all pictures of a manifest below `folder`; yields once for each that is finished."""
    if processes == 1:
        yield from _paint_share(folder, manifest, paint, 0, 1)
        return
    # Plain child processes: unlike those of `multiprocessing` they do not import the caller's script again,
    # and they end with the caller however it ends, because nobody reads what they write.
    program = "from seglab.datasets import painted; painted._paint_share_from_arguments()"
    place = [str(folder), json.dumps(manifest), paint.__module__, paint.__qualname__]
    reader, writer = os.pipe()
    with os.fdopen(reader) as finished:
        children = []
        try:
            for share in range(processes):
                arguments = [*place, str(share), str(processes)]
                children.append(subprocess.Popen([sys.executable, "-c", program, *arguments], stdout=writer))
            os.close(writer)
            yield from finished
            if any([child.wait() for child in children]):
                raise RuntimeError(f"painting {title}: a child process failed, see its message above")
        finally:
            for child in children:
                child.kill()
                child.wait()


def _paint_share_from_arguments() -> None:
    """What a child process does: it paints its share, and writes a line after each picture."""
    folder, manifest, module, name, share, shares = sys.argv[1:]
    paint = getattr(importlib.import_module(module), name)
    try:
        for picture in _paint_share(Path(folder), json.loads(manifest), paint, int(share), int(shares)):
            os.write(sys.stdout.fileno(), f"{picture}\n".encode())
    except BrokenPipeError:
        sys.exit("painting: stopped, because the process that asked for the pictures has ended")


def _paint_share(folder: Path, manifest: dict, paint: Paint, share: int, shares: int) -> Iterator[str]:
    """Paints every `shares`-th picture from number `share` on; yields their names."""
    for number in range(share, sum(manifest["counts"].values()), shares):
        yield paint(folder, manifest, number)


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
