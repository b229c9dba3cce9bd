"""Faults F8 to F11, F14 and F15: damaged pictures, bombs, mismatches, ids, downloads, hostile archives.

Nothing damaged becomes pixels, nothing foreign becomes a file, and no process dies of it.
"""

import hashlib
import io
import os
import random
import shutil
import subprocess
import sys
import tarfile
import time
import unicodedata
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seglab import metrics
from seglab.datasets import create_dataset, downloads
from seglab.datasets.archives import unpack
from seglab.datasets.downloads import fetch
from seglab.datasets.manifest import check_manifest
from seglab.datasets.reading import read_image, read_mask, read_pair
from seglab.errors import DataError
from seglab.labels import CAMVID11, CITYSCAPES, SOCCER4

from ..datasets.conftest import random_pair, raw_png, write_png
from ..loopback import Server, route_everything_to


def refused(action, *parts: str) -> bool:
    """Whether an action ends in a `DataError` of one line that has these parts."""
    try:
        action()
    except DataError as error:
        return "\n" not in str(error) and all(part in str(error) for part in parts)
    return False


def as_file(picture: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


# ----------------------------------------------------------------------------- F8: damaged pictures


def damaged(data: bytes, number: int, cut: bool):
    """Copies of a file with one flipped bit each, or cut off."""
    rng = np.random.default_rng(len(data))
    for _ in range(number):
        if cut:  # the last 20 bytes of a PNG are checksums and the mark of its end, after all pixels
            yield data[: rng.integers(0, len(data) - 21)]
        else:
            copy = bytearray(data)
            copy[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
            yield bytes(copy)


@pytest.mark.parametrize("cut", [False, True], ids=["flipped", "cut off"])
@pytest.mark.parametrize("kind", ["image", "mask"])
def test_f8_a_damaged_png_is_refused_or_unchanged(faults, tmp_path, kind, cut):
    image, ids = random_pair(0)
    read = read_image if kind == "image" else lambda path: read_mask(path, CAMVID11)
    write_png(path := tmp_path / "a.png", image if kind == "image" else ids)
    expected, data = read(path), path.read_bytes()
    number = faults.count(20, 30 if cut else 75)
    survived = same = 0
    for copy in damaged(data, number, cut):
        path.write_bytes(copy)
        if refused(lambda: read(path), str(path)):
            survived += 1
        elif not cut and np.array_equal(read(path), expected):
            same += 1
    faults.record("F8", number, survived + same)
    assert survived + same == number
    assert same <= number // 5  # what is accepted was hit after the last pixel


def test_f8_a_jpeg_that_is_cut_off_is_refused(faults, tmp_path):
    data, path = as_file(Image.fromarray(random_pair(0)[0]), "JPEG"), tmp_path / "a.jpg"
    number, survived = faults.count(20, 60), 0
    for copy in damaged(data, number, cut=True):
        path.write_bytes(copy)
        survived += refused(lambda: read_image(path), str(path))
    faults.record("F8", number, survived)
    assert survived == number


def test_f8_a_flipped_bit_in_a_jpeg_is_seen_by_the_manifest(faults, tmp_path):
    data, path = as_file(Image.fromarray(random_pair(0)[0]), "JPEG"), tmp_path / "a.jpg"
    manifest = tmp_path / "m.sha256"
    manifest.write_text(f"{hashlib.sha256(data).hexdigest()}  a.jpg\n")
    number, survived, silent = faults.count(40, 150), 0, 0
    for copy in damaged(data, number, cut=False):
        path.write_bytes(copy)
        survived += [str(path) in problem for problem in check_manifest(manifest, tmp_path)] == [True]
        silent += not refused(lambda: read_image(path))
    faults.record("F8", number, survived)
    assert survived == number
    assert silent > number / 2  # which is why there are manifests


def odd_files() -> dict[str, bytes]:
    """Pictures that are whole, and neither a photograph nor a mask."""
    modes = {mode: Image.new(mode, (40, 32)) for mode in ("1", "LA", "RGBA", "I;16", "CMYK", "RGB", "L")}
    files = {f"{mode}.png": as_file(modes[mode], "PNG") for mode in ("1", "LA", "RGBA", "I;16")}
    files |= {f"{mode}.{kind}": as_file(modes[mode], kind) for mode, kind in (
        ("CMYK", "JPEG"), ("L", "JPEG"), ("RGB", "BMP"), ("L", "BMP"), ("RGB", "GIF"), ("RGB", "TIFF"),
        ("RGB", "WEBP"), ("L", "TIFF"), ("RGB", "PPM"), ("RGB", "ICO"),
    )}  # fmt: skip
    files |= {f"grey of {depth} bits": raw_png(8, 1, depth, 0, bytes(1 + depth)) for depth in (1, 2, 4, 16)}
    files |= {
        "RGB of 16 bits": raw_png(1, 1, 16, 2, bytes(7)),
        "grey and alpha": raw_png(1, 1, 8, 4, bytes(3)),
    }
    files |= {
        "empty": b"",
        "page": b"<!DOCTYPE html><html>404</html>",
        "text": b"P\0NG",
        "zip": b"PK\3\4" * 9,
    }
    return files


def test_f8_other_kinds_of_files_are_refused(faults, tmp_path):
    path, files, survived = tmp_path / "file", odd_files(), 0
    for content in files.values():
        path.write_bytes(content)
        survived += refused(lambda: read_image(path), str(path)) and refused(
            lambda: read_mask(path, CAMVID11)
        )
    places = {name: tmp_path / name for name in ("folder", "pipe", "loop", "dangling", "nothing", "locked")}
    places["folder"].mkdir()
    os.mkfifo(places["pipe"])
    places["loop"].symlink_to(places["loop"])
    places["dangling"].symlink_to(tmp_path / "nobody")
    if os.geteuid():  # root may read everything
        write_png(places["locked"], random_pair(0)[0])
        places["locked"].chmod(0)
    for place in places.values():
        survived += refused(lambda place=place: read_image(place), str(place))
    injected = len(files) + len(places)
    faults.record("F8", injected, survived)
    assert survived == injected == 30


# ----------------------------------------------------------------------------- F9: bombs


def grey_bomb(width: int, height: int) -> bytes:
    """A PNG that is whole: zeros, packed a thousand to one."""
    rows = zlib.compressobj()
    packed = b"".join(rows.compress(bytes(1 + width)) for _ in range(height)) + rows.flush()
    empty = raw_png(width, height, 8, 0, b"")
    head, tail = empty[:33], empty[-12:]
    chunk = b"IDAT" + packed
    return head + len(packed).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big") + tail


def test_f9_bombs_are_refused_by_their_header_in_little_memory(faults, tmp_path):
    claims = {"12k": (12_000, 12_000), "20k": (20_000, 20_000), "60k": (60_000, 60_000)}
    files = {name: raw_png(*size, 8, 2, b"\0") for name, size in claims.items()}
    files |= {"whole": grey_bomb(12_000, 12_000), "line": grey_bomb(65_500, 1)}
    for name, content in files.items():
        (tmp_path / f"{name}.png").write_bytes(content)
    assert len(files["whole"]) < 200_000
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("zeros", bytes(100_000_000))
    assert (tmp_path / "bomb.zip").stat().st_size < 110_000
    program = (
        "import re, resource, sys\n"
        "from pathlib import Path\n"
        "from seglab.datasets.archives import unpack\n"
        "from seglab.datasets.reading import read_image, read_mask\n"
        "from seglab.errors import DataError\n"
        "from seglab.labels import CAMVID11\n"
        "folder = Path(sys.argv[1])\n"
        "for path in sorted(folder.glob('*.png')):\n"
        "    for read in (read_image, lambda path: read_mask(path, CAMVID11)):\n"
        "        try: read(path)\n"
        "        except DataError as error: assert '64,000,000' in str(error); print(path.stem)\n"
        "try: unpack(folder / 'bomb.zip', folder / 'out')\n"
        "except DataError as error: assert 'unpacks to more than' in str(error); print('zip\\nzip')\n"
        # What `getrusage` tells is at least the parent's on Linux, which knows better elsewhere.
        "status = Path('/proc/self/status')\n"
        "peak = re.search(r'VmHWM:\\s*(\\d+) kB', status.read_text()) if status.exists() else None\n"
        "own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print((int(peak[1]) if peak else own) // 1024)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True
    )
    *names, mebibytes = done.stdout.split()
    survived = sum(names.count(name) == 2 for name in (*files, "zip"))
    faults.record("F9", len(files) + 1, survived)
    assert survived == len(files) + 1 == 6
    assert int(mebibytes) < 500 and not (tmp_path / "out").exists()


# ----------------------------------------------------------------------------- F10: mismatches


def test_f10_sizes_that_differ_are_refused_with_both_files_and_sizes(faults, tmp_path):
    image, mask = tmp_path / "image.png", tmp_path / "mask.png"
    write_png(image, random_pair(0, (48, 64))[0])
    sizes = [(47, 64), (49, 64), (48, 63), (48, 65), (64, 48), (24, 32), (96, 128), (1, 1)]
    survived = 0
    for height, width in sizes:
        write_png(mask, random_pair(1, (height, width))[1])
        parts = str(image), str(mask), "48 x 64", f"{height} x {width}"
        survived += refused(lambda: read_pair(image, mask, CAMVID11), *parts)
    for orientation in range(2, 9):  # the pixels fit, what is shown does not
        exif = Image.Exif()
        exif[0x0112] = orientation
        photo = tmp_path / f"{orientation}.jpg"
        photo.write_bytes(as_file(Image.new("RGB", (64, 48)), "JPEG", exif=exif))
        write_png(mask, random_pair(1, (48, 64))[1])
        parts = str(photo), f"orientation {orientation}"
        survived += refused(lambda photo=photo: read_pair(photo, mask, CAMVID11), *parts)
    faults.record("F10", len(sizes) + 7, survived)
    assert survived == len(sizes) + 7


def test_f10_pictures_without_their_partner_are_refused(faults, tmp_path):
    (tmp_path / "own.yaml").write_text(
        "name: own\nimages: images\nmasks: masks\nclasses: {a: {id: 0}}\nsplits: {all: 1}\n"
    )

    def plant(change) -> bool:
        shutil.rmtree(tmp_path / "images", ignore_errors=True)
        shutil.rmtree(tmp_path / "masks", ignore_errors=True)
        for name in ("a", "b"):
            write_png(tmp_path / "images" / f"{name}.png", random_pair(0)[0])
            write_png(tmp_path / "masks" / f"{name}.png", random_pair(0)[1])
        (tmp_path / "own.splits.json").unlink(missing_ok=True)
        assert len(create_dataset(str(tmp_path / "own.yaml"), "all")) == 2
        place = change(tmp_path / "images", tmp_path / "masks")
        return refused(lambda: create_dataset(str(tmp_path / "own.yaml"), "all"), str(place))

    survived = [
        plant(lambda images, masks: [(masks / "a.png").unlink(), images / "a.png"][1]),
        plant(lambda images, masks: [(images / "a.png").unlink(), masks / "a.png"][1]),
        plant(lambda images, masks: (masks / "a.png").rename(masks / "c.png") and images / "a.png"),
        plant(lambda images, masks: shutil.copy(images / "a.png", images / "a.jpeg")),
        plant(lambda images, masks: shutil.rmtree(masks) or masks),
    ]
    faults.record("F10", 5, sum(survived))
    assert survived == [True] * 5


# ----------------------------------------------------------------------------- F11: ids


@pytest.mark.parametrize("labels", [CITYSCAPES, CAMVID11, SOCCER4], ids=lambda labels: labels.name)
def test_f11_every_value_is_mapped_by_the_table_or_refused(faults, tmp_path, labels):
    legal = np.array(sorted(labels.file_ids), np.uint8)
    rng = np.random.default_rng(0)
    path, survived, mapped = tmp_path / "mask.png", 0, 0
    for value in (*range(256), -1, 256, 65535):
        ids = rng.choice(legal, (32, 40)).astype(np.int64)
        ids[3:9, 5:20] = value
        if value in range(256):
            write_png(path, ids.astype(np.uint8))
            read = lambda: read_mask(path, labels)  # noqa: E731
        elif value > 255:
            write_png(path, ids.astype(np.uint16))
            read = lambda: read_mask(path, labels)  # noqa: E731
        else:
            read = lambda ids=ids: labels.to_train_ids(ids.astype(np.int16), path)  # noqa: E731
        if value not in labels.file_ids:
            survived += refused(read, str(path))
            continue
        mapped += 1
        mask = read()
        matrix = metrics.confusion_matrix(
            rng.integers(0, labels.num_classes, mask.shape), mask, labels.num_classes
        )
        right = (mask[3:9, 5:20] == labels.file_ids[value]).all()
        labelled = (mask != 255).sum()
        inside = mask[mask != 255].max(initial=0) < labels.num_classes
        survived += right and inside and matrix.sum() == labelled
    faults.record("F11", 259, int(survived))
    assert survived == 259 and mapped == len(labels.file_ids)


# ----------------------------------------------------------------------------- F14: downloads

CONTENT = random.Random(0).randbytes(200_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(downloads, "PAUSE_S", 0.0)
    with Server() as server:
        server.files["/a.bin"] = CONTENT
        yield server


def whole_or_none(path: Path) -> bool:
    return not path.exists() or path.read_bytes() == CONTENT


def test_f14_a_connection_that_breaks_leaves_a_whole_file_or_none(faults, server, tmp_path):
    number, survived = faults.count(8, 54), 0
    offsets = np.linspace(0, len(CONTENT) - 1, number).astype(int).tolist()
    finished = 0
    for i, offset in enumerate(offsets):
        path = tmp_path / f"{i}" / "a.bin"
        server.cut_after = offset
        server.requests.clear()
        try:
            fetch(f"{server.url}/a.bin", path, DIGEST)
            finished += 1
        except DataError as error:
            assert f"failed {downloads.ATTEMPTS} times" in str(error) and not path.exists()
        bounded = len(server.requests) <= downloads.ATTEMPTS
        server.cut_after = None
        survived += bounded and whole_or_none(path) and fetch(f"{server.url}/a.bin", path, DIGEST) == path
        assert path.read_bytes() == CONTENT and [p.name for p in path.parent.iterdir()] == ["a.bin"]
    faults.record("F14", number, survived)
    assert survived == number
    assert 0 < finished < number  # far enough, five attempts are enough


def test_f14_other_content_and_answers(faults, server, tmp_path, monkeypatch):
    url, path = f"{server.url}/a.bin", tmp_path / "a.bin"
    survived = [refused(lambda: fetch(url, path, "0" * 64), "not the file that was published")]
    survived += [not list(tmp_path.iterdir())]
    for status in (404, 403, 410):
        server.requests.clear()
        server.status, server.failures = status, 99
        survived.append(refused(lambda: fetch(url, path, DIGEST), str(status)) and len(server.requests) == 1)
    for status in (500, 503, 429):
        server.requests.clear()
        server.status, server.failures = status, 99
        survived.append(
            refused(lambda: fetch(url, path, DIGEST), "failed 5 times", str(status))
            and len(server.requests) == 5
        )
    server.failures = 2  # it recovers
    survived.append(fetch(url, path, DIGEST).read_bytes() == CONTENT)
    path.unlink()
    monkeypatch.setattr(downloads, "TIMEOUT_S", 0.05)
    server.stall = 0.4
    survived.append(
        refused(lambda: fetch(url, path, DIGEST), "failed 5 times", "timed out") and not path.exists()
    )
    faults.record("F14", len(survived), sum(survived))
    assert survived == [True] * 10


def test_f14_a_protected_address_never_leads_to_an_unprotected_one(faults, server, tmp_path, monkeypatch):
    route_everything_to(server, monkeypatch)
    path = tmp_path / "a.bin"
    server.redirects = {
        "/old": "https://other.example/a.bin",
        "/bad": "http://other.example/a.bin",
        "/worse": "https://other.example/bad",
        "/file": "file:///a.bin",
        "/loop": "/loop",
    }
    survived = [
        refused(lambda: fetch("https://one.example/bad", path, DIGEST), "not protected"),
        refused(lambda: fetch("https://one.example/worse", path, DIGEST), "not protected"),
        refused(lambda: fetch("https://one.example/file", path, DIGEST), "not protected"),
        refused(lambda: fetch("https://one.example/loop", path, DIGEST), "redirects"),
        not list(tmp_path.iterdir()) and not server.requests,
        fetch("https://one.example/old", path, DIGEST).read_bytes() == CONTENT,
    ]
    faults.record("F14", len(survived), sum(survived))
    assert survived == [True] * 6


def test_f14_a_killed_download_goes_on(faults, server, tmp_path):
    """Killed at random, the process leaves no file at the place, or the whole one; the next one goes on."""
    number, survived, rng = faults.count(2, 30), 0, random.Random(0)
    server.pace_s = 0.03
    program = "import sys; from seglab.datasets.downloads import fetch; fetch(*sys.argv[1:])"
    for i in range(number):
        path = tmp_path / f"{i}" / "a.bin"
        part = path.with_name("a.bin.part")
        child = subprocess.Popen([sys.executable, "-c", program, f"{server.url}/a.bin", path, DIGEST])
        while not part.exists() and child.poll() is None:
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.3))
        child.kill()
        child.wait()
        kept = part.stat().st_size if part.exists() else 0
        intact = whole_or_none(path) and part.read_bytes() == CONTENT[:kept] if kept else whole_or_none(path)
        server.requests.clear()
        fetch(f"{server.url}/a.bin", path, DIGEST)
        went_on = not server.requests or server.requests[0][1] == (f"bytes={kept}-" if kept else None)
        survived += intact and went_on and path.read_bytes() == CONTENT
    faults.record("F14", number, survived)
    assert survived == number


# ----------------------------------------------------------------------------- F15: hostile archives

OUTSIDE = "../outside.txt"
NAMES = {
    "up": OUTSIDE,
    "up from a folder": "a/../../outside.txt",
    "absolute": "/outside.txt",
    "drive": "C:/outside.txt",
    "backslashes": "..\\outside.txt",
    "dot": "./a/./b",
    "nothing between": "a//b",
    "device of Windows": "a/con.txt",
    "dot at the end": "a/b.",
    "line break": "a/b\nc",
    "long": "a/" + "b" * 300,
}
COLLISIONS = {
    "case": ("a/B.png", "a/b.png"),
    "unicode": (unicodedata.normalize("NFC", "é.png"), unicodedata.normalize("NFD", "é.png")),
    "twice": ("a.png", "a.png"),
    "file and folder": ("a", "a/b"),
    "folder and file": ("a/b", "a"),
}


def zip_of(path: Path, *names: str, attributes: int = 0, flags: int = 0, content: bytes = b"x") -> None:
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            info = zipfile.ZipInfo("placeholder")
            info.filename = name  # the constructor would clean it
            info.external_attr = attributes << 16
            file.writestr(info, content)
            info.flag_bits |= flags


def tar_of(path: Path, *names: str, **fields) -> None:
    with tarfile.open(path, "w:gz") as file:
        for name in names:
            info = tarfile.TarInfo(name)
            for field, value in fields.items():
                setattr(info, field, value)
            info.size = 1 if info.isreg() else 0
            file.addfile(info, io.BytesIO(b"x"))


def hostile(folder: Path):
    """Name and maker of each hostile archive."""
    outside = str(folder.parent / "outside.txt")
    for what, name in NAMES.items():
        yield f"zip {what}", lambda path, name=name: zip_of(path, "good.txt", name)
        yield f"tar {what}", lambda path, name=name: tar_of(path, "good.txt", name)
    for what, names in COLLISIONS.items():
        yield f"zip {what}", lambda path, names=names: zip_of(path, *names)
        yield f"tar {what}", lambda path, names=names: tar_of(path, *names)
    yield "zip link", lambda path: zip_of(path, "link", attributes=0o120777, content=outside.encode())
    yield "zip pipe", lambda path: zip_of(path, "pipe", attributes=0o010644)
    yield "zip secret", lambda path: zip_of(path, "secret", flags=1)
    for kind in ("SYMTYPE", "LNKTYPE"):
        options = {"type": getattr(tarfile, kind), "linkname": outside}
        yield f"tar {kind}", lambda path, options=options: tar_of(path, "link", **options)
    for kind in ("CHRTYPE", "BLKTYPE", "FIFOTYPE", "GNUTYPE_SPARSE"):
        yield f"tar {kind}", lambda path, kind=kind: tar_of(path, "odd", type=getattr(tarfile, kind))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_f15_a_hostile_archive_leaves_nothing_anywhere(faults, tmp_path):
    folder = tmp_path / "deep" / "folder"
    folder.mkdir(parents=True)
    injected = survived = 0
    missed = []
    for what, make in hostile(folder):
        archive = tmp_path / "archive"
        make(archive)
        before = sorted(tmp_path.rglob("*"))
        good = refused(lambda path=archive: unpack(path, folder / "target"), str(archive))
        clean = sorted(tmp_path.rglob("*")) == before and not Path("/outside.txt").exists()
        injected, survived = injected + 1, survived + (good and clean)
        if not (good and clean):
            missed.append(what)
    faults.record("F15", injected, survived)
    assert missed == [] and injected == 41


def test_f15_a_link_cannot_be_written_through(faults, tmp_path):
    """The classic: a link to the outside first, then a file below it."""
    (tmp_path / "outside").mkdir()
    with tarfile.open(tmp_path / "a.tar", "w") as file:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "outside")
        file.addfile(link)
        info = tarfile.TarInfo("link/file")
        info.size = 1
        file.addfile(info, io.BytesIO(b"x"))
    good = refused(lambda: unpack(tmp_path / "a.tar", tmp_path / "in" / "target"), "link")
    clean = not list((tmp_path / "outside").iterdir()) and not list((tmp_path / "in").iterdir())
    faults.record("F15", 1, good and clean)
    assert good and clean


def test_f15_too_many_entries_and_odd_permissions(faults, tmp_path):
    number = faults.count(50_001, 100_000)
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as file:
        for i in range(number):
            file.writestr(f"{i}", b"")
    many = refused(lambda: unpack(tmp_path / "many.zip", tmp_path / "target"), "more than 50,000 entries")
    tar_of(tmp_path / "set.tar", "program", mode=0o6777)
    program = unpack(tmp_path / "set.tar", tmp_path / "target") / "program"
    plain = not program.stat().st_mode & 0o6111
    faults.record("F15", 2, many + plain)
    assert many and plain
