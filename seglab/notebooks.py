"""Runs notebooks without a browser."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from seglab.config import unknown
from seglab.errors import ConfigError, RunError
from seglab.runs import workspace, write_text


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
    if not (workspace() / "notebooks").is_dir():
        raise ConfigError(f"{workspace()}: there are no notebooks here; run this in a clone of seglab")
    names = [path.name for path in sorted((workspace() / "notebooks").glob("[0-9]*.ipynb"))]
    found = [one for one in names if one.startswith(name)]
    if len(found) != 1:
        raise ConfigError(unknown(f"notebook {name!r}", name, names))
    return workspace() / "notebooks" / found[0]


def build(name: str, watch: Callable[[str], None] = lambda text: None) -> Path:
    """Runs a notebook in place, and renews its picture for the README from the cell tagged `thumbnail`.

    Args:
        name: Beginning of the notebook's file name.
        watch: Told what the cells print, while they run.

    Returns:
        The notebook.

    Raises:
        ConfigError: If there is no such notebook.
        RunError: If a cell fails.
    """
    path = find(name)
    execute(path, path, watch)
    for cell in nbformat.read(path, as_version=4).cells:
        if "thumbnail" in cell.metadata.get("tags", ()):
            pictures = [o.data["image/png"] for o in cell.outputs if "image/png" in o.get("data", {})]
            picture = path.parent / "thumbnails" / f"{path.stem}.png"
            picture.parent.mkdir(exist_ok=True)
            picture.write_bytes(base64.b64decode(pictures[0]))
    return path


def execute(source: Path, target: Path, watch: Callable[[str], None] = lambda text: None) -> None:
    """Runs a notebook from top to bottom in a fresh kernel and writes it with its outputs.

    Args:
        source: The notebook; its folder is the working folder of the kernel.
        target: Where the result goes, also when a cell fails; may be `source` itself.
        watch: Told what the cells print, while they run.

    Raises:
        RunError: If a cell fails.
    """
    notebook = nbformat.read(source, as_version=4)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
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
        client.execute()
    except CellExecutionError as error:
        raise RunError(f"{source.name}: a cell failed: {error.ename}: {error.evalue}; see {target}") from None
    except DeadKernelError:
        raise RunError(f"{source.name}: its kernel died, perhaps for want of memory; see {target}") from None
    finally:
        notebook.metadata.pop("widgets", None)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_text(target, nbformat.writes(notebook) + "\n")
