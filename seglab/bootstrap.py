"""Set-up in one command: what `python -m seglab` does in a fresh clone before the command itself.

It uses the environment that is active (virtual, or conda other than base), else `.venv` in the checkout. pip
runs in it once, and again when `pyproject.toml` or `constraints.txt` changed. All this happens before
anything is installed, so only the standard library is imported here.

A command starts itself again at most twice: from outside the environment inside it, and when everything is
installed there. A stamp in the environment says how far it is, so the command can be killed at any instant
and repeated.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NoReturn

from seglab.errors import SeglabError

CHECKOUT = Path(__file__).resolve().parent.parent
REQUIREMENTS = (CHECKOUT / "pyproject.toml", CHECKOUT / "constraints.txt")
UNFINISHED = "unfinished"


class SetupError(SeglabError):
    """The environment cannot be made or filled; the message says what is missing."""

    exit_code = 1


def main() -> int:
    """Set up what is missing, then run the command line.

    Returns:
        The exit code of the command, 1 if the set-up failed, 130 if it was interrupted.
    """
    is_checkout = all(path.is_file() for path in REQUIREMENTS)
    # A worker of torchrun never installs: its launcher runs in the same environment already.
    if is_checkout and "LOCAL_RANK" not in os.environ:
        try:
            set_up()
        except (SetupError, OSError) as error:
            _say(f"the set-up failed: {error}")
            return SetupError.exit_code
        except KeyboardInterrupt:
            _say("the set-up was interrupted; the same command takes it up again.")
            return 130
    from seglab.cli import main as run_command

    return run_command()


def set_up() -> None:
    """Return at once if this interpreter has everything; otherwise set up and start the command again.

    Raises:
        SetupError: The environment cannot be made, or pip failed.
    """
    environment = active_environment()
    if environment is None:
        environment = CHECKOUT / ".venv"
        make_environment(environment)
    if environment.resolve() != Path(sys.prefix).resolve():
        _restart(_python_of(environment))
    if _read_stamp() != _digest():
        install()
        _restart(Path(sys.executable))  # a new process sees what was installed


def active_environment() -> Path | None:
    """The folder of the active environment, or None if there is none to use.

    The environment of the interpreter that was called goes before an activated one. Conda's base environment
    does not count: it holds conda itself, which pip could break.

    Raises:
        SetupError: An environment is active, but its folder has gone or holds no Python.
    """
    if sys.prefix != sys.base_prefix:
        return Path(sys.prefix)
    for variable, mark in (("VIRTUAL_ENV", "pyvenv.cfg"), ("CONDA_PREFIX", "conda-meta")):
        value = os.environ.get(variable)
        if not value or (variable == "CONDA_PREFIX" and os.environ.get("CONDA_DEFAULT_ENV") == "base"):
            continue
        folder = Path(value)
        if not (folder / mark).exists() or not _python_of(folder).exists():
            raise SetupError(
                f"{variable} names {value}, where there is no environment with a Python. "
                "Deactivate it or make it again, then repeat the command."
            )
        return folder
    return None


def make_environment(folder: Path) -> None:
    """Make a virtual environment, without pip, where there is none or where its Python has gone."""
    if _is_made(folder):
        return
    import venv

    folder.mkdir(exist_ok=True)
    with _alone_in(folder):
        if _is_made(folder):  # another process was faster
            return
        _say(f"no environment is active, so {folder} is made.")
        for link in folder.glob("bin/python*"):
            if not link.exists():  # it leads to a Python that was uninstalled, and venv would keep it
                link.unlink()
        venv.create(folder, symlinks=os.name != "nt")


def install() -> None:
    """Install seglab and what it needs into the environment of this interpreter.

    Raises:
        SetupError: pip is missing and cannot be had, or it failed.
    """
    with _alone_in(Path(sys.prefix)):
        digest, before = _digest(), _read_stamp()
        if before == digest:  # another process was faster
            return
        start = time.monotonic()
        if before in ("", UNFINISHED):
            _say(
                f"installing PyTorch and the rest into {sys.prefix}. "
                "This happens once; up to 3 GB are downloaded, which takes some minutes."
            )
        else:
            _say(f"the requirements have changed, so {sys.prefix} is brought up to date.")
        if before == UNFINISHED:
            _forget_half_installed()
        _write_stamp(UNFINISHED)
        _install_pip()
        pins = _pins()
        _run("pip", "install", "--disable-pip-version-check", "-c", str(pins), "-e", ".[test]")
        _write_stamp(digest)
        _say(f"set up in {time.monotonic() - start:.0f} s.")


def _is_made(environment: Path) -> bool:
    return (environment / "pyvenv.cfg").is_file() and _python_of(environment).exists()


def _digest() -> str:
    """The stamp of a finished set-up: another one for other requirements, another checkout or Python."""
    digest = hashlib.sha256(os.fsencode(CHECKOUT) + bytes(sys.version_info[:2]))
    for path in REQUIREMENTS:
        digest.update(b"\0" + path.read_bytes())
    return digest.hexdigest()


def _stamp() -> Path:
    return Path(sys.prefix) / "seglab-setup.txt"


def _read_stamp() -> str:
    """The digest of the last finished set-up, `UNFINISHED` if one was cut off since, "" before the first."""
    with suppress(FileNotFoundError):
        return _stamp().read_text(encoding="ascii")
    return ""


def _write_stamp(text: str) -> None:
    temporary = _stamp().with_suffix(".tmp")
    temporary.write_text(text, encoding="ascii")
    os.replace(temporary, _stamp())


def _forget_half_installed() -> None:
    """Remove the metadata of packages that were being unpacked when pip was killed.

    pip unpacks a package's metadata long before it is through, writes INSTALLER last, and takes every package
    with metadata for installed. Without metadata it installs the package again.
    """
    import shutil
    import sysconfig

    for folder in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for metadata in Path(folder).glob("*.dist-info"):
            if not (metadata / "INSTALLER").exists():
                shutil.rmtree(metadata)


def _install_pip() -> None:
    """Install Python's own copy of pip where there is none."""
    from importlib.metadata import PackageNotFoundError, version
    from importlib.util import find_spec

    with suppress(PackageNotFoundError):
        version("pip")
        return
    if find_spec("ensurepip") is None:
        raise SetupError(
            "this Python comes without pip and ensurepip. On Debian and Ubuntu "
            "`sudo apt install python3-venv` brings them; then repeat the command."
        )
    _run("ensurepip", "--default-pip")


def _pins() -> Path:
    """The constraints for pip: constraints.txt, less the packages that conda or the system installed.

    Those come without RECORD, the list of files by which pip uninstalls: pip would stop at each version that
    differs.
    """
    import re
    from importlib.metadata import distributions

    foreign = {
        re.sub(r"[-_.]+", "-", package.name).lower()
        for package in distributions()
        if package.read_text("METADATA")
        and (package.read_text("RECORD") is None or (package.read_text("INSTALLER") or "").strip() == "conda")
    }
    lines = REQUIREMENTS[1].read_text(encoding="utf-8").splitlines(keepends=True)
    pins = Path(sys.prefix) / "seglab-constraints.txt"
    pins.write_text("".join(line for line in lines if line.split("==")[0] not in foreign), encoding="utf-8")
    return pins


def _run(module: str, *arguments: str) -> None:
    """Run a module of this environment in the checkout, with its output on the screen.

    Raises:
        SetupError: The module's exit code was not 0.
    """
    import subprocess

    # close_fds=False hands on the lock: a pip whose parent was killed still keeps others out.
    process = subprocess.Popen([sys.executable, "-m", module, *arguments], cwd=CHECKOUT, close_fds=False)
    try:
        code = process.wait()
    except KeyboardInterrupt:
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)  # Ctrl-C reached pip too: it removes its temporary files
        process.kill()
        raise
    if code:
        raise SetupError(
            f"{module} ended with code {code}; its own message is above. Usual causes: no network, "
            "a full disk (about 7 GB are needed), a Python too new for PyTorch. The same command tries again."
        )


@contextmanager
def _alone_in(environment: Path) -> Iterator[None]:
    """Wait until no other process is setting up this environment, and keep others out.

    The lock belongs to the processes that hold the file open, so that it ends with them, however they end.
    """
    with open(environment / "seglab-setup.lock", "a", encoding="ascii") as file:
        if not _locked(file):
            _say(f"another process is setting up {environment}; waiting for it.")
            while not _locked(file):
                time.sleep(0.1)
        os.set_inheritable(file.fileno(), True)
        yield


def _locked(file: IO[str]) -> bool:
    """Try to lock an open file; False if another process has the lock."""
    with suppress(BlockingIOError, PermissionError):
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _python_of(environment: Path) -> Path:
    """The interpreter of a virtual or conda environment."""
    if os.name == "nt":
        is_virtual = (environment / "pyvenv.cfg").exists()
        return environment / ("Scripts/python.exe" if is_virtual else "python.exe")
    return environment / "bin" / "python"


def _restart(python: Path) -> NoReturn:
    """Start this very command again in another interpreter, in place of this process."""
    command = [str(python), *sys.orig_argv[1:]]
    if os.name != "nt":
        os.execv(command[0], command)
    # On Windows exec gives the console back at once. Ctrl-C is for the command, not for this waiting process.
    import signal
    import subprocess

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(subprocess.call(command))


def _say(text: str) -> None:
    print(f"seglab: {text}", file=sys.stderr, flush=True)
