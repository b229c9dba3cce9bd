"""Random changes of a training picture, always of image and mask together."""

from __future__ import annotations

import numpy as np
import torch
from torchvision import tv_tensors
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as F

from seglab.config import IMAGENET_MEAN, AugmentConfig
from seglab.labels import IGNORE_INDEX


class JointAugment:
    """Scales, crops and flips an image and its mask alike, then changes the image's colours.

    The picture is scaled to `input_size` times a random factor and a crop is taken at a random place. Both
    are one resampling: the part of the source that the crop shows is cut out in whole source pixels and
    resized once, so image (bilinear, anti-aliased) and mask (nearest) share one grid with the same half-pixel
    centres. Rounding the part to whole pixels changes the factor by less than one source pixel per crop.
    Where the scaled picture is smaller than the crop it lies at a random place in it; the rest of the image
    is the mean colour, which normalisation turns into zero, and the rest of the mask is ignored.

    Args:
        augment: Strength of each change.
        input_size: Height and width of the whole picture at factor 1; None is its own size.
        mean: RGB colour of the padding, in [0, 1].
    """

    def __init__(
        self,
        augment: AugmentConfig,
        input_size: tuple[int, int] | None = None,
        mean: tuple[float, float, float] = IMAGENET_MEAN,
    ) -> None:
        self.augment = augment
        self.input_size = input_size
        self.padding = [round(255 * channel) for channel in mean]

    def __call__(
        self,
        image: tv_tensors.Image,
        mask: tv_tensors.Mask,
        rng: np.random.Generator,
        shown: int | None = None,
    ) -> tuple[tv_tensors.Image, tv_tensors.Mask]:
        """Draws one change and applies it.

        Args:
            image: uint8 (3, H, W).
            mask: uint8 (H, W) of train ids and the ignore index.
            rng: The only source of randomness.
            shown: Train id that must occur in the mask: one of its pixels is drawn, and the crop's place from
                those that show it. (Where the picture shrinks, not every pixel of the source is sampled.)

        Returns:
            Image and mask of the same kinds, at the crop's size.

        Raises:
            TypeError: If they are not a `tv_tensors.Image` and a `tv_tensors.Mask` of uint8.
            ValueError: If their sizes differ.
        """
        _check_kinds(image, mask)
        height, width = self.input_size or mask.shape
        crop_height, crop_width = self.augment.crop or (height, width)
        row, column = (None, None) if shown is None else _pixel_of(mask, shown, rng)
        factor = rng.uniform(*self.augment.scale)
        top, rows, out_rows, above = _place(mask.shape[0], height * factor, crop_height, rng, row)
        left, columns, out_columns, before = _place(mask.shape[1], width * factor, crop_width, rng, column)

        image = F.crop(image, top, left, rows, columns)
        mask = F.crop(mask, top, left, rows, columns)
        if (rows, columns) != (out_rows, out_columns):
            image = F.resize(image, [out_rows, out_columns], InterpolationMode.BILINEAR, antialias=True)
            mask = _resize_mask(mask, out_rows, out_columns, self.augment.mask_resize)
        if rng.random() < self.augment.flip:
            image, mask = F.horizontal_flip(image), F.horizontal_flip(mask)
        image = self._recolor(image, rng)
        if (out_rows, out_columns) != (crop_height, crop_width):
            after, below = crop_width - out_columns - before, crop_height - out_rows - above
            image = F.pad(image, [before, above, after, below], fill=self.padding)
            mask = F.pad(mask, [before, above, after, below], fill=IGNORE_INDEX)
        return image, mask

    def _recolor(self, image: tv_tensors.Image, rng: np.random.Generator) -> tv_tensors.Image:
        changes = (
            (F.adjust_brightness, self.augment.brightness),
            (F.adjust_contrast, self.augment.contrast),
            (F.adjust_saturation, self.augment.saturation),
        )
        for change, strength in changes:
            if strength:
                image = change(image, rng.uniform(1 - strength, 1 + strength))
        return image


def _pixel_of(mask: tv_tensors.Mask, train_id: int, rng: np.random.Generator) -> tuple[int, int]:
    """Row and column of a pixel of a class, drawn uniformly."""
    pixels = np.flatnonzero(mask.numpy() == train_id)
    return divmod(int(rng.choice(pixels)), mask.shape[1])


def _place(
    size: int, scaled: float, crop: int, rng: np.random.Generator, pixel: int | None = None
) -> tuple[int, int, int, int]:
    """Places a crop along one axis.

    Args:
        size: Source pixels.
        scaled: Pixels of the scaled picture.
        crop: Pixels of the crop.
        pixel: Source pixel that the crop must show, if any.

    Returns:
        Start and length of the part of the source that the crop shows; its length in the crop; and where in
        the crop it begins.
    """
    scaled = max(1, round(scaled))
    shown = min(scaled, crop)
    length = max(1, round(shown * size / scaled))
    first, last = 0, size - length
    if pixel is not None:
        first, last = max(first, pixel - length + 1), min(last, pixel)
    return int(rng.integers(first, last + 1)), length, shown, int(rng.integers(crop - shown + 1))


def _resize_mask(mask: tv_tensors.Mask, rows: int, columns: int, method: str) -> tv_tensors.Mask:
    """Resizes by the nearest pixel centre, or, as a mistake to be studied, bilinearly.

    `F.resize` of a `Mask` uses the older mode NEAREST, which takes the pixel at the upper left corner instead
    of the one at the centre: against the bilinear image that shifts a mask by up to half an output pixel.
    """
    plain = mask.as_subclass(torch.Tensor)[None]
    mode = {"nearest": InterpolationMode.NEAREST_EXACT, "bilinear": InterpolationMode.BILINEAR}[method]
    return tv_tensors.Mask(F.resize_image(plain, [rows, columns], mode, antialias=False)[0])


def _check_kinds(image: torch.Tensor, mask: torch.Tensor) -> None:
    for value, kind in ((image, tv_tensors.Image), (mask, tv_tensors.Mask)):
        if not isinstance(value, kind) or value.dtype != torch.uint8:
            raise TypeError(
                f"a {type(value).__name__} of {value.dtype} came; allowed is a tv_tensors.{kind.__name__} of "
                "torch.uint8: for a plain tensor nothing tells images from masks, and they would part"
            )
    if image.shape[-2:] != mask.shape:
        raise ValueError(f"image {tuple(image.shape)} and mask {tuple(mask.shape)} differ in height or width")
