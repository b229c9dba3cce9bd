"""Masks made visible: colours, overlays and error maps, as NumPy arrays."""

from __future__ import annotations

import numpy as np

from seglab.errors import DataError
from seglab.labels import IGNORE_INDEX, LabelSpace

# Right, wrong and not scored, told apart by lightness alone and by the colour-blind (Okabe and Ito 2008).
RIGHT, WRONG, VOID = (0, 114, 178), (240, 228, 66), (0, 0, 0)
# Confidence 0, 1/2 and 1: dark blue, grey, yellow, after cividis (Nunez, Anderton and Renslow 2018), which
# the colour-blind see as others do, and whose lightness rises evenly.
CONFIDENCE_RAMP = ((0, 34, 78), (124, 123, 120), (254, 232, 56))


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
    return blend(image, colorize(mask, labels), np.where(mask == IGNORE_INDEX, 0.0, opacity))


def blend(image: np.ndarray, colors: np.ndarray, opacity: float | np.ndarray) -> np.ndarray:
    """Lays colours over a picture.

    Args:
        image: uint8 (H, W, 3) RGB.
        colors: uint8 (H, W, 3) RGB.
        opacity: 0 shows the picture alone, 1 the colours alone; one number, or one for each pixel (H, W).

    Returns:
        uint8 (H, W, 3) RGB.

    Raises:
        DataError: If picture and colours differ in size.
    """
    if image.shape != colors.shape:
        sizes = f"the picture is {image.shape[:2]} and the mask {colors.shape[:2]}"
        raise DataError(f"{sizes}; they must be equal")
    weight = np.broadcast_to(opacity, image.shape[:2])[..., None]
    return np.rint(image * (1 - weight) + colors * weight).astype(np.uint8)


def error_map(prediction: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Shows where a prediction is right (blue), wrong (yellow) or not scored (black), uint8 (H, W, 3)."""
    colors = np.array([WRONG, RIGHT, VOID], np.uint8)
    return colors[np.where(mask == IGNORE_INDEX, 2, prediction == mask)]


def confidence_map(confidence: np.ndarray) -> np.ndarray:
    """Paints probabilities in [0, 1], of any shape, on `CONFIDENCE_RAMP`, uint8 (..., 3)."""
    stops = np.linspace(0, 1, len(CONFIDENCE_RAMP))
    channels = [np.interp(confidence, stops, channel) for channel in zip(*CONFIDENCE_RAMP, strict=True)]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)
