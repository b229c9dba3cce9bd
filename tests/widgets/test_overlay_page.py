"""The mask overlay in a page of its own, in a real browser without network."""

from dataclasses import replace

import numpy as np
from PIL import Image

from seglab import render
from seglab.labels import CITYSCAPES
from seglab.widgets.overlay import Overlay
from seglab.widgets.packing import Picture, Prediction


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


def test_pictures_are_sorted_and_split(page, widget):
    pictures = page.get_by_label("Picture", exact=True)
    means = [entry["scores"]["a"]["mean"] for entry in widget._catalog["pictures"]]
    worst = int(np.argmin(means))
    page.get_by_label("Order of the pictures").select_option(label="worst mean IoU")
    named = f"{100 * means[worst]:.0f} % · scene {worst}"
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


def broken(pictures, index):
    """A widget of three pictures, one of which cannot be unpacked."""
    widget = Overlay(pictures * 2, CITYSCAPES)
    widget._payloads = [
        [one[0], b"broken", *one[2:]] if i == index else one for i, one in enumerate(widget._payloads)
    ]
    return widget


def test_broken_first_picture_does_not_lock_the_others(open_page, pictures, assert_painted):
    widget = broken(pictures, 0)
    page = open_page(widget, errors=True)
    assert page.get_by_role("status").inner_text().startswith("scene 0 cannot be shown: ")
    page.locator(".so-stage").hover()
    choose(page, "Errors")
    assert page.get_by_role("status").inner_text().startswith("scene 0 cannot be shown: ")
    page.get_by_role("application").focus()
    page.keyboard.press("PageDown")
    page.wait_for_selector("[aria-label='Errors, a of scene 1']")
    assert page.get_by_role("status").inner_text() == ""
    widget.picture, widget.view = 1, "error"
    assert_painted(page, widget.as_array())


def test_broken_later_picture_leaves_nothing_of_the_one_before(open_page, pictures):
    page = open_page(broken(pictures, 1), errors=True)
    page.get_by_role("button", name="Next picture").click()
    page.get_by_text("scene 1 cannot be shown: ").wait_for()
    assert page.locator(".so-stage").get_attribute("aria-busy") == "false"
    assert set(page.locator("tbody td:not(:last-child)").all_inner_texts()) == {"-"}
    assert page.locator(".so-mean").inner_text() == ""
    assert page.locator(".so-canvas").first.evaluate(
        "e => e.getContext('2d').getImageData(0, 0, e.width, e.height).data.every((value) => value === 0)"
    )
    page.get_by_role("button", name="Previous picture").click()
    page.wait_for_selector("[aria-label='Prediction, a of scene 0']")


def test_failure_of_a_picture_that_is_no_longer_wanted_is_not_told(open_page, pictures):
    page = open_page(broken(pictures, 1), errors=True)
    following = page.get_by_role("button", name="Next picture")
    following.evaluate("(button) => { button.click(); button.click(); }")
    page.wait_for_selector("[aria-label='Prediction, a of scene 0']")
    page.evaluate("new Promise((done) => setTimeout(done, 200))")
    assert page.get_by_role("status").inner_text() == ""
    assert page.locator(".so-mean").inner_text() != ""


def test_narrow_page_holds_everything(open_page, pictures):
    """At 360 pixels nothing leaves the widget, and what is read moves nothing."""
    long = ("EfficientNet-Lite0 with a long name, seed 0", "Mini-HRNet, seed 1")
    named = [
        replace(
            one,
            name=f"a {one.name} of a long name",
            predictions=dict(zip(long, one.predictions.values(), strict=True)),
        )
        for one in pictures
    ]
    page = open_page(Overlay(named, CITYSCAPES), viewport={"width": 360, "height": 800})
    inside = "button, select, input, .so-segments, .so-count, .so-under *"
    for how in ("One", "Side by side", "Wipe"):
        choose(page, how)
        for view in ("Ground truth", "Prediction", "Confidence"):
            choose(page, view)
            assert page.evaluate("document.documentElement.scrollWidth") <= 360
            rights = "all => all.map((one) => one.getBoundingClientRect().right)"
            assert max(page.locator(inside).evaluate_all(rights)) <= 360 - 16  # the page's own margin
    legend = page.locator(".so-legend")
    before = legend.bounding_box()
    frame = page.locator(".so-pane").first.bounding_box()
    for part in (0.1, 0.3, 0.5, 0.7, 0.9):
        page.mouse.move(frame["x"] + part * frame["width"], frame["y"] + part * frame["height"])
        assert page.get_by_role("status").inner_text() != ""
        assert legend.bounding_box() == before


def test_order_is_asked_for_only_where_there_are_scores(open_page, pictures):
    page = open_page(Overlay([Picture(one.name, one.image, one.mask) for one in pictures], CITYSCAPES))
    assert page.get_by_label("Picture", exact=True).is_visible()
    assert page.get_by_label("Order of the pictures").count() == 0


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
