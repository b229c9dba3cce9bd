"""A picture and its masks: checked, scored and packed for the browser."""

from __future__ import annotations

import io
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from seglab import metrics
from seglab.errors import DataError
from seglab.labels import IGNORE_INDEX, LabelSpace

VIEWS = ("truth", "prediction", "error", "confidence")
# Good enough to judge a border by; colour is kept at full resolution, as the masks are.
JPEG = {"format": "JPEG", "quality": 90, "subsampling": 0}


@dataclass(frozen=True)
class Prediction:
    """What one network says about a picture.

    Args:
        mask: uint8 (H, W) of train ids.
        confidence: float (H, W) in [0, 1], the probability of the predicted class.
    """

    mask: np.ndarray
    confidence: np.ndarray | None = None


@dataclass(frozen=True)
class Picture:
    """A picture and the masks that belong to it.

    Args:
        name: What it is called in the list.
        image: uint8 (H, W, 3) RGB.
        mask: uint8 (H, W) of train ids, the truth.
        predictions: What networks say, by the name of the network.
        split: The split that it is from.
    """

    name: str
    image: np.ndarray
    mask: np.ndarray | None = None
    predictions: Mapping[str, Prediction] = field(default_factory=dict)
    split: str = ""


def layers(picture: Picture) -> list[tuple[str, str]]:
    """Kind and network of each mask of a picture, in the order in which they are packed."""
    found = [("truth", "")] if picture.mask is not None else []
    for name, prediction in picture.predictions.items():
        found.append(("prediction", name))
        if prediction.confidence is not None:
            found.append(("confidence", name))
    return found


def has_view(layers: list[tuple[str, str]], view: str) -> bool:
    """Whether the layers allow a view, for all networks alike."""
    kinds = [kind for kind, _ in layers]
    if view == "error":
        return "truth" in kinds and "prediction" in kinds
    if view == "confidence":
        return 0 < kinds.count("prediction") == kinds.count("confidence")
    return view in kinds


def payload(picture: Picture) -> list[bytes]:
    """The picture as JPEG and its layers as compressed bytes."""
    jpeg = io.BytesIO()
    Image.fromarray(picture.image).save(jpeg, **JPEG)
    masks = [] if picture.mask is None else [picture.mask]
    for prediction in picture.predictions.values():
        masks.append(prediction.mask)
        if prediction.confidence is not None:
            masks.append(np.rint(100 * prediction.confidence))  # whole per cent compress well
    return [jpeg.getvalue(), *(zlib.compress(mask.astype(np.uint8).tobytes(), 9) for mask in masks)]


def entry(picture: Picture, labels: LabelSpace) -> dict[str, Any]:
    """What the lists say about a picture; IoU and pixel share are those of this picture alone."""
    height, width = picture.image.shape[:2]
    facts = {"name": picture.name, "split": picture.split, "width": width, "height": height, "scores": {}}
    # By the name of the network, as the layers are: the truth's stand under "", and alone where there is one.
    masks = {name: prediction.mask for name, prediction in picture.predictions.items()}
    counted = masks if picture.mask is None else {"": picture.mask}
    facts["shares"] = {name: _shares(mask, labels.num_classes) for name, mask in counted.items()}
    if picture.mask is not None:
        for name, prediction in picture.predictions.items():
            confusion = metrics.confusion_matrix(prediction.mask, picture.mask, labels.num_classes)
            scores = [*metrics.iou(confusion), metrics.mean_iou(confusion)]
            *iou, mean = [None if np.isnan(score) else float(score) for score in scores]
            facts["scores"][name] = {
                "iou": iou,
                "mean": mean,
                "classes": metrics.scored_classes(confusion),
            }
    return facts


def _shares(mask: np.ndarray, num_classes: int) -> list[float]:
    """The part of the labelled pixels that each class has."""
    counts = np.bincount(mask[mask != IGNORE_INDEX], minlength=num_classes)
    return (counts / max(1, counts.sum())).tolist()


def check_picture(picture: Picture, labels: LabelSpace) -> None:
    """Refuses arrays of a wrong type, size or range."""
    if picture.image.dtype != np.uint8 or picture.image.ndim != 3 or picture.image.shape[2] != 3:
        raise DataError(
            f"{picture.name}: the image is {picture.image.dtype} {picture.image.shape}; "
            "allowed is uint8 (H, W, 3)"
        )
    truths = {} if picture.mask is None else {"the mask": picture.mask}
    predictions, confidences = {}, {}
    for name, prediction in picture.predictions.items():
        predictions[f"the prediction of {name}"] = prediction.mask
        if prediction.confidence is not None:
            confidences[f"the confidence of {name}"] = prediction.confidence
    for what, values in (truths | predictions | confidences).items():
        if values.shape != picture.image.shape[:2]:
            raise DataError(
                f"{picture.name}: {what} is {values.shape} and the image {picture.image.shape[:2]}; "
                "they must be equal"
            )
    for what, mask in (truths | predictions).items():
        _check_ids(f"{picture.name}: {what}", mask, labels.num_classes, what in truths)
    for what, values in confidences.items():
        if not ((values >= 0) & (values <= 1)).all():
            raise DataError(f"{picture.name}: {what} leaves 0..1; allowed are probabilities")


def _check_ids(what: str, mask: np.ndarray, num_classes: int, is_truth: bool) -> None:
    """Refuses ids that are no classes; only a truth may leave pixels out."""
    if mask.dtype.kind not in "iu":
        raise DataError(f"{what} is {mask.dtype}; allowed are integers, the train ids")
    wrong = (mask < 0) | (mask >= num_classes)
    if is_truth:
        wrong &= mask != IGNORE_INDEX
    if wrong.any():
        also = f" and {IGNORE_INDEX}" if is_truth else ""
        raise DataError(f"{what} holds the id {mask[wrong][0]}; allowed are 0..{num_classes - 1}{also}")
