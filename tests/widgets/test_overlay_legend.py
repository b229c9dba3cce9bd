"""The legend of the mask overlay, in a real browser: classes, scores, pixels."""

import pytest

from seglab.labels import CITYSCAPES
from seglab.widgets.overlay import Overlay
from seglab.widgets.packing import Picture


def choose(page, view):
    page.get_by_role("radio", name=view, exact=True).check()


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
    search.press("Enter")  # asks for no class
    assert page.get_by_role("checkbox", name="building").is_checked()
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


def compare(page, first, second, how="Side by side"):
    choose(page, how)
    choose(page, first)
    page.get_by_label("Second view").select_option(label=second)


@pytest.mark.parametrize(
    ("first", "second", "columns"),
    [
        ("Prediction", "Prediction, b", {"Left IoU": "a", "Right IoU": "b"}),
        ("Errors", "Confidence, a", {"IoU": "a"}),
        ("Prediction", "Ground truth", {"IoU": "a"}),
        ("Ground truth", "Errors, b", {"IoU": "b"}),
        ("Ground truth", "Ground truth", {"IoU": "a"}),
    ],
)
def test_legend_tells_the_scores_of_the_networks_in_sight(page, widget, first, second, columns):
    compare(page, first, second)
    heads = page.locator("thead th:visible").all_inner_texts()
    assert heads == ["Class", *columns, "Pixels", ""]
    scores = [widget._catalog["pictures"][0]["scores"][network] for network in columns.values()]
    cells = page.locator("tbody tr").nth(0).locator(".so-iou:visible").all_inner_texts()
    assert cells == [f"{100 * one['iou'][0]:.0f} %" for one in scores]
    means = "; ".join(
        f"{100 * one['mean']:.1f} % over {one['classes']} classes ({network})"
        for network, one in zip(columns.values(), scores, strict=True)
    )
    assert page.locator(".so-mean").inner_text() == f"Mean IoU of this picture: {means}"


def test_without_a_truth_pixels_are_those_of_the_network(open_page, pictures):
    one = pictures[0]
    widget = Overlay([Picture("x", one.image, None, one.predictions)], CITYSCAPES)
    page = open_page(widget)
    road = page.locator("tbody tr").nth(0).locator("td").nth(2)
    expected = {k: f"{100 * (p.mask == 0).mean():.1f} %" for k, p in one.predictions.items()}
    assert expected["a"] != expected["b"]
    for network, share in expected.items():
        page.get_by_label("Network", exact=True).select_option(network)
        assert road.inner_text() == share


def test_forced_colours_leave_those_that_mean_something(open_page, widget):
    page = open_page(widget, forced_colors="active")
    choose(page, "Confidence")
    red, green, blue = CITYSCAPES.colors[0]
    swatch = page.locator("tbody .so-swatch").first
    assert swatch.evaluate("e => getComputedStyle(e).backgroundColor") == f"rgb({red}, {green}, {blue})"
    for selector, pseudo in ((".so-iou", "::before"), (".so-ramp", None)):
        style = page.locator(selector).first.evaluate(
            "(e, pseudo) => getComputedStyle(e, pseudo).forcedColorAdjust", pseudo
        )
        assert style == "none"
