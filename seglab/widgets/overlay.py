"""The mask overlay: masks laid over pictures, moved, compared and read in the browser.

Everything that the browser needs goes to it when the widget is made: each picture as JPEG, its masks as
zlib-compressed bytes, confidences in whole per cent. Blending, toggling classes, zooming, reading pixels and
choosing another picture then ask nothing of the kernel, so all of it works while a training runs, and in a
page without any kernel (`Overlay.to_html`). Nothing here needs torch, except `explore` for its predictions.
"""

from __future__ import annotations

import base64
import io
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets
from PIL import Image

from seglab import render, runs
from seglab.config import unknown
from seglab.datasets import SegmentationDataset, create_dataset
from seglab.errors import ConfigError, DataError
from seglab.labels import IGNORE_INDEX, LabelSpace
from seglab.widgets import packing
from seglab.widgets.packing import JPEG, Picture, Prediction

COMPARE = ("off", "side", "wipe")
_HERE = Path(__file__).parent


def _joined(*files: str) -> str:
    """Files beside this one as one text; anywidget takes a single module and a single style sheet."""
    return "\n".join((_HERE / file).read_text(encoding="utf-8") for file in files)


_MODULE = _joined("controls.js", "pictures.js", "readout.js", "stage.js", "legend.js", "overlay.js")
_STYLE = _joined("overlay.css", "stage.css", "legend.css")


def overlay(
    image: np.ndarray,
    mask: np.ndarray | None = None,
    prediction: np.ndarray | Mapping[str, np.ndarray] | None = None,
    confidence: np.ndarray | Mapping[str, np.ndarray] | None = None,
    *,
    labels: LabelSpace,
) -> Overlay:
    """Lays masks over one picture.

    Args:
        image: uint8 (H, W, 3) RGB.
        mask: uint8 (H, W) of train ids, the truth.
        prediction: uint8 (H, W) of train ids; or several, by the name of the network.
        confidence: float (H, W) in [0, 1], the probability of the predicted class; or several, as above.
        labels: What the train ids mean.

    Returns:
        The widget.

    Raises:
        DataError: If there is no mask at all, sizes differ, or a value is out of range.
    """
    masks = prediction if isinstance(prediction, Mapping) else {"prediction": prediction}
    certain = confidence if isinstance(confidence, Mapping) else dict.fromkeys(masks, confidence)
    predictions = {name: Prediction(m, certain.get(name)) for name, m in masks.items() if m is not None}
    return Overlay([Picture("picture", image, mask, predictions)], labels)


def explore(
    folders: Path | str | Sequence[Path | str],
    splits: str | Sequence[str] | None = None,
    pictures: int | Sequence[int] = 12,
    device: str = "auto",
) -> Overlay:
    """Lays what one or several runs predict over pictures of their data set.

    Args:
        folders: Run folders with weights; all of them of the same data set.
        splits: Splits of that data set; None takes the first run's `data.eval_split`.
        pictures: How many of each split, spread evenly over it, or the indices of those that are wanted.
            All are predicted and sent to the browser at once: a picture of 2048x1024 takes about a megabyte.
        device: `auto`, `cpu` or `cuda`.

    Returns:
        The widget.

    Raises:
        ConfigError: If the runs are of several data sets, or a split or a picture is unknown.
        RunError, CheckpointError, DataError: If a run, its weights, or the pictures are not there.
    """
    from seglab.evaluation.inference import load_predictor

    folders = [Path(f) for f in ([folders] if isinstance(folders, str | Path) else folders)]
    experiments = [runs.read_experiment(folder) for folder in folders]
    names = [f"{experiment.name}, seed {experiment.seed}" for experiment in experiments]
    if len(set(names)) < len(names):
        names = [folder.as_posix() for folder in folders]
    data = experiments[0].data
    if others := sorted({e.data.name for e in experiments} - {data.name}):
        raise ConfigError(
            f"{folders[0]} is a run on {data.name}, others are on {', '.join(others)}; "
            "allowed are runs on one data set"
        )
    splits = [splits] if isinstance(splits, str) else splits or [data.eval_split]
    datasets = [create_dataset(data.name, split, data.root) for split in splits]
    predictors = {name: load_predictor(folder, device) for name, folder in zip(names, folders, strict=True)}
    return Overlay(_predicted(datasets, pictures, predictors), datasets[0].labels)


def _predicted(
    datasets: Sequence[SegmentationDataset], pictures: int | Sequence[int], predictors: Mapping[str, Any]
) -> Iterator[Picture]:
    for dataset in datasets:
        for index in dataset.spread(pictures) if isinstance(pictures, int) else pictures:
            if not 0 <= index < len(dataset):
                raise ConfigError(
                    f"pictures: got {index}; {dataset.name} {dataset.split} has 0..{len(dataset) - 1}"
                )
            image, mask = dataset.read(index)
            predictions = {name: predict(predictor, image) for name, predictor in predictors.items()}
            yield Picture(dataset.names[index], image, mask, predictions, dataset.split)


def predict(predictor: Any, image: np.ndarray) -> Prediction:
    """Predicts one picture with the probability of each pixel's class.

    Args:
        predictor: A `seglab.evaluation.inference.Predictor` that averages probabilities.
        image: uint8 (H, W, 3) RGB.

    Returns:
        Mask and confidence, both (H, W).
    """
    scores = predictor.scores(image)
    # A mean over several views of the picture can round to a little more than 1.
    return Prediction(scores.argmax(0).astype(np.uint8), np.minimum(scores.max(0), 1))


class Overlay(anywidget.AnyWidget):
    """Pictures under their masks, to look at in a notebook or in a page of its own.

    The traits say what is shown; setting one changes the view, and the controls in the browser set them.
    In a document without a kernel there is a still picture of the view.

    Args:
        pictures: What to show. All have the same layers: truth or not, the same networks, confidence or not.
        labels: What the train ids mean.

    Attributes:
        picture: Index of the picture shown.
        view: `truth`, `prediction`, `error` or `confidence`.
        run: Name of the network whose prediction is shown.
        opacity: Of the mask, 0 to 1.
        hidden: Names of classes that are not painted.
        compare: `off`, or two views: `side` by side, or under a `wipe`.

    Raises:
        DataError: If there is nothing to show, sizes or layers differ, or a value is out of range.
    """

    _esm = _MODULE
    _css = _STYLE
    _catalog = traitlets.Dict().tag(sync=True)
    _payloads = traitlets.List().tag(sync=True)
    picture = traitlets.Int(0).tag(sync=True)
    view = traitlets.Unicode().tag(sync=True)
    run = traitlets.Unicode().tag(sync=True)
    opacity = traitlets.Float(0.6, min=0.0, max=1.0).tag(sync=True)
    hidden = traitlets.List(traitlets.Unicode()).tag(sync=True)
    compare = traitlets.Enum(COMPARE, "off").tag(sync=True)

    def __init__(self, pictures: Iterable[Picture], labels: LabelSpace) -> None:
        layers, entries, payloads = None, [], []
        for one in pictures:
            packing.check_picture(one, labels)
            first, layers = layers, packing.layers(one)
            if first not in (None, layers):
                raise DataError(
                    f"{one.name} has the layers {layers} and the first picture {first}; they must be equal"
                )
            entries.append(packing.entry(one, labels))
            payloads.append(packing.payload(one))
        if not entries:
            raise DataError("there are no pictures to show")
        if not layers:
            raise DataError(f"{entries[0]['name']}: neither a mask nor a prediction lies over the picture")
        self.labels = labels
        catalog = {
            "layers": layers,
            "views": [view for view in packing.VIEWS if packing.has_view(layers, view)],
            "runs": [name for kind, name in layers if kind == "prediction"],
            "classes": [
                {"name": name, "color": list(color)}
                for name, color in zip(labels.classes, labels.colors, strict=True)
            ],
            "right_wrong_void": [render.RIGHT, render.WRONG, render.VOID],
            "ramp": render.confidence_map(np.arange(101) / 100).tolist(),
            "pictures": entries,
        }
        super().__init__(
            _catalog=catalog,
            _payloads=payloads,
            view="prediction" if "prediction" in catalog["views"] else "truth",
            run=next(iter(catalog["runs"]), ""),
        )

    @traitlets.validate("picture", "view", "run", "hidden")
    def _check_choice(self, proposal: dict) -> Any:
        name, value = proposal["trait"].name, proposal["value"]
        allowed = {
            "picture": range(len(self._payloads)),
            "view": self._catalog["views"],
            "run": self._catalog["runs"] or [""],
            "hidden": self.labels.classes,
        }[name]
        for one in value if name == "hidden" else [value]:
            if one not in allowed:
                raise ConfigError(unknown(f"{name} {one!r}", str(one), [str(a) for a in allowed]))
        return value

    def as_array(self) -> np.ndarray:
        """The chosen view of the chosen picture, as the browser paints it, uint8 (H, W, 3) RGB."""
        jpeg, *packed = self._payloads[self.picture]
        image = np.asarray(Image.open(io.BytesIO(jpeg)))
        masks = {
            (kind, name): np.frombuffer(zlib.decompress(layer), np.uint8).reshape(image.shape[:2])
            for (kind, name), layer in zip(self._catalog["layers"], packed, strict=True)
        }
        truth, prediction = masks.get(("truth", "")), masks.get(("prediction", self.run))
        shown = np.zeros(256, bool)
        shown[: self.labels.num_classes] = [name not in self.hidden for name in self.labels.classes]
        if self.view == "error":
            painted = (truth == IGNORE_INDEX) | shown[truth] | shown[prediction]
            colors = render.error_map(prediction, truth)
        elif self.view == "confidence":
            painted = shown[prediction]
            colors = render.confidence_map(masks["confidence", self.run] / 100)
        else:
            mask = truth if self.view == "truth" else prediction
            painted, colors = shown[mask], render.colorize(mask, self.labels)
        return render.blend(image, colors, painted * self.opacity)

    def to_html(self, path: Path | str) -> Path:
        """Writes the widget as one page that needs no kernel, no server and no network.

        Args:
            path: The file; its folder is made where it is missing.

        Returns:
            The file.
        """
        chosen = ("picture", "view", "run", "opacity", "hidden", "compare")
        state = {name: getattr(self, name) for name in ("_catalog", *chosen)}
        state["_payloads"] = [[base64.b64encode(part).decode() for part in one] for one in self._payloads]
        page = _PAGE.format(
            css=_STYLE,
            # A name with "</script>" in it must not end the script.
            state=json.dumps(state, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c"),
            module=f"{_MODULE}\n{_joined('page.js')}",
        )
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        runs.write_text(path, page)
        return path

    def __repr__(self) -> str:
        names = [*(["ground truth"] if "truth" in self._catalog["views"] else []), *self._catalog["runs"]]
        return f"<Overlay of {len(self._payloads)} pictures: {'; '.join(names)}>"

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict, dict]:
        data, metadata = super()._repr_mimebundle_(**kwargs)
        still = io.BytesIO()
        Image.fromarray(self.as_array()).save(still, **JPEG)
        data["image/jpeg"] = base64.b64encode(still.getvalue()).decode()
        return data, metadata


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Mask overlay</title>
<style>
:root {{ color-scheme: light dark }}
body {{ margin: 0; padding: 16px; background: Canvas }}
{css}
</style>
</head>
<body>
<div id="overlay"></div>
<script type="application/json" id="state">{state}</script>
<script type="module">
{module}
</script>
</body>
</html>
"""
