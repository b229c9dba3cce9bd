"""A browser for the tests that need one: the system's own Chromium, driven by Playwright."""

import base64
import io
import os
import shutil

import numpy as np
import pytest
from PIL import Image

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
