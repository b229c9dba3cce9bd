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
    counted = picture.mask
    if counted is None:
        counted = next(iter(picture.predictions.values())).mask if picture.predictions else None
    if counted is not None:
        counts = np.bincount(counted[counted != IGNORE_INDEX], minlength=labels.num_classes)
        facts["shares"] = (counts / max(1, counts.sum())).tolist()
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


def check_picture(picture: Picture, labels: LabelSpace) -> None:
    """Refuses arrays of a wrong type, size or range."""
    if picture.image.dtype != np.uint8 or picture.image.ndim != 3 or picture.image.shape[2] != 3:
        raise DataError(
            f"{picture.name}: the image is {picture.image.dtype} {picture.image.shape}; "
            "allowed is uint8 (H, W, 3)"
        )
    masks = {"the mask": picture.mask}
    confidences = {}
    for name, prediction in picture.predictions.items():
        masks[f"the prediction of {name}"] = prediction.mask
        confidences[f"the confidence of {name}"] = prediction.confidence
    for what, values in (masks | confidences).items():
        if values is not None and values.shape != picture.image.shape[:2]:
            raise DataError(
                f"{picture.name}: {what} is {values.shape} and the image {picture.image.shape[:2]}; "
                "they must be equal"
            )
    for what, mask in masks.items():
        if mask is None:
            continue
        wrong = (mask < 0) | (mask >= labels.num_classes) & (mask != IGNORE_INDEX)
        if wrong.any():
            raise DataError(
                f"{picture.name}: {what} holds the id {mask[wrong][0]}; "
                f"allowed are 0..{labels.num_classes - 1} and {IGNORE_INDEX}"
            )
    for what, values in confidences.items():
        if values is not None and not ((values >= 0) & (values <= 1)).all():
            raise DataError(f"{picture.name}: {what} leaves 0..1; allowed are probabilities")
