"""Masks made visible: colours, overlays and error maps, as NumPy arrays."""

from __future__ import annotations

import numpy as np

from seglab.errors import DataError
from seglab.labels import IGNORE_INDEX, LabelSpace

# Right, wrong and not scored, told apart by lightness alone and by the colour-blind (Okabe and Ito 2008).
RIGHT, WRONG, VOID = (0, 114, 178), (240, 228, 66), (0, 0, 0)


def colorize(mask: np.ndarray, labels: LabelSpace) -> np.ndarray:
    """Paints train ids in the classes' colours; ignored pixels are black.

    Args:
        mask: uint8 (H, W) of train ids.
        labels: Their label space.

    Returns:
        uint8 (H, W, 3) RGB.
    """
    return labels.palette[mask]


def overlay(image: np.ndarray, mask: np.ndarray, labels: LabelSpace, opacity: float = 0.5) -> np.ndarray:
    """Blends the coloured mask over the picture; ignored pixels keep the picture.

    Args:
        image: uint8 (H, W, 3) RGB.
        mask: uint8 (H, W) of train ids.
        labels: Their label space.
        opacity: 0 shows the picture alone, 1 the colours alone.

    Returns:
        uint8 (H, W, 3) RGB.

    Raises:
        DataError: If picture and mask differ in size.
    """
    if image.shape[:2] != mask.shape:
        raise DataError(f"the picture is {image.shape[:2]} and the mask {mask.shape}; they must be equal")
    weight = np.where(mask == IGNORE_INDEX, 0.0, opacity)[..., None]
    return np.rint(image * (1 - weight) + colorize(mask, labels) * weight).astype(np.uint8)


def error_map(prediction: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Shows where a prediction is right (blue), wrong (yellow) or not scored (black), uint8 (H, W, 3)."""
    colors = np.array([WRONG, RIGHT, VOID], np.uint8)
    return colors[np.where(mask == IGNORE_INDEX, 2, prediction == mask)]
