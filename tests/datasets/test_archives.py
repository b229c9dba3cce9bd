"""Archives that mean well are unpacked; the hostile ones are in tests/faults."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from seglab.datasets.archives import unpack
from seglab.errors import DataError

FILES = {"Set-1/README": b"about", "Set-1/images/a.png": b"\x00" * 3000, "Set-1/images/ä b.png": b"picture"}


@pytest.fixture(params=["zip", "tar", "tar.gz"])
def archive(request, tmp_path) -> Path:
    path = tmp_path / f"set.{request.param}"
    if request.param == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            file.mkdir("Set-1")
            for name, content in FILES.items():
                file.writestr(name, content)
    else:
        with tarfile.open(path, "w:gz" if request.param.endswith("gz") else "w") as file:
            folder = tarfile.TarInfo("Set-1")
            folder.type = tarfile.DIRTYPE
            file.addfile(folder)
            for name, content in FILES.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                file.addfile(info, io.BytesIO(content))
    return path


def content(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_all_files_arrive(archive, tmp_path):
    assert unpack(archive, tmp_path / "new" / "here") == tmp_path / "new" / "here"
    assert content(tmp_path / "new" / "here") == FILES
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["here"]


def test_only_a_folder_of_it(archive, tmp_path):
    unpack(archive, tmp_path / "images", only="Set-1/images/")
    assert content(tmp_path / "images") == {"a.png": b"\x00" * 3000, "ä b.png": b"picture"}
    with pytest.raises(DataError, match="holds nothing below Set-2/"):
        unpack(archive, tmp_path / "none", only="Set-2/")
    assert not (tmp_path / "none").exists()


def test_a_check_sees_the_files_before_anybody_else(archive, tmp_path):
    def check(folder):
        assert content(folder) == FILES and not (tmp_path / "here").exists()
        raise DataError("not what was promised")

    with pytest.raises(DataError, match="not what was promised"):
        unpack(archive, tmp_path / "here", check=check)
    assert list(tmp_path.iterdir()) == [archive]


def test_nothing_is_overwritten(archive, tmp_path):
    (tmp_path / "here").mkdir()
    with pytest.raises(DataError, match="here: exists already"):
        unpack(archive, tmp_path / "here")


def test_caps(archive, tmp_path):
    for options, part in (({"max_entries": 3}, "more than 3 entries"), ({"max_bytes": 3000}, "3,000 bytes")):
        with pytest.raises(DataError, match=part):
            unpack(archive, tmp_path / "here", **options)
    assert list(tmp_path.iterdir()) == [archive]


def test_a_damaged_archive_is_refused(archive, tmp_path):
    data = archive.read_bytes()
    for damaged in (b"", b"<html>", data[: len(data) // 4]):
        archive.write_bytes(damaged)
        with pytest.raises(DataError, match="damaged or no zip or tar"):
            unpack(archive, tmp_path / "here")
    archive.unlink()
    with pytest.raises(DataError, match="no such file"):
        unpack(archive, tmp_path / "here")
    assert list(tmp_path.iterdir()) == []
