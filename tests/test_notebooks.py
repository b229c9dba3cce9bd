"""Running notebooks without a browser."""

import io
import json
import shutil
from pathlib import Path

import nbformat
import pytest
from PIL import Image

from seglab import notebooks, runs
from seglab.errors import ConfigError, RunError

ROOT = Path(__file__).resolve().parent.parent


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


def png(color):
    buffer = io.BytesIO()
    Image.new("RGBA", (4, 4), (*color, 255)).save(buffer, "png")
    return buffer.getvalue()


def pixels(content):
    with Image.open(io.BytesIO(content)) as image:
        return image.convert("RGBA").getpixel((0, 0))


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A folder that the library takes for the checkout, with results that notebooks can read."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "a.json").write_text("1")
    monkeypatch.setattr(notebooks, "workspace", lambda: tmp_path)
    return tmp_path


CLOCK = "import time"
LAST = "print(f'{time.perf_counter():.0f} s')"
UNREPEATABLE = (
    "import os, random, sys, time, uuid\n"
    "print(object()); print(os.environ.get('SEGLAB_PROFILE'))\n"
    "print('second line', flush=True); time.sleep(0.1); print('third line')\n"
    "from IPython.display import HTML, display\n"
    "name = f'T_{random.getrandbits(20):05x}'\n"
    "display(HTML(f'<p id={name}_row0>{uuid.uuid4()}</p><style>#{name}_row0 {{}}</style>'))\n"
    "view = {'application/vnd.jupyter.widget-view+json': {'model_id': str(uuid.uuid4())}}\n"
    "display({'image/jpeg': 'aGk=', **view}, raw=True)"
)


@pytest.fixture(scope="module")
def built_once(tmp_path_factory):
    """A notebook that shows much that no second run repeats, built; its metadata declare a result."""
    root = tmp_path_factory.mktemp("checkout")
    for folder in ("notebooks", "results"):
        (root / folder).mkdir()
    (root / "results" / "a.json").write_text("1")
    source = write(root / "notebooks" / "07_x.ipynb", UNREPEATABLE, CLOCK, LAST)
    notebook = nbformat.read(source, as_version=4)
    notebook.metadata["seglab"] = {"inputs": ["results/*.json"]}
    nbformat.write(notebook, source)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(notebooks, "workspace", lambda: root)
        patch.setenv("SEGLAB_PROFILE", "quick")
        notebooks.build(source)
    return source


@pytest.fixture
def built(built_once, checkout):
    return Path(shutil.copy(built_once, checkout / "notebooks"))


def test_build_renews_the_picture_of_the_tagged_cell(checkout):
    show = "from IPython.display import Image\nImage({!r})"
    source = write(
        checkout / "notebooks" / "07_x.ipynb", show.format(png((1, 2, 3))), show.format(png((7, 8, 9)))
    )
    notebook = nbformat.read(source, as_version=4)
    notebook.cells[1].metadata["tags"] = ["thumbnail"]
    nbformat.write(notebook, source)
    notebooks.build(source)
    picture = checkout / "notebooks" / "thumbnails" / "07_x.png"
    assert pixels(picture.read_bytes()) == (7, 8, 9, 255)


def test_two_builds_give_the_same_bytes_without_what_cannot_repeat(built):
    first = built.read_bytes()
    notebooks.build(built)
    assert built.read_bytes() == first
    assert notebooks.check(built, built.parents[1]) == []
    outputs = nbformat.read(built, as_version=4).cells[0].outputs
    # a build takes no parameters from the environment, and printed text is in one piece
    assert outputs[0].text == "<object object at 0x…>\nNone\nsecond line\nthird line\n"
    assert outputs[1].data["text/html"] == "<p id=id-1_row0>id-2</p><style>#id-1_row0 {}</style>"
    assert outputs[2].data == {"image/jpeg": "aGk="}
    assert nbformat.read(built, as_version=4).cells[2].outputs == []


def test_a_failed_build_leaves_the_notebook_as_it_was(checkout):
    source = write(checkout / "notebooks" / "07_x.ipynb", "1 / 0")
    before = source.read_bytes()
    with pytest.raises(RunError, match=r"runs.notebooks.07_x"):
        notebooks.build(source)
    assert source.read_bytes() == before


def spoil(notebook, how):
    cell = notebook.cells[0]
    if how == "code":
        cell.source += "\nprint(2)"
    elif how == "counter":
        cell.execution_count = 3
    elif how == "error":
        cell.outputs.append(nbformat.v4.new_output("error", ename="E", evalue="", traceback=[]))
    elif how == "path":
        cell.outputs[0].text += "/ho" + "me/somebody/results"
    elif how == "size":
        cell.outputs[2].data["image/png"] = "A" * 2**20
    elif how == "widgets":
        notebook.metadata["widgets"] = {"state": {}}
    elif how == "address":
        cell.outputs[0].text += "<f at 0x7f00aa>"
    elif how == "stamp":
        del notebook.metadata["seglab"]


@pytest.mark.parametrize(
    ("how", "fault"),
    [
        ("code", "code was changed"),
        ("counter", "not run once each from top to bottom"),
        ("error", "a cell failed"),
        ("path", "path of somebody's machine"),
        ("size", "allowed are 1048576"),
        ("widgets", "no second run repeats"),
        ("address", "no second run repeats"),
        ("stamp", "never built"),
    ],
)
def test_check_finds_what_was_spoilt_and_nothing_else(built, how, fault):
    notebook = nbformat.read(built, as_version=4)
    spoil(notebook, how)
    built.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    (found,) = notebooks.check(built, built.parents[1])
    assert fault in found


def test_check_finds_an_edited_a_new_and_a_lost_result(built):
    root = built.parents[1]
    result = root / "results" / "a.json"
    for change in (
        lambda: result.write_text("2"),
        lambda: result.unlink(),
        lambda: (root / "results" / "b.json").write_text("1"),
    ):
        result.write_text("1")
        assert notebooks.check(built, root) == []
        change()
        (found,) = notebooks.check(built, root)
        assert "results/*.json" in found and "seglab notebooks build 07_x" in found


def test_smoke_runs_all_in_the_quick_profile_and_names_those_that_fail(checkout, monkeypatch):
    monkeypatch.delenv("SEGLAB_PROFILE", raising=False)
    bad = write(checkout / "notebooks" / "01_bad.ipynb", "1 / 0")
    good = write(checkout / "notebooks" / "02_good.ipynb", "import os; print(os.environ['SEGLAB_PROFILE'])")
    before = good.read_bytes()
    lines = []
    with pytest.raises(RunError, match=r"01_bad\.ipynb: a cell failed: ZeroDivisionError"):
        notebooks.smoke(notebooks.select(), checkout / "out", watch=lines.append)
    assert lines == ["quick", "02_good.ipynb: ran from top to bottom"]
    assert (checkout / "out" / "02_good.ipynb").exists()
    assert good.read_bytes() == before and bad.exists()


@pytest.mark.parametrize("path", notebooks.select(), ids=lambda path: path.stem)
def test_committed_notebooks_are_as_built(path):
    assert notebooks.check(path, ROOT) == []


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
