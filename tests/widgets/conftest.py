"""A browser for the tests that need one: the system's own Chromium, driven by Playwright."""

import os
import shutil

import pytest


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
