"""Notebooks 03 and 10 in JupyterLab, opened and run in a real browser as a reader would."""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request

import nbformat
import numpy as np
import pytest

from seglab import notebooks, render
from seglab.datasets import create_dataset
from seglab.trainers.loop import train
from seglab.widgets.overlay import overlay

# Cells that a test adds to notebook 10: one keeps what the kernel predicted, one keeps the kernel busy until
# it is told to stop, one says what the kernel knows of the controls.
ADDED = (
    "np.save('prediction.npy', predict(predictor, dataset.read(0)[0]).mask)",
    "from pathlib import Path\nwhile not Path('stop').exists(): time.sleep(0.1)",
    "print('the kernel knows', widget.picture, widget.hidden)",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder that JupyterLab shows."""
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def lab(folder, scenes):
    """Asks a running JupyterLab for something: `lab("/api/kernels")`; `lab.url(path)` is for the browser."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token, own = secrets.token_hex(16), folder / "jupyter"
    settings = {
        "apputils-extension/notification": {
            "fetchNews": "false",
            "checkForUpdates": False,
            "doNotDisturbMode": True,
        },
        "notebook-extension/tracker": {"windowingMode": "none"},  # cells out of sight are in the page as well
    }
    for name, values in settings.items():
        path = own / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
    overrides = [
        *(f"data.root={scenes}", "data.input_size=null", "training.epochs=1", "training.batch_size=3"),
        *("training.precision=fp32", "training.memory_format=contiguous"),
        *("model.options.widths=[4,4]", "model.options.repetitions=0", "model.options.block=basic"),
    ]
    variables = {
        "JUPYTER_CONFIG_DIR": own / "config",
        "JUPYTER_DATA_DIR": own / "data",
        "JUPYTER_RUNTIME_DIR": own / "runtime",
        "JUPYTERLAB_SETTINGS_DIR": own / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": own / "workspaces",
        "IPYTHONDIR": own / "ipython",
        "OMP_NUM_THREADS": 1,
        "SEGLAB_OVERRIDES": " ".join(overrides),
        "SEGLAB_DATASET": "street_scenes",
        "SEGLAB_RUN": folder / "run",
    }
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1"),
        *(f"--port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}"),
        f"--ServerApp.root_dir={folder}",
    ]
    with open(folder / "server.log", "wb") as log:
        server = subprocess.Popen(
            command,
            cwd=folder,
            stdout=log,
            stderr=log,
            env=os.environ | {k: str(v) for k, v in variables.items()},
        )

    def ask(path):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}?token={token}", timeout=30) as answer:
            return json.load(answer)

    ask.url = lambda path: f"http://127.0.0.1:{port}/lab/tree/{path}?token={token}&reset"
    try:
        wait_for(lambda: answers(ask), "JupyterLab to start", lambda: (folder / "server.log").read_text())
        yield ask
    finally:
        server.terminate()
        server.wait(timeout=30)


def answers(ask):
    try:
        return ask("/api/status")
    except OSError:
        return None


def wait_for(condition, what, details=lambda: "", seconds=120):
    """Polls; nobody knows how busy the machine is, so it waits long before it gives up."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(0.1)
    pytest.fail(f"waited {seconds} s for {what}. {details()}")


def kernel(lab, notebook):
    """What the server knows about a notebook's kernel, or None."""
    sessions = [one for one in lab("/api/sessions") if one["path"] == notebook]
    return sessions[0]["kernel"] if sessions else None


def is_ready(lab, notebook):
    found = kernel(lab, notebook)
    return found and found["connections"] > 0 and found["execution_state"] == "idle"


@pytest.fixture
def run_all(chromium, lab):
    """Opens a notebook and runs all its cells: `page = run_all("03.ipynb")`."""
    context = chromium.new_context(viewport={"width": 1500, "height": 1000})
    context.set_default_timeout(60_000)

    def run_all(notebook):
        page = context.new_page()
        page.goto(lab.url(notebook))
        wait_for(lambda: is_ready(lab, notebook), f"the kernel of {notebook}")
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        return page

    yield run_all
    context.close()


def copied(number, folder, added=()):
    """Copies a notebook without its outputs; returns its name and its number of code cells."""
    notebook = nbformat.read(notebooks.find(number), as_version=4)
    notebook.cells += [nbformat.v4.new_code_cell(source) for source in added]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in code:
        cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, folder / f"{number}.ipynb")
    return f"{number}.ipynb", len(code)


def errors(page):
    return page.locator(
        "[data-mime-type='application/vnd.jupyter.stderr'], [data-mime-type='application/vnd.jupyter.error']"
    )


def test_notebook_03(lab, folder, run_all):
    name, cells = copied("03", folder)
    page = run_all(name)
    page.get_by_text(f"[{cells}]:", exact=True).wait_for()
    assert errors(page).all_inner_texts() == []
    assert page.locator(".jp-OutputArea-output img").count() == 8
    assert page.get_by_text("epoch   1/1").count() == 1


def test_notebook_10_and_its_overlay(lab, folder, run_all, tiny, assert_painted, as_sent):
    train(tiny, folder / "run")
    name, cells = copied("10", folder, ADDED)
    page = run_all(name)
    wait_for((folder / "prediction.npy").exists, "the cells", lambda: errors(page).all_inner_texts())
    dataset = create_dataset("street_scenes", "val", tiny.data.root)
    (image, mask), prediction = dataset.read(0), np.load(folder / "prediction.npy")
    labels = dataset.labels
    picture = as_sent(overlay(image, mask, labels=labels))
    shown = page.locator(".seglab-overlay").first
    shown.scroll_into_view_if_needed()
    shown.locator(".so-stage[aria-busy=false]").wait_for()

    # The last cell but one is running: nothing below needs the kernel.
    assert kernel(lab, name)["execution_state"] == "busy"
    shown.get_by_role("radio", name="Ground truth").check()
    slider = shown.get_by_label("Opacity of the mask")
    slider.fill("80")
    slider.press("ArrowRight")
    assert shown.get_by_text("81 %").is_visible()
    assert_painted(page, render.overlay(picture, mask, labels, 0.81))
    shown.get_by_role("radio", name="Errors").check()
    assert_painted(page, render.blend(picture, render.error_map(prediction, mask), 0.81))
    shown.get_by_role("radio", name="Prediction").check()
    most = int(np.bincount(prediction.ravel()).argmax())
    shown.get_by_role("checkbox", name=labels.classes[most], exact=True).uncheck()
    kept = np.where(prediction == most, 255, prediction)
    assert_painted(page, render.overlay(picture, kept, labels, 0.81))

    # The keys are the overlay's own: in JupyterLab `b` adds a cell, and arrows go from cell to cell.
    before = page.locator(".jp-Cell").count()
    stage = shown.get_by_role("application")
    stage.focus()
    for key in ("b", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    y, x = mask.shape[0] // 2 + 1, mask.shape[1] // 2 + 1
    read = stage.locator("xpath=following::*[@role='status'][1]").inner_text()
    truth = "not scored" if mask[y, x] == 255 else labels.classes[mask[y, x]]
    assert read.startswith(f"x {x}, y {y}") and f"truth: {truth}" in read
    assert labels.classes[prediction[y, x]] in read
    page.keyboard.press("PageDown")
    shown.locator(f"[aria-label='Prediction of {dataset.names[1]}']").wait_for()
    assert page.locator(".jp-Cell").count() == before
    assert kernel(lab, name)["execution_state"] == "busy"

    # When the kernel has time again, it hears what was chosen.
    (folder / "stop").touch()
    page.get_by_text(f"[{cells}]:", exact=True).wait_for()
    last = page.locator(".jp-CodeCell").last
    last.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    last.get_by_text(f"the kernel knows 1 ['{labels.classes[most]}']").wait_for()
    assert errors(page).all_inner_texts() == []
