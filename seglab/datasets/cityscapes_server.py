"""Predictions as the Cityscapes evaluation server wants them, and their score by the official script.

The server takes one zip file with a PNG for each picture, at the picture's own size, that holds ids (not
train ids) and whose name begins with the picture's. The same files can be scored here, where the truth is
known.

Reference: mcordts/cityscapesScripts, evaluation/evalPixelLevelSemanticLabeling.py.
"""

from __future__ import annotations

import math
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from seglab.datasets.base import SegmentationDataset
from seglab.errors import ConfigError, DataError
from seglab.labels import CITYSCAPES


@dataclass(frozen=True)
class OfficialScores:
    """What the official script answers; fractions in [0, 1], NaN where nothing was to be scored.

    Args:
        class_iou: By class, in train-id order.
        class_iiou: By class, weighted by the size of the instance; NaN for classes without instances.
        category_iou: By category.
        category_iiou: By category, as `class_iiou`.
    """

    class_iou: dict[str, float]
    class_iiou: dict[str, float]
    category_iou: dict[str, float]
    category_iiou: dict[str, float]

    def __str__(self) -> str:
        lines = [f"{'':16} {'IoU':>7} {'iIoU':>7}"]
        for iou, iiou in ((self.class_iou, self.class_iiou), (self.category_iou, self.category_iiou)):
            rows = {name: (iou[name], iiou[name]) for name in iou}
            rows["mean"] = tuple(
                np.nanmean(v) if not np.isnan(v).all() else math.nan
                for v in (np.array(list(iou.values())), np.array(list(iiou.values())))
            )
            for name, values in rows.items():
                cells = ("      -" if math.isnan(v) else f"{v:7.2%}" for v in values)
                lines.append(f"{name:16} " + " ".join(cells))
        return "\n".join(lines)


def write_predictions(
    dataset: SegmentationDataset, predict: Callable[[np.ndarray], np.ndarray], archive: Path
) -> Path:
    """Predicts a split and packs the predictions for the server.

    Args:
        dataset: A split with the classes of Cityscapes; it needs no masks.
        predict: From an image, uint8 (H, W, 3), to train ids, uint8 (H, W).
        archive: The zip file to write.

    Returns:
        `archive`, which appears when it is complete.

    Raises:
        ConfigError: If the split has other classes, or `archive` exists or is no .zip.
        DataError: If a picture cannot be read.
    """
    _check_classes(dataset)
    if archive.suffix != ".zip" or archive.exists():
        raise ConfigError(f"{archive}: allowed is a new file with the ending .zip")
    archive.parent.mkdir(parents=True, exist_ok=True)
    part = archive.with_name(f".{archive.name}.part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as file:  # a PNG is compressed already
            for index in tqdm(range(len(dataset)), "predicting", leave=False, disable=None):
                image = dataset.read_image(index)
                mask = predict(image)
                assert mask.shape == image.shape[:2], "predictions have the pictures' own size"
                name = f"{dataset.samples[index].name}_pred_labelIds.png"
                with file.open(name, "w") as entry:
                    Image.fromarray(CITYSCAPES.to_file_ids(mask)).save(entry, "PNG")
        part.replace(archive)
    finally:
        part.unlink(missing_ok=True)
    return archive


def official_scores(dataset: SegmentationDataset, predictions: Path) -> OfficialScores:
    """Scores predictions by the official script, on the files that the server would get.

    Args:
        dataset: A labelled split in the layout of Cityscapes. Instance scores need `_instanceIds.png`
            beside its masks; without them they are NaN.
        predictions: Folder of the unpacked archive.

    Raises:
        ConfigError: If cityscapesscripts is not installed, or the split has other classes.
        DataError: If a prediction is missing or the script refuses a file.
    """
    _check_classes(dataset)
    script = _script()
    truth, predicted = [], []
    for index, sample in enumerate(dataset.samples):
        dataset.read_mask(index)  # refuses what the script would count wrongly without a word
        truth.append(str(sample.mask).replace("_labelTrainIds", "_labelIds"))
        predicted.append(str(predictions / f"{sample.name}_pred_labelIds.png"))
    for path in truth + predicted:
        if not Path(path).is_file():
            raise DataError(f"{path}: no such file; every picture of {dataset.split} needs its prediction")
    instances = all(Path(path.replace("labelIds", "instanceIds")).is_file() for path in truth)
    arguments = script.CArgs()
    vars(arguments).update(vars(script.args), quiet=True, JSONOutput=False, evalInstLevelScore=instances)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = script.evaluateImgLists(predicted, truth, arguments)
    except SystemExit:  # how the script ends at a file it does not like; it has said why
        raise DataError(f"{predictions}: cityscapesscripts refuses the predictions, see above") from None
    classes, categories = CITYSCAPES.classes, dict.fromkeys(CITYSCAPES.categories)
    class_iiou, category_iiou = result["classInstScores"], result["categoryInstScores"]
    if not instances:
        class_iiou, category_iiou = dict.fromkeys(classes, math.nan), dict.fromkeys(categories, math.nan)
    return OfficialScores(
        {name: result["classScores"][name] for name in classes},
        {name: class_iiou[name] for name in classes},
        {name: result["categoryScores"][name] for name in categories},
        {name: category_iiou[name] for name in categories},
    )


def _check_classes(dataset: SegmentationDataset) -> None:
    if dataset.labels.classes != CITYSCAPES.classes:
        raise ConfigError(f"{dataset.name}: got classes of {dataset.labels.name}; allowed are cityscapes'")


def _script():
    """The official evaluation, which is an extra."""
    try:
        from cityscapesscripts.evaluation import evalPixelLevelSemanticLabeling as script
    except ImportError:
        raise ConfigError(
            "official scores need the package cityscapesscripts; allowed is pip install 'seglab[cityscapes]'"
        ) from None
    if not hasattr(np, "in1d"):  # release 2.3.0 calls what NumPy 2.4 has removed under this name
        script.np = _NumpyWithIn1d()
    return script


class _NumpyWithIn1d:
    """NumPy as that script, and that script alone, knows it."""

    def __getattr__(self, name: str):
        return getattr(np, "isin" if name == "in1d" else name)
