"""Running notebooks without a browser."""

import json

import nbformat
import pytest

from seglab import notebooks
from seglab.errors import ConfigError, RunError


def write(path, *sources):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    nbformat.write(notebook, path)
    return path


def test_outputs_are_written_and_watched(tmp_path):
    source = write(
        tmp_path / "a.ipynb",
        "print('printed')",
        "from IPython.display import DisplayHandle\nh = DisplayHandle()\n"
        "h.display({'text/plain': 'first'}, raw=True); h.update({'text/plain': 'second'}, raw=True)",
    )
    lines = []
    notebooks.execute(source, tmp_path / "out" / "b.ipynb", watch=lines.append)
    assert lines == ["printed", "first", "second"]
    cells = json.loads((tmp_path / "out" / "b.ipynb").read_text())["cells"]
    assert [cell["execution_count"] for cell in cells] == [1, 2]
    assert "".join(cells[1]["outputs"][0]["data"]["text/plain"]) == "second"
    assert "outputs" not in source.read_text() or json.loads(source.read_text())["cells"][0]["outputs"] == []


def test_a_failing_cell_is_an_error_and_its_output_is_kept(tmp_path):
    source = write(tmp_path / "a.ipynb", "1 / 0", "print('never')")
    with pytest.raises(RunError, match=r"a\.ipynb: a cell failed: ZeroDivisionError: division by zero"):
        notebooks.execute(source, tmp_path / "b.ipynb")
    outputs = json.loads((tmp_path / "b.ipynb").read_text())["cells"][0]["outputs"]
    assert outputs[0]["ename"] == "ZeroDivisionError"


def test_build_renews_the_picture_of_the_tagged_cell(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    monkeypatch.setattr(notebooks, "workspace", lambda: tmp_path)
    show = "from IPython.display import Image\nImage(b'\\x89PNG\\r\\n\\x1a\\n' + {!r})"
    source = write(tmp_path / "notebooks" / "07_x.ipynb", show.format(b"first"), show.format(b"second"))
    notebook = nbformat.read(source, as_version=4)
    notebook.cells[1].metadata["tags"] = ["thumbnail"]
    nbformat.write(notebook, source)
    assert notebooks.build("07") == source
    picture = tmp_path / "notebooks" / "thumbnails" / "07_x.png"
    assert picture.read_bytes() == b"\x89PNG\r\n\x1a\nsecond"


def test_find_by_the_beginning_of_the_name():
    assert notebooks.find("03").name == "03_train_minihrnet.ipynb"
    with pytest.raises(ConfigError, match="03_train_minihrnet"):
        notebooks.find("99")
