"""The set-up, on a small checkout whose pip is a stand-in that only keeps a log.

The real pip is exercised by each `make test` on a fresh clone, which cannot succeed without it.
"""

import ast
import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seglab import bootstrap

PACKAGE = Path(bootstrap.__file__).parent
OUTSIDE_PYTHON = sys._base_executable  # the Python that the environment of this test run was made with

COMMAND_LINE = """
import json, sys

def main(argv=None):
    print(json.dumps([sys.prefix, *sys.argv[1:]]))
    return 7
"""

# Like pip, it unpacks the metadata of a package first and writes INSTALLER when it is through.
PIP = """
import os, sys, sysconfig, time
from pathlib import Path

def note(text):
    with open(os.environ["LOG"], "a") as file:
        file.write(text + "\\n")

torch = Path(sysconfig.get_path("purelib")) / "torch-2.14.1.dist-info"
note("pip " + " ".join(sys.argv[1:]) + (" finds torch" if torch.exists() else ""))
torch.mkdir(exist_ok=True)
time.sleep(float(os.environ.get("SECONDS", "0")))
while not Path(os.environ.get("GATE", ".")).exists():
    time.sleep(0.02)
(torch / "INSTALLER").touch()
note("end")
sys.exit(int(os.environ.get("CODE", "0")))
"""

HANG_S = 120  # far above what any step takes: a test ends even if the set-up hangs
posix_only = pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")


class Checkout:
    """A copy of what the set-up consists of, with stand-ins for the command line and for pip."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "checkout"
        self.log = folder / "log.txt"
        self.stand_ins = folder / "stand-ins"
        package = self.folder / "seglab"
        package.mkdir(parents=True)
        for name in ("__init__.py", "__main__.py", "bootstrap.py", "errors.py"):
            shutil.copy(PACKAGE / name, package)
        (package / "cli.py").write_text(COMMAND_LINE)
        (self.folder / "pyproject.toml").write_text("[project]\n")
        (self.folder / "constraints.txt").write_text("torch==2.14.1\n")
        metadata = self.stand_ins / "pip-1.0.dist-info" / "METADATA"
        metadata.parent.mkdir(parents=True)
        metadata.write_text("Name: pip\nVersion: 1.0\n")
        (self.stand_ins / "pip.py").write_text(PIP)

    def start(self, python: str | Path = OUTSIDE_PYTHON, **variables: object) -> subprocess.Popen:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CONDA_", "PYTHON")) and name not in ("VIRTUAL_ENV", "LOCAL_RANK")
        }
        own = {"PYTHONPATH": self.stand_ins, "LOG": self.log, **variables}
        return subprocess.Popen(
            [python, "-m", "seglab", "verb", "--flag"],
            cwd=self.folder,
            env=inherited | {name: str(value) for name, value in own.items()},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, python: str | Path = OUTSIDE_PYTHON, **variables: object) -> tuple[int, str, str]:
        """The exit code, the prefix in which the command line ran ("" if it did not), and what was said."""
        process = self.start(python, **variables)
        out, err = process.communicate(timeout=HANG_S)
        prefix = ""
        if out:
            prefix, *arguments = json.loads(out)
            assert arguments == ["verb", "--flag"]
        return process.returncode, prefix, err

    def wait_for_pip(self) -> None:
        deadline = time.monotonic() + HANG_S
        while not self.notes():
            assert time.monotonic() < deadline, "pip was not started"
            time.sleep(0.02)

    def notes(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def installations(self) -> int:
        return sum(note.startswith("pip") for note in self.notes())


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_fresh_checkout_gets_an_environment_once(checkout):
    code, prefix, said = checkout.run()
    assert (code, Path(prefix)) == (7, checkout.folder / ".venv")  # 7: the command's own exit code
    pins = checkout.folder / ".venv" / "seglab-constraints.txt"
    install = f"pip install --disable-pip-version-check -c {pins} -e .[test]"
    assert checkout.notes() == [install, "end"]
    assert pins.read_text() == "torch==2.14.1\n"
    assert "installing" in said
    code, prefix, said = checkout.run()
    assert (code, Path(prefix), said) == (7, checkout.folder / ".venv", "")
    assert checkout.installations() == 1


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_installs_again_when_the_requirements_change(checkout, name):
    checkout.run()
    (checkout.folder / name).write_text("# other requirements\n")
    for _ in range(2):
        assert checkout.run()[0] == 7
    assert checkout.installations() == 2


def test_touching_a_file_without_changing_it_installs_nothing(checkout):
    checkout.run()
    os.utime(checkout.folder / "pyproject.toml", (0, 0))
    checkout.run()
    assert checkout.installations() == 1


def test_a_moved_checkout_is_installed_again(checkout):
    checkout.run()
    checkout.folder = checkout.folder.rename(checkout.folder.with_name("moved"))
    code, prefix, _ = checkout.run()
    assert (code, Path(prefix)) == (7, checkout.folder / ".venv")
    assert checkout.installations() == 2


def test_failure_is_told_in_one_sentence_and_repeated(checkout):
    code, prefix, said = checkout.run(CODE=3)
    assert (code, prefix) == (1, "")
    assert "pip ended with code 3" in said.splitlines()[-1]
    assert "no network" in said.splitlines()[-1]
    assert checkout.run()[0] == 7
    assert checkout.installations() == 2


def test_pip_is_installed_where_there_is_none(checkout):
    shutil.rmtree(checkout.stand_ins / "pip-1.0.dist-info")
    (checkout.stand_ins / "ensurepip.py").write_text("import os; os.write(2, b'ensurepip was here')")
    code, _, said = checkout.run()
    assert code == 7
    assert said.count("ensurepip was here") == 1


def test_python_without_ensurepip_is_told_what_to_install(monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(bootstrap.SetupError, match="sudo apt install python3-venv"):
        bootstrap._install_pip()


def test_active_environment_is_used_by_whatever_python(checkout, tmp_path):
    active = tmp_path / "active"
    subprocess.run([OUTSIDE_PYTHON, "-m", "venv", "--without-pip", active], check=True)
    code, prefix, _ = checkout.run(VIRTUAL_ENV=active)
    assert (code, Path(prefix)) == (7, active)
    code, prefix, said = checkout.run(bootstrap._python_of(active))
    assert (code, Path(prefix), said) == (7, active, "")
    assert checkout.installations() == 1
    assert not (checkout.folder / ".venv").exists()


def test_active_environment_that_has_gone_is_refused(checkout, tmp_path):
    code, prefix, said = checkout.run(VIRTUAL_ENV=tmp_path / "gone")
    assert (code, prefix) == (1, "")
    assert f"VIRTUAL_ENV names {tmp_path / 'gone'}" in said
    assert checkout.notes() == []


def test_conda_environment_is_used_unless_it_is_base(tmp_path, monkeypatch):
    (tmp_path / "conda-meta").mkdir()
    python = bootstrap._python_of(tmp_path)
    python.parent.mkdir(exist_ok=True)
    python.touch()
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    monkeypatch.setenv("CONDA_PREFIX", str(tmp_path))
    monkeypatch.setenv("CONDA_DEFAULT_ENV", "study")
    assert bootstrap.active_environment() == tmp_path
    monkeypatch.setenv("CONDA_DEFAULT_ENV", "base")
    assert bootstrap.active_environment() is None


def test_pins_spare_what_pip_cannot_replace(tmp_path, monkeypatch):
    def package(name: str, **files: str) -> None:
        folder = tmp_path / "site" / f"{name}-1.0.dist-info"
        folder.mkdir(parents=True)
        for file, text in {"METADATA": f"Name: {name}\nVersion: 1.0\n", **files}.items():
            (folder / file).write_text(text)

    package("by_pip", INSTALLER="pip\n", RECORD="")
    package("By_Conda", INSTALLER="conda\n", RECORD="")
    package("without.record", INSTALLER="pip\n")
    requirements = tmp_path / "constraints.txt"
    requirements.write_text("by-conda==2.0\nby-pip==2.0\nnew==2.0\nwithout-record==2.0 ; os_name == 'nt'\n")
    monkeypatch.setattr(bootstrap, "REQUIREMENTS", (tmp_path, requirements))
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site")])
    assert bootstrap._pins().read_text() == "by-pip==2.0\nnew==2.0\n"


def test_environment_whose_python_was_uninstalled_is_mended(checkout):
    checkout.run()
    python = bootstrap._python_of(checkout.folder / ".venv")
    for link in python.parent.glob("python*"):
        link.unlink()
        link.symlink_to("no-such-python")
    assert checkout.run()[0] == 7


@pytest.mark.parametrize("first", ["fresh", "outdated"])
def test_two_at_once_install_once(checkout, first):
    if first == "outdated":
        checkout.run()
        (checkout.folder / "pyproject.toml").write_text("# other requirements\n")
        checkout.log.unlink()
    processes = [checkout.start(SECONDS=1) for _ in range(2)]
    said = [process.communicate(timeout=HANG_S)[1] for process in processes]
    assert [process.returncode for process in processes] == [7, 7]
    assert checkout.installations() == 1
    assert "".join(said).count("is made") == (first == "fresh")


def test_workers_of_torchrun_never_install(checkout):
    code, prefix, _ = checkout.run(LOCAL_RANK=0)
    assert code == 7
    assert Path(prefix) != checkout.folder / ".venv"
    assert checkout.notes() == []


def test_installed_package_only_runs_the_command_line(checkout):
    (checkout.folder / "pyproject.toml").unlink()
    code, _, said = checkout.run()
    assert (code, said) == (7, "")
    assert checkout.notes() == []


@pytest.fixture
def interruptible():
    """Children take SIGINT even where this process ignores it, as under nohup."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@posix_only
@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_cut_off_installation_is_repeated(checkout, how):
    process = checkout.start(SECONDS=2 * HANG_S)
    checkout.wait_for_pip()
    os.killpg(process.pid, how)
    _, said = process.communicate(timeout=HANG_S)
    if how == signal.SIGINT:
        assert process.returncode == 130
        assert said.splitlines()[-1].endswith("the same command takes it up again.")
    assert checkout.run()[0] == 7
    assert checkout.installations() == 2
    assert "finds torch" not in checkout.log.read_text()  # half a package is not taken for a whole one


@posix_only
def test_pip_that_outlives_its_parent_is_waited_for(checkout, tmp_path):
    gate = tmp_path / "gate"
    first = checkout.start(GATE=gate)
    checkout.wait_for_pip()
    first.kill()
    first.wait(HANG_S)
    second = checkout.start()
    assert "another process is setting up" in second.stderr.readline()
    gate.touch()
    for process in (first, second):
        process.communicate(timeout=HANG_S)
    assert second.returncode == 7
    assert [note.split()[0] for note in checkout.notes()] == ["pip", "end", "pip", "end"]


def test_old_python_is_refused_in_one_sentence(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    with pytest.raises(SystemExit, match=r"needs Python 3\.11 or newer, and .* is Python 3\.10"):
        runpy.run_path(str(PACKAGE / "__main__.py"), run_name="__main__")


@pytest.mark.parametrize("name", ["__init__.py", "__main__.py"])
def test_old_python_can_read_as_far_as_the_refusal(name):
    ast.parse((PACKAGE / name).read_text(encoding="utf-8"), feature_version=(3, 6))


def test_set_up_needs_nothing_installed():
    program = f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r}); import seglab.bootstrap"
    subprocess.run([OUTSIDE_PYTHON, "-I", "-S", "-c", program], check=True)  # -S: no site-packages
