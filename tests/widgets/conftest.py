"""A browser for the tests that need one, the system's own Chromium driven by Playwright; a widget for it."""

import base64
import io
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from seglab.datasets import create_dataset
from seglab.labels import CITYSCAPES, IGNORE_INDEX
from seglab.widgets.overlay import Overlay
from seglab.widgets.packing import Picture, Prediction

READ_PIXELS = """(canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let text = "";
  for (const value of data) text += String.fromCharCode(value);
  return [canvas.height, canvas.width, btoa(text)];
}"""


@pytest.fixture(scope="module")
def chromium():
    """Headless Chromium; without one the test is skipped.

    It ends with the module, because Playwright keeps an event loop running, in which no notebook could run.
    """
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("there is no Chromium here; on Debian `apt-get install chromium` brings it")
    from playwright.sync_api import sync_playwright

    # Chromium's sandbox refuses to start for root, who is the only user of many containers.
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"] if root else []
        )
        yield browser
        browser.close()


@pytest.fixture
def assert_painted():
    """Compares a pane's canvas with a rendering, uint8 (H, W, 3): `assert_painted(page, expected, pane=0)`.

    Equal but for the rounding of two JPEG decoders and of the blending.
    """

    def assert_painted(page, expected, pane=0):
        height, width, text = page.locator(".so-canvas").nth(pane).evaluate(READ_PIXELS)
        rgba = np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 4)
        assert (rgba[..., 3] == 255).all()
        np.testing.assert_allclose(rgba[..., :3].astype(int), expected.astype(int), atol=3)

    return assert_painted


@pytest.fixture
def as_sent():
    """A picture as it comes out of the JPEG that a widget sends: `as_sent(widget, index=0)`."""
    return lambda widget, index=0: np.asarray(Image.open(io.BytesIO(widget._payloads[index][0])))


@pytest.fixture(scope="module")
def pictures(scenes):
    """Two street scenes; network `a` shifts the truth by two pixels, `b` calls all cars roads."""
    made = []
    dataset = create_dataset("street_scenes", "train", scenes)
    for index in (0, 1):
        image, mask = dataset.read(index)
        filled = np.where(mask == IGNORE_INDEX, 0, mask).astype(np.uint8)
        shifted = np.roll(filled, 2, axis=1)
        careless = np.where(filled == 13, 0, filled).astype(np.uint8)
        confidence = np.linspace(0, 1, mask.size).reshape(mask.shape)
        predictions = {"a": Prediction(shifted, confidence), "b": Prediction(careless, 1 - confidence)}
        made.append(Picture(f"scene {index}", image, mask, predictions, f"split{index}"))
    return made


@pytest.fixture
def widget(pictures):
    return Overlay(pictures, CITYSCAPES)


@pytest.fixture
def open_page(chromium, tmp_path):
    """Opens the page of a widget as a file, without network: `open_page(widget, errors=False, **context)`.

    A test fails if its page asks for anything else, or reports an error where none is expected.
    """
    contexts, asked, reported = [], [], []

    def open_page(widget, errors=False, **options):
        context = chromium.new_context(**{"viewport": {"width": 1100, "height": 800}} | options)
        contexts.append(context)
        context.set_offline(True)
        page = context.new_page()
        url = widget.to_html(tmp_path / f"page{len(contexts)}.html").as_uri()
        page.on("request", lambda request: asked.append(request.url) if request.url != url else None)
        page.on("pageerror", lambda error: reported.append(str(error)))
        if not errors:
            page.on("console", lambda one: reported.append(one.text) if one.type == "error" else None)
        page.goto(url)
        page.wait_for_selector(".so-stage[aria-busy=false]")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert reported == []
    assert [url for url in asked if not url.startswith("blob:")] == []


@pytest.fixture
def page(open_page, widget):
    """The page of `widget`."""
    return open_page(widget)
