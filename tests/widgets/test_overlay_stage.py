"""The picture of the mask overlay, in a real browser: zoomed, moved, and read by pointer, finger and keys."""

import pytest

from seglab.labels import CITYSCAPES
from seglab.widgets.overlay import Overlay
from seglab.widgets.packing import Picture

FRAMES = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


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


def box(page):
    return page.locator(".so-canvas").first.bounding_box()


def zoom_in(page, times):
    for _ in range(times):
        page.get_by_role("button", name="Zoom in").click()


def read(page):
    """The pixel that the readout names."""
    x, y = page.locator(".so-readout > span").first.inner_text().removeprefix("x ").split(", y ")
    return int(x), int(y)


def under(page, x, y, mask):
    """The pixel of the picture that lies at a point of the window."""
    canvas = box(page)
    height, width = mask.shape
    return (
        int((x - canvas["x"]) / canvas["width"] * width),
        int((y - canvas["y"]) / canvas["height"] * height),
    )


def test_widget_that_was_hidden_while_zoomed_is_as_it_was(page):
    zoom_in(page, 3)
    before = box(page)
    for shown in ("none", ""):
        page.evaluate("(shown) => (document.getElementById('overlay').style.display = shown)", shown)
        page.evaluate(FRAMES)
    assert box(page) == pytest.approx(before)
    zoom_in(page, 1)
    assert box(page)["width"] == pytest.approx(1.5 * before["width"])


def test_keys_take_the_view_with_them(page, pictures):
    height, width = pictures[0].mask.shape
    zoom_in(page, 4)
    page.get_by_role("application").focus()
    frame, before = page.locator(".so-pane").first.bounding_box(), box(page)
    page.keyboard.press("ArrowRight")
    assert box(page) == before  # that pixel is in sight
    for key, presses, corner in (("ArrowRight", width // 16, "right"), ("ArrowUp", height // 16, "top")):
        for _ in range(presses):
            page.keyboard.press(f"Shift+{key}")
            marker = page.locator(".so-marker").first.bounding_box()
            for at, size in (("x", "width"), ("y", "height")):
                assert marker[at] >= frame[at] - 1, corner
                assert marker[at] + marker[size] <= frame[at] + frame[size] + 1, corner
    assert read(page) == (width - 1, 0)
    assert box(page)["x"] + box(page)["width"] == pytest.approx(frame["x"] + frame["width"], abs=1)
    assert box(page)["y"] == pytest.approx(frame["y"], abs=1)


def test_drag_and_wheel_read_what_they_bring_under_the_pointer(page, pictures):
    mask = pictures[0].mask
    zoom_in(page, 4)
    frame = page.locator(".so-pane").first.bounding_box()
    x, y = frame["x"] + 0.6 * frame["width"] + 0.3, frame["y"] + 0.5 * frame["height"] + 0.3
    page.mouse.move(x, y)
    page.mouse.down()
    assert read(page) == under(page, x, y, mask)
    for step in range(1, 4):
        page.mouse.move(x - 40 * step, y - 10 * step)
        assert read(page) == under(page, x - 40 * step, y - 10 * step, mask)
    page.mouse.up()
    # Zoomed out near the border, the picture is kept inside, and another pixel comes under the pointer.
    page.get_by_role("application").focus()
    x, y = frame["x"] + 20, frame["y"] + 20
    page.mouse.move(x, y)
    for turn in (-300, 600, 600):
        page.mouse.wheel(0, turn)
        page.evaluate(FRAMES)
        assert read(page) == under(page, x, y, mask)
    assert box(page) == pytest.approx(frame, abs=1)


def test_finger_taps_a_pixel_and_leaves_the_pinch_to_the_browser(open_page, widget, pictures):
    page = open_page(widget, has_touch=True)
    frame = page.locator(".so-pane").first.bounding_box()
    x, y = frame["x"] + 100.3, frame["y"] + 50.3
    page.touchscreen.tap(x, y)
    assert read(page) == under(page, x, y, pictures[0].mask)
    touch = "getComputedStyle(document.querySelector('.so-stage')).touchAction"
    assert page.evaluate(touch) == "pan-y pinch-zoom"
    zoom_in(page, 1)
    assert page.evaluate(touch) == "pinch-zoom"


def test_screen_readers_hear_what_keys_read_and_not_every_pixel_under_the_pointer(page):
    frame = page.locator(".so-pane").first.bounding_box()
    status = page.get_by_role("status")
    page.mouse.move(frame["x"] + 50, frame["y"] + 50)
    assert status.get_attribute("aria-live") == "off"
    page.get_by_role("application").focus()
    page.keyboard.press("ArrowRight")
    assert status.get_attribute("aria-live") == "polite"


@pytest.mark.parametrize(("repeats", "rendering"), [(16, "auto"), (4, "pixelated")])
def test_enlarged_pixels_have_sharp_borders(open_page, pictures, repeats, rendering):
    """In a frame of 600 to 800 pixels, a picture of 2048 is made smaller; one of 512 larger, not twice."""
    one = pictures[0]
    image, mask = (a.repeat(repeats, axis=0).repeat(repeats, axis=1) for a in (one.image, one.mask))
    page = open_page(Overlay([Picture("x", image, mask)], CITYSCAPES))
    assert page.locator(".so-canvas").first.evaluate("e => getComputedStyle(e).imageRendering") == rendering
