"""The mask overlay without a browser: what it refuses, what it sends, what its still picture shows."""

import base64
import io
import json
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter
from PIL import Image

from seglab import render, runs
from seglab.datasets import create_dataset
from seglab.errors import ConfigError, DataError
from seglab.evaluation.inference import load_predictor
from seglab.labels import CAMVID11
from seglab.trainers.loop import train
from seglab.widgets import overlay as overlay_module
from seglab.widgets.overlay import Overlay, explore, overlay
from seglab.widgets.packing import Picture, Prediction

IMAGE = np.full((2, 3, 3), (200, 100, 0), np.uint8)
MASK = np.array([[0, 1, 255], [3, 3, 255]], np.uint8)
PREDICTION = np.array([[0, 3, 1], [3, 0, 0]], np.uint8)
CONFIDENCE = np.array([[0, 0.25, 0.5], [0.754, 0.756, 1]])


def example(**changes):
    arguments = {"mask": MASK, "prediction": PREDICTION, "confidence": CONFIDENCE} | changes
    return overlay(arguments.pop("image", IMAGE), **arguments, labels=CAMVID11)


def sent_image(widget):
    """The picture as the browser gets it."""
    return np.asarray(Image.open(io.BytesIO(widget._payloads[widget.picture][0])))


def test_masks_travel_as_compressed_bytes_and_confidences_as_whole_per_cent():
    widget = example()
    _, *layers = widget._payloads[0]
    assert widget._catalog["layers"] == [
        ("truth", ""), ("prediction", "prediction"), ("confidence", "prediction")
    ]  # fmt: skip
    truth, prediction, confidence = map(zlib.decompress, layers)
    assert list(truth) == [0, 1, 255, 3, 3, 255]
    assert list(prediction) == [0, 3, 1, 3, 0, 0]
    assert list(confidence) == [0, 25, 50, 75, 76, 100]
    assert np.abs(sent_image(widget).astype(int) - IMAGE).max() <= 3


def test_scores_and_shares_are_those_of_the_picture():
    entry = example()._catalog["pictures"][0]
    # Labelled pixels: truth 0 1 3 3, prediction 0 3 3 0.
    assert list(entry["shares"]) == [""]
    assert entry["shares"][""][:4] == [0.25, 0.25, 0, 0.5]
    scores = entry["scores"]["prediction"]
    assert scores["iou"][:4] == [1 / 2, 0, None, 1 / 3]
    assert scores["mean"] == pytest.approx((1 / 2 + 0 + 1 / 3) / 3)
    assert scores["classes"] == 3


def test_without_a_truth_the_shares_are_those_of_each_prediction():
    widget = example(mask=None, prediction={"a": PREDICTION, "b": np.ones_like(PREDICTION)})
    entry = widget._catalog["pictures"][0]
    assert entry["shares"]["a"][:4] == pytest.approx([3 / 6, 1 / 6, 0, 2 / 6])
    assert entry["shares"]["b"][:4] == [0, 1, 0, 0]
    assert entry["scores"] == {}
    assert widget._catalog["views"] == ["prediction", "confidence"]


@pytest.mark.parametrize(
    ("layers", "views", "first"),
    [
        ({"prediction": None, "confidence": None}, ["truth"], "truth"),
        ({"confidence": None}, ["truth", "prediction", "error"], "prediction"),
        ({}, ["truth", "prediction", "error", "confidence"], "prediction"),
    ],
)
def test_views_are_those_that_there_are_layers_for(layers, views, first):
    widget = example(**layers)
    assert widget._catalog["views"] == views
    assert widget.view == first


def test_still_picture_of_every_view():
    widget = example()
    image = sent_image(widget)
    widget.opacity = 0.25
    for mask, view in ((MASK, "truth"), (PREDICTION, "prediction")):
        widget.view = view
        np.testing.assert_array_equal(widget.as_array(), render.overlay(image, mask, CAMVID11, 0.25))
    widget.opacity = 1
    widget.view = "error"
    np.testing.assert_array_equal(widget.as_array(), render.error_map(PREDICTION, MASK))
    widget.view = "confidence"
    rounded = np.array([[0, 0.25, 0.5], [0.75, 0.76, 1]])
    np.testing.assert_array_equal(widget.as_array(), render.confidence_map(rounded))


def test_hidden_classes_show_the_picture():
    widget = example()
    image = sent_image(widget)
    widget.opacity = 1
    widget.hidden = [CAMVID11.classes[3], CAMVID11.classes[0]]
    # Of the classes 0, 1 and 3 only 1 is left: in the truth at (0, 1), in the prediction at (0, 2). The error
    # view paints where either of the two is, and what is not scored.
    painted = {"truth": [(0, 1)], "prediction": [(0, 2)], "error": [(0, 1), (0, 2), (1, 2)]}
    for view, pixels in painted.items():
        widget.view = view
        changed = (widget.as_array() != image).any(-1)
        assert sorted(map(tuple, np.argwhere(changed).tolist())) == pixels


def test_several_networks():
    widget = example(prediction={"a": PREDICTION, "b": MASK % 255}, confidence={"b": CONFIDENCE})
    assert widget._catalog["runs"] == ["a", "b"]
    assert widget._catalog["views"] == ["truth", "prediction", "error"]  # `a` has no confidence
    assert widget._catalog["pictures"][0]["scores"]["b"]["mean"] == 1
    widget.run = "b"
    np.testing.assert_array_equal(
        widget.as_array(), render.overlay(sent_image(widget), MASK % 255, CAMVID11, widget.opacity)
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image": IMAGE / 255}, r"float64 \(2, 3, 3\).*uint8 \(H, W, 3\)"),
        ({"mask": MASK.T}, r"the mask is \(3, 2\) and the image \(2, 3\)"),
        ({"prediction": PREDICTION + 11}, r"the prediction of prediction holds the id 11; allowed"),
        ({"mask": MASK // 2 * 6}, r"picture: the mask holds the id 250; allowed are 0\.\.10 and 255"),
        ({"mask": MASK.astype(float)}, "picture: the mask is float64; allowed are integers"),
        ({"prediction": PREDICTION > 0}, "picture: the prediction of prediction is bool; allowed are"),
        ({"prediction": MASK}, r"picture: the prediction .* holds the id 255; allowed are 0\.\.10$"),
        ({"prediction": PREDICTION.astype(int) - 1}, "picture: the prediction of prediction holds the id -1"),
        ({"confidence": CONFIDENCE * 100}, "the confidence of prediction leaves 0..1"),
        ({"confidence": CONFIDENCE * np.nan}, "the confidence of prediction leaves 0..1"),
        ({"mask": None, "prediction": None}, "neither a mask nor a prediction"),
    ],
)
def test_wrong_arrays_are_refused(changes, message):
    with pytest.raises(DataError, match=message):
        example(**changes)


def test_pictures_must_have_the_same_layers():
    with pytest.raises(DataError, match="no pictures"):
        Overlay([], CAMVID11)
    with pytest.raises(DataError, match=r"b has the layers \[\('truth', ''\)\] and the first"):
        first = Picture("a", IMAGE, None, {"x": Prediction(PREDICTION)})
        Overlay([first, Picture("b", IMAGE, MASK)], CAMVID11)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("view", "eror", "error"),
        ("picture", 1, "picture 1"),
        ("run", "x", "prediction"),
        ("hidden", ["sky", "cow"], "cow"),
    ],
)
def test_a_wrong_choice_is_refused(name, value, message):
    with pytest.raises(ConfigError, match=message):
        setattr(example(), name, value)


def test_document_without_kernel_gets_a_still_picture():
    widget = example()
    data, _ = DisplayFormatter().format(widget)
    assert "application/vnd.jupyter.widget-view+json" in data
    assert data["text/plain"] == "<Overlay of 1 pictures: ground truth; prediction>"
    still = np.asarray(Image.open(io.BytesIO(base64.b64decode(data["image/jpeg"]))))
    assert still.shape == IMAGE.shape


def test_page_holds_everything_and_names_nothing_outside(tmp_path):
    widget = Overlay([Picture("</script><b>", IMAGE, MASK)], CAMVID11)
    path = widget.to_html(tmp_path / "page.html")
    page = path.read_text(encoding="utf-8")
    assert "http:" not in page and "https:" not in page and "import " not in page
    state = page.partition('id="state">')[2].partition("</script>")[0]
    assert json.loads(state)["_catalog"]["pictures"][0]["name"] == "</script><b>"
    assert [base64.b64decode(part) for part in json.loads(state)["_payloads"][0]] == widget._payloads[0]


def test_parts_of_the_module_are_joined_to_one():
    """What anywidget takes: one module without imports; the stand-in for the kernel is only in the page."""
    module = example()._esm
    assert module.count("export ") == 1 and "import " not in module and "PageModel" not in module
    for path in Path(overlay_module.__file__).parent.glob("*.js"):
        assert (path.read_text(encoding="utf-8") in module) == (path.name != "page.js")


def test_explore_shows_what_the_runs_predict(tiny, tmp_path, change):
    experiment = change(tiny, "training", epochs=1)
    folders = [tmp_path / "first", tmp_path / "second"]
    for seed, folder in enumerate(folders):
        train(replace(experiment, seed=seed), folder)
    widget = explore(folders, splits=["val", "test"], pictures=2)
    assert widget._catalog["runs"] == ["tiny, seed 0", "tiny, seed 1"]
    assert [entry["split"] for entry in widget._catalog["pictures"]] == ["val", "val", "test", "test"]
    dataset = create_dataset("street_scenes", "test", tiny.data.root)
    image, _ = dataset.read(1)
    scores = load_predictor(folders[1]).scores(image)
    _, _, _, _, packed, confidence = widget._payloads[3]
    np.testing.assert_array_equal(
        np.frombuffer(zlib.decompress(packed), np.uint8).reshape(image.shape[:2]), scores.argmax(0)
    )
    assert list(zlib.decompress(confidence)) == [round(100 * float(p)) for p in scores.max(0).ravel()]
    assert widget._catalog["pictures"][3]["name"] == dataset.names[1]
    assert len(explore(folders[0], pictures=[1])._payloads) == 1
    with pytest.raises(ConfigError, match=r"pictures: got 2; street_scenes val has 0\.\.1"):
        explore(folders[0], pictures=[2])


def test_explore_refuses_runs_on_different_data(tiny, tmp_path, change):
    experiments = {"a": tiny, "b": change(tiny, "data", name="camvid")}
    folders = [runs.create(tmp_path / name, experiment) for name, experiment in experiments.items()]
    with pytest.raises(ConfigError, match="a is a run on street_scenes, others are on camvid"):
        explore(folders)


def test_page_is_made_where_there_is_no_torch(tmp_path):
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "import numpy as np\n"
        "from seglab.labels import CAMVID11\n"
        "from seglab.widgets.overlay import overlay\n"
        "mask = np.zeros((2, 3), np.uint8)\n"
        "overlay(np.zeros((2, 3, 3), np.uint8), mask, mask, labels=CAMVID11).to_html(sys.argv[1])\n"
    )
    path = tmp_path / "new" / "page.html"
    subprocess.run([sys.executable, "-c", program, path], check=True)
    assert path.is_file()
