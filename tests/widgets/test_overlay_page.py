"""The mask overlay in a page of its own, in a real browser without network."""

import numpy as np
import pytest
from PIL import Image

from seglab import render
from seglab.datasets import create_dataset
from seglab.labels import CITYSCAPES, IGNORE_INDEX
from seglab.widgets.overlay import Overlay
from seglab.widgets.packing import Picture, Prediction


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
def page(chromium, widget, tmp_path):
    """The widget's page, opened as a file; a test fails if it asks for anything else or reports an error."""
    context = chromium.new_context(viewport={"width": 1100, "height": 800})
    context.set_offline(True)
    page = context.new_page()
    asked, errors = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    url = widget.to_html(tmp_path / "page.html").as_uri()
    page.goto(url)
    page.wait_for_selector(".so-stage[aria-busy=false]")
    yield page
    assert errors == []
    assert [one for one in asked if one != url and not one.startswith("blob:")] == []
    context.close()


def choose(page, view):
    page.get_by_role("radio", name=view, exact=True).check()


def test_every_view_has_the_pixels_of_the_numpy_rendering(page, widget, pictures, assert_painted, as_sent):
    image, one = as_sent(widget), pictures[0]
    assert np.abs(image.astype(int) - one.image).mean() < 5  # JPEG has changed it little
    for network in ("a", "b"):
        page.get_by_label("Network", exact=True).select_option(network)
        prediction = one.predictions[network]
        for opacity in (1, 0.3):
            page.get_by_label("Opacity of the mask").fill(str(round(100 * opacity)))
            confidence = render.confidence_map(np.rint(100 * prediction.confidence) / 100)
            expected = {
                "Ground truth": render.overlay(image, one.mask, CITYSCAPES, opacity),
                "Prediction": render.overlay(image, prediction.mask, CITYSCAPES, opacity),
                "Errors": render.blend(image, render.error_map(prediction.mask, one.mask), opacity),
                "Confidence": render.blend(image, confidence, opacity),
            }
            for view, rendering in expected.items():
                choose(page, view)
                assert_painted(page, rendering)


def test_classes_are_toggled_soloed_and_found(page, widget, assert_painted):
    road = page.get_by_role("checkbox", name="road", exact=True)
    road.uncheck()
    widget.hidden = ["road"]
    assert_painted(page, widget.as_array())
    page.get_by_role("button", name="Show only building").click()
    widget.hidden = [name for name in CITYSCAPES.classes if name != "building"]
    for view, name in (("error", "Errors"), ("confidence", "Confidence"), ("prediction", "Prediction")):
        widget.view = view
        choose(page, name)
        assert_painted(page, widget.as_array())
    assert page.locator("[aria-pressed=true]").count() == 1
    search = page.get_by_role("searchbox")
    search.fill("Traffic")
    assert page.locator("tbody th:visible").all_inner_texts() == ["traffic light", "traffic sign"]
    search.press("Enter")
    assert page.get_by_role("checkbox", name="traffic light").is_checked()
    search.fill("")
    page.get_by_role("button", name="Show all classes").click()
    assert page.locator("tbody :checked").count() == 19


def test_legend_tells_the_scores_of_the_shown_picture(page, widget):
    entry = widget._catalog["pictures"][0]
    rows = page.locator("tbody tr")
    for network in ("a", "b"):
        page.get_by_label("Network", exact=True).select_option(network)
        scores = entry["scores"][network]
        for id, iou in enumerate(scores["iou"]):
            cell = "-" if iou is None else f"{100 * iou:.0f} %"
            assert rows.nth(id).locator("td").nth(0).inner_text() == cell
        assert (
            f"{100 * scores['mean']:.1f} % over {scores['classes']} classes"
            in page.locator(".so-mean").inner_text()
        )
    assert rows.nth(0).locator("td").nth(2).inner_text() == f"{100 * entry['shares'][''][0]:.1f} %"


def test_pointer_reads_truth_predictions_and_confidence(page, pictures):
    one = pictures[0]
    height, width = one.mask.shape
    box = page.locator(".so-pane").first.bounding_box()
    x, y = width // 3, height // 2
    page.mouse.move(
        box["x"] + (x + 0.5) * box["width"] / width, box["y"] + (y + 0.5) * box["height"] / height
    )
    names = [
        CITYSCAPES.classes[mask[y, x]] for mask in (one.mask, *(p.mask for p in one.predictions.values()))
    ]
    sure = [f"{round(100 * p.confidence[y, x])} % sure" for p in one.predictions.values()]
    expected = [
        f"x {x}, y {y}",
        f"truth: {names[0]}",
        f"a: {names[1]}, {sure[0]}",
        f"b: {names[2]}, {sure[1]}",
    ]
    assert page.locator(".so-readout > span").all_inner_texts() == expected
    page.get_by_role("button", name="Next picture").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".so-stage[aria-busy=false]")
    assert page.get_by_role("status").inner_text() == ""


def test_everything_can_be_done_with_the_keyboard(page, widget, pictures, assert_painted, as_sent):
    page.get_by_role("application").focus()
    height, width = pictures[0].mask.shape
    for key in ("ArrowLeft", "Shift+ArrowUp", "ArrowDown"):
        page.keyboard.press(key)
    x, y = width // 2 - 1, height // 2 - 16 + 1
    assert page.get_by_role("status").inner_text().startswith(f"x {x}, y {y}")
    page.keyboard.press("1")
    widget.view = "truth"
    assert_painted(page, widget.as_array())
    page.keyboard.press("s")
    under = CITYSCAPES.classes[pictures[0].mask[y, x]]
    widget.hidden = [name for name in CITYSCAPES.classes if name != under]
    assert_painted(page, widget.as_array())
    page.keyboard.down(" ")
    assert_painted(page, as_sent(widget))
    page.keyboard.up(" ")
    page.keyboard.press("a")
    widget.hidden = []
    assert_painted(page, widget.as_array())
    page.keyboard.press("PageDown")
    page.wait_for_selector("[aria-label='Ground truth of scene 1']")
    # The control with the focus keeps its keys from JupyterLab, and every control has a name.
    assert page.locator("[data-lm-suppress-shortcuts=true]").count() == 1
    for control in page.locator("select, input, button, [role=slider]").all():
        assert control.evaluate("e => e.getAttribute('aria-label') || e.closest('label')?.innerText")


def test_two_networks_side_by_side_and_under_a_wipe(page, widget, pictures, assert_painted, as_sent):
    image, one = as_sent(widget), pictures[0]
    second = render.overlay(image, one.predictions["b"].mask, CITYSCAPES, widget.opacity)
    page.get_by_role("radio", name="Side by side").check()
    assert_painted(page, pane=0, expected=widget.as_array())
    assert_painted(page, pane=1, expected=second)
    assert np.abs(second.astype(int) - widget.as_array()).max() > 50
    ious = page.locator("tbody tr").nth(0).locator(".so-iou")
    scores = [widget._catalog["pictures"][0]["scores"][network]["iou"][0] for network in ("a", "b")]
    assert ious.all_inner_texts() == [f"{100 * score:.0f} %" for score in scores]
    page.get_by_label("Second view").select_option(label="Ground truth")
    assert not ious.nth(1).is_visible()
    assert_painted(page, pane=1, expected=render.overlay(image, one.mask, CITYSCAPES, widget.opacity))
    page.get_by_role("radio", name="Wipe").check()
    handle = page.get_by_role("slider", name="Wipe between the two views")
    assert handle.get_attribute("aria-valuenow") == "50"
    handle.press("ArrowRight")
    assert handle.get_attribute("aria-valuenow") == "52"


def test_view_is_saved_as_png(page, widget, assert_painted):
    page.get_by_role("button", name="Zoom in").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save this view").click()
    assert download.value.suggested_filename == "scene 0_prediction.png"
    saved = np.asarray(Image.open(download.value.path()).convert("RGB"))
    assert_painted(page, saved)
    assert_painted(page, widget.as_array())


def test_zoom_keeps_the_picture_in_its_frame(page, pictures):
    def box():
        return page.locator(".so-canvas").first.bounding_box()

    fitted, frame = box(), page.locator(".so-pane").first.bounding_box()
    assert fitted == pytest.approx(frame, abs=1)
    page.get_by_role("button", name="Zoom in").click()
    assert box()["width"] == pytest.approx(1.5 * fitted["width"])
    page.mouse.move(frame["x"] + 50, frame["y"] + 50)
    page.mouse.down()
    page.mouse.move(frame["x"] + 5000, frame["y"] + 50, steps=3)
    page.mouse.up()
    assert box()["x"] == pytest.approx(frame["x"], abs=1)
    page.get_by_role("button", name="Fit").click()
    assert box() == pytest.approx(fitted, abs=1)


def test_pictures_are_sorted_and_split(page, widget):
    pictures = page.get_by_label("Picture", exact=True)
    means = [entry["scores"]["a"]["mean"] for entry in widget._catalog["pictures"]]
    worst = int(np.argmin(means))
    page.get_by_label("Order of the pictures").select_option(label="worst mean IoU")
    named = f"scene {worst} ({100 * means[worst]:.0f} %)"
    assert pictures.locator("option").first.inner_text() == named
    assert pictures.input_value() == str(worst)
    page.get_by_label("Split", exact=True).select_option(f"split{1 - worst}")
    page.get_by_label("Split", exact=True).select_option("")
    assert pictures.input_value() == str(1 - worst)
    assert page.get_by_text("2 / 2").is_visible()
    page.get_by_role("button", name="Previous picture").click()
    assert pictures.input_value() == str(worst)
    page.get_by_label("Order of the pictures").select_option(label="as given")
    page.get_by_label("Split", exact=True).select_option("split1")
    assert pictures.locator("option").count() == 1
    page.wait_for_selector("[aria-label='Prediction, a of scene 1']")


def test_newer_choice_wins_over_a_slower_older_one(chromium, pictures, tmp_path, assert_painted):
    """The second picture takes long to unpack; meanwhile the third is chosen, and stays."""
    small = [
        Picture(f"{name}", one.image[:32], one.mask[:32])
        for name, one in zip("abc", pictures * 2, strict=False)
    ]
    widget = Overlay(small, CITYSCAPES)
    page = chromium.new_page()
    page.add_init_script("""
      const make = createImageBitmap;
      let calls = 0;
      globalThis.createImageBitmap = async (...given) => {
        if (++calls === 2) await new Promise((done) => (globalThis.finishSecond = done));
        return make(...given);
      };
    """)
    page.goto(widget.to_html(tmp_path / "page.html").as_uri())
    page.wait_for_selector(".so-stage[aria-busy=false]")
    following = page.get_by_role("button", name="Next picture")
    following.click()
    following.click()
    page.wait_for_selector("[aria-label='Ground truth of c']")
    page.evaluate("finishSecond()")
    page.evaluate("new Promise(requestAnimationFrame)")
    page.wait_for_timeout(100)
    widget.picture = 2
    assert page.locator("[aria-label='Ground truth of c']").count() == 1
    assert_painted(page, widget.as_array())
    page.close()


def test_page_of_eight_pictures_is_small(pictures, tmp_path):
    """Eight pictures of the size of the street scenes, with two networks, from enlarged small ones."""

    def enlarge(array):
        return array.repeat(4, axis=0).repeat(4, axis=1)

    large = [
        Picture(
            f"{i}", enlarge(one.image), enlarge(one.mask),
            {name: Prediction(enlarge(p.mask), enlarge(p.confidence)) for name, p in one.predictions.items()},
        )
        for i, one in enumerate(pictures * 4)
    ]  # fmt: skip
    assert large[0].image.shape == (256, 512, 3)
    assert Overlay(large, CITYSCAPES).to_html(tmp_path / "page.html").stat().st_size < 2_000_000
