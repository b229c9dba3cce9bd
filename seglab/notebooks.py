"""Notebooks without a browser: built to be committed, checked without running, run quickly for a test.

A committed notebook is honest if its outputs belong to its code and to the results that it shows. *build*
makes it so and leaves a stamp in the notebook's metadata, under `seglab`:

    inputs           globs from the root of the checkout, written by the author: the results that it reads
    code_digest      of the code cells
    inputs_digest    of the files that the globs match

*check* compares the stamp with what is there now. What differs from one build to the next without meaning
anything is dropped, so that two builds give the same bytes wherever the code measures no time.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode
from PIL import Image

from seglab.config import unknown
from seglab.errors import ConfigError, RunError
from seglab.runs import workspace, write_bytes, write_text

LARGEST_BYTES = 2**20
_VIEW = "application/vnd.jupyter.widget-view+json"
# Variables by which a reader changes what a notebook does; a build is without them.
_PARAMETERS = ("SEGLAB_PROFILE", "SEGLAB_DATASET", "SEGLAB_OVERRIDES", "SEGLAB_RUN")
_MACHINE_PATH = re.compile(r"(?<![\w.$}-])(?:/(?:home|Users|root|tmp|work)/|[A-Z]:\\{1,2}Users\\)[\w.]")
_ADDRESS = re.compile(r"\bat 0x[0-9a-f]+\b")
# Names that pandas' Styler and some table viewers draw at random for the parts of a page.
_RANDOM_ID = re.compile(r"\bT_[0-9a-f]{5}(?![0-9a-f])|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
# The line with which a notebook ends: how long it took, and on what.
_TIME_LINE = re.compile(r"^\d+(?:\.\d+)? s(?: on .*)?\n?", re.MULTILINE)


class _Watched(NotebookClient):
    """A notebook client that passes on every line of text that a cell shows, as soon as it does."""

    watch: Callable[[str], None]

    def process_message(self, msg, cell, cell_index):
        content = msg.get("content", {})
        if msg["msg_type"] == "stream":
            self.watch(content["text"].rstrip())
        elif msg["msg_type"] in ("display_data", "update_display_data"):
            data = content.get("data", {})
            if data.keys() == {"text/plain"} and data["text/plain"]:
                self.watch(data["text/plain"])
        return super().process_message(msg, cell, cell_index)


def find(name: str) -> Path:
    """The notebook whose file name begins with `name`, for example `03`.

    Raises:
        ConfigError: If there is none, or more than one.
    """
    found = [path for path in _all() if path.name.startswith(name)]
    if len(found) != 1:
        raise ConfigError(unknown(f"notebook {name!r}", name, [path.name for path in _all()]))
    return found[0]


def select(names: Iterable[str] = ()) -> list[Path]:
    """The notebooks with these beginnings, or all.

    Raises:
        ConfigError: If a name fits none, or more than one.
    """
    return [find(name) for name in names] or _all()


def _all() -> list[Path]:
    folder = workspace() / "notebooks"
    if not folder.is_dir():
        raise ConfigError(f"{workspace()}: there are no notebooks here; run this in a clone of seglab")
    return sorted(folder.glob("[0-9]*.ipynb"))


# ----------------------------------------------------------------------------------------------- to run


def build(path: Path, watch: Callable[[str], None] = lambda text: None) -> None:
    """Runs a notebook as it is committed, cleans and stamps it, and renews its picture for the README.

    The picture is that of the cell tagged `thumbnail`. If a cell fails, the notebook stays as it was.

    Args:
        path: The notebook.
        watch: Told what the cells print, while they run.

    Raises:
        RunError: If a cell fails; the message names a copy with its outputs, below `runs/`.
    """
    ran = workspace() / "runs" / "notebooks" / path.name
    environment = {name: value for name, value in os.environ.items() if name not in _PARAMETERS}
    # The order of a set in Python depends on this seed.
    execute(path, ran, watch, environment | {"PYTHONHASHSEED": "0"})
    notebook = stamped(nbformat.read(ran, as_version=4), workspace())
    write_text(path, nbformat.writes(notebook) + "\n")
    for cell in notebook.cells:
        if "thumbnail" in cell.metadata.get("tags", ()):
            pictures = [o.data["image/png"] for o in cell.outputs if "image/png" in o.get("data", {})]
            picture = path.parent / "thumbnails" / f"{path.stem}.png"
            picture.parent.mkdir(exist_ok=True)
            if pictures:  # none where its results are missing
                write_bytes(picture, base64.b64decode(pictures[0]))


def smoke(paths: Iterable[Path], folder: Path, watch: Callable[[str], None] = lambda text: None) -> None:
    """Runs notebooks in the quick profile; the committed files are not touched.

    One that fails does not keep the others from running.

    Args:
        paths: The notebooks.
        folder: Where the copies with their outputs go.
        watch: Told what the cells print, while they run, and how each notebook ended.

    Raises:
        RunError: At the end, if a cell failed.
    """
    failed = []
    for path in paths:
        try:
            execute(path, folder / path.name, watch, {**os.environ, "SEGLAB_PROFILE": "quick"})
            watch(f"{path.name}: ran from top to bottom")
        except RunError as error:
            failed.append(str(error))
    if failed:
        raise RunError("; ".join(failed))


def execute(
    source: Path,
    target: Path,
    watch: Callable[[str], None] = lambda text: None,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Runs a notebook from top to bottom in a fresh kernel and writes it with its outputs.

    Args:
        source: The notebook; its folder is the working folder of the kernel.
        target: Where the result goes, also when a cell fails; may be `source` itself.
        watch: Told what the cells print, while they run.
        environment: The kernel's environment variables; None for those of this process.

    Raises:
        RunError: If a cell fails.
    """
    notebook = nbformat.read(source, as_version=4)
    client = _Watched(
        notebook,
        timeout=None,
        kernel_name="python3",
        resources={"metadata": {"path": str(source.parent)}},
        record_timing=False,
        extra_arguments=["--log-level=ERROR"],  # ipykernel warns of the loopback connection at every start
    )
    client.watch = watch
    try:
        client.execute(env=dict(os.environ if environment is None else environment))
    except CellExecutionError as error:
        raise RunError(f"{source.name}: a cell failed: {error.ename}: {error.evalue}; see {target}") from None
    except DeadKernelError:
        raise RunError(f"{source.name}: its kernel died, perhaps for want of memory; see {target}") from None
    finally:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_text(target, nbformat.writes(_cleaned(notebook)) + "\n")


# ----------------------------------------------------------------------------------- what does not repeat


def _cleaned(notebook: NotebookNode) -> NotebookNode:
    """The notebook without what a second run would give otherwise, times apart."""
    notebook.metadata.pop("widgets", None)
    names: dict[str, str] = {}
    for cell in _code_cells(notebook):
        cell.metadata.pop("execution", None)
        cell.outputs = _joined(cell.outputs)
        for output in cell.outputs:
            if "text" in output:
                output.text = _repeatable(output.text, names)
            data = output.get("data", {})
            if len(data) > 1:  # a still picture or a text stands for the widget
                data.pop(_VIEW, None)
            for kind in data.keys() & {"text/plain", "text/html"}:
                data[kind] = _repeatable(data[kind], names)
    return notebook


def _joined(outputs: Sequence[NotebookNode]) -> list[NotebookNode]:
    """Outputs with the printed text in one piece: in how many it arrives depends on the clock."""
    joined: list[NotebookNode] = []
    for output in outputs:
        if joined and output.output_type == "stream" and output.get("name") == joined[-1].get("name"):
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def _repeatable(text: str, names: dict[str, str]) -> str:
    """Text without addresses, its random names numbered in the order in which they occur."""
    text = _RANDOM_ID.sub(lambda found: names.setdefault(found[0], f"id-{len(names) + 1}"), text)
    return _ADDRESS.sub("at 0x…", text)


def stamped(notebook: NotebookNode, root: Path) -> NotebookNode:
    """A notebook that has just been run, made ready to be committed.

    Args:
        notebook: With its outputs; it is changed.
        root: The checkout, from which the globs in its metadata start.
    """
    notebook = _cleaned(notebook)
    for cell in _code_cells(notebook):
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = _smaller(output.data["image/png"])
    last = _code_cells(notebook)[-1]
    for output in last.outputs:
        if "text" in output:
            output.text = _TIME_LINE.sub("", output.text)
    last.outputs = [output for output in last.outputs if output.get("text") != ""]
    stamp = notebook.metadata.setdefault("seglab", NotebookNode(inputs=[]))
    stamp.code_digest = _code_digest(notebook)
    stamp.inputs_digest = _inputs_digest(stamp.inputs, root)
    return notebook


def _smaller(picture: str) -> str:
    """A PNG in base64 with the same pixels in fewer bytes: without an alpha channel that is opaque."""
    old = base64.b64decode(picture)
    with Image.open(io.BytesIO(old)) as image:
        opaque = image.mode == "RGBA" and image.getchannel("A").getextrema() == (255, 255)
        buffer = io.BytesIO()
        (image.convert("RGB") if opaque else image).save(buffer, "png", optimize=True)
    new = buffer.getvalue()
    return base64.b64encode(min(old, new, key=len)).decode("ascii")


def _code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source]


def _code_digest(notebook: NotebookNode) -> str:
    sources = json.dumps([cell.source for cell in _code_cells(notebook)])
    return hashlib.sha256(sources.encode()).hexdigest()[:16]


def _inputs_digest(globs: Iterable[str], root: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted({path for glob in globs for path in root.glob(glob) if path.is_file()}):
        digest.update(f"{path.relative_to(root).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


# --------------------------------------------------------------------------------------------- to check


def check(path: Path, root: Path) -> list[str]:
    """Says why a notebook must not be committed as it is; nothing is run.

    Args:
        path: The notebook.
        root: The checkout, from which the globs in its metadata start.

    Returns:
        One sentence per fault; none if it is as `build` left it.
    """
    text = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(text, as_version=4)
    again = f"run `seglab notebooks build {path.stem}`"
    faults = []
    stamp = notebook.metadata.get("seglab", {})
    if "code_digest" not in stamp:
        faults.append(f"it was never built; {again}")
    elif stamp.code_digest != _code_digest(notebook):
        faults.append(f"its code was changed after it was run; {again}")
    elif stamp.inputs_digest != _inputs_digest(stamp.inputs, root):
        faults.append(f"the results that it shows ({', '.join(stamp.inputs)}) were changed; {again}")
    cells = _code_cells(notebook)
    if [cell.execution_count for cell in cells] != list(range(1, len(cells) + 1)):
        faults.append(f"its cells were not run once each from top to bottom; {again}")
    if any(output.output_type == "error" for cell in cells for output in cell.outputs):
        faults.append("a cell failed")
    if found := _MACHINE_PATH.search(_written(notebook)):
        faults.append(f"it holds a path of somebody's machine ({found[0]}…); mend the cell that prints it")
    if len(text.encode()) > LARGEST_BYTES:
        faults.append(f"it has {len(text.encode())} bytes; allowed are {LARGEST_BYTES}: show less or smaller")
    before = nbformat.writes(notebook)
    if nbformat.writes(_cleaned(notebook)) != before:
        faults.append(f"it holds what no second run repeats (widgets, addresses, random names); {again}")
    return faults


def _written(notebook: NotebookNode) -> str:
    """Everything in a notebook that is text: base64 can look like anything."""
    parts = [json.dumps(notebook.metadata)]
    for cell in notebook.cells:
        parts += [cell.source, json.dumps(cell.metadata)]
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            parts += [str(value) for kind, value in data.items() if not kind.startswith("image/")]
            parts += [output.get("text", ""), *output.get("traceback", ())]
    return "\n".join(parts)
