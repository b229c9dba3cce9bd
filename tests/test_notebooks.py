"""Running notebooks without a browser."""

import json
import shutil

import nbformat
import pytest

from seglab import notebooks, runs
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


def test_notebook_03_runs_from_top_to_bottom(tmp_path, monkeypatch, scenes):
    overrides = [
        f"data.root={scenes}", "data.input_size=null", "training.epochs=2", "training.batch_size=3",
        "training.precision=fp32", "training.memory_format=contiguous",
        "model.options.widths=[4,4]", "model.options.repetitions=0", "model.options.block=basic",
    ]  # fmt: skip
    monkeypatch.setenv("SEGLAB_OVERRIDES", " ".join(overrides))
    monkeypatch.delenv("SEGLAB_DATA", raising=False)
    source = tmp_path / "03.ipynb"
    shutil.copy(notebooks.find("03"), source)
    lines = []
    notebooks.execute(source, tmp_path / "out.ipynb", watch=lines.append)
    assert any(line.startswith("epoch   2/2") for line in lines)
    summary = runs.read_summary(tmp_path / "runs" / "notebook03" / "run01")
    assert any(f"Mini-HRNet: {summary['scores']['val']['mean_iou']:.3f}" in line for line in lines)
    pictures = [
        output
        for cell in nbformat.read(tmp_path / "out.ipynb", as_version=4).cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]
    assert len(pictures) == 8  # samples, legend, shares, two live ones, scores, best and worst, mistakes


def test_find_by_the_beginning_of_the_name():
    assert notebooks.find("03").name == "03_train_minihrnet.ipynb"
    with pytest.raises(ConfigError, match="03_train_minihrnet"):
        notebooks.find("99")
