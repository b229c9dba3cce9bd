"""Times the mask overlay in headless Chromium on a picture of 2048x1024: python benchmarks/overlay_speed.py

The pixels are noise, the worst case for compression and no easier to blend than any others. Each time is the
median of 30, from the trait that changes to pixels that could be read, so the browser cannot put work off.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

from seglab.labels import CITYSCAPES
from seglab.widgets.overlay import overlay

# Sets a trait of the page's model 30 times and reads a pixel back each time.
MEASURE = """([name, values]) => {
  const canvas = document.querySelector(".so-canvas"), times = [];
  for (let i = 0; i < 30; i++) {
    const started = performance.now();
    model.set(name, values[i % values.length]);
    canvas.getContext("2d").getImageData(0, 0, 1, 1);
    times.push(performance.now() - started);
  }
  return times.sort((a, b) => a - b)[15];
}"""
STEPS = {
    "opacity": [0.2, 0.4, 0.6, 0.8],
    "hidden": [["road"], ["car"], []],
    "view": ["truth", "prediction", "error", "confidence"],
}


def main() -> None:
    rng = np.random.default_rng(0)
    size = (1024, 2048)
    image = rng.integers(0, 256, (*size, 3), np.uint8)
    mask, prediction = rng.integers(0, 19, (2, *size), np.uint8)
    widget = overlay(image, mask, prediction, rng.random(size), labels=CITYSCAPES)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page_file = widget.to_html(Path(folder) / "page.html")
        # The page's model is made inside a module, so it is taken out for the measurement.
        page_file.write_text(page_file.read_text().replace("model: new", "model: globalThis.model = new"))
        program = shutil.which("chromium") or sys.exit("there is no Chromium")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(page_file.as_uri())
        page.wait_for_selector("[aria-busy=false]")
        for name, values in STEPS.items():
            print(f"{name:8} {page.evaluate(MEASURE, [name, values]):6.1f} ms")
        browser.close()


if __name__ == "__main__":
    main()
