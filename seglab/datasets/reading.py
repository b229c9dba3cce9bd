"""Pictures and masks from files, by rules instead of guesses.

Pillow decodes; what it may decode is decided from the header before any pixel is touched. A file that
could be understood in two ways is refused: 16 bits cut to 8, transparency, a rotation written beside the
pixels, grey levels stretched over the range, a mask of colours without a table of them. Every refusal is a
`DataError` that names the file, what came and what is allowed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageFile

from seglab.errors import DataError
from seglab.labels import LabelSpace

MAX_PIXELS = 64_000_000  # a 64-megapixel photograph; a small file can claim to hold far more
MAX_SIDE_PX = 32_000  # a longer one is no photograph, and whatever scales it by its other side explodes

_IMAGE_RULE = "allowed is a PNG or JPEG photograph in RGB, 8 bits per channel"
_MASK_RULE = "allowed is a PNG of ids, grey or palette, 8 bits per pixel"
_COLOR_RULE = "allowed is a PNG of the data set's colours, RGB or palette, 8 bits per channel"
_PNG_COLOR_TYPES = {0: "grey", 2: "RGB", 3: "palette", 4: "grey with alpha", 6: "RGB with alpha"}


def read_image(path: Path | str) -> np.ndarray:
    """Reads a photograph.

    Returns:
        uint8 (H, W, 3), RGB.

    Raises:
        DataError: If the file is missing, damaged, too large (`MAX_PIXELS`, `MAX_SIDE_PX`), no RGB picture
            of 8 bits per channel, has transparency, or carries an EXIF orientation other than upright.
    """
    path = Path(path)
    with _open(path, ("PNG", "JPEG"), _IMAGE_RULE) as picture:
        kind, depth = _png_header(path) if picture.format == "PNG" else (picture.mode, 8)
        if "transparency" in picture.info:  # a colour that stands for no colour, without an alpha channel
            kind += " with transparency"
        if kind != "RGB" or depth != 8:
            raise DataError(f"{path}: {picture.format} picture in {kind} with {depth} bits; {_IMAGE_RULE}")
        return _pixels(picture, path)


def read_mask(path: Path | str, labels: LabelSpace) -> np.ndarray:
    """Reads a mask and translates its file ids, or its colours, to train ids.

    Returns:
        uint8 (H, W) of train ids and the ignore index.

    Raises:
        DataError: If the file is missing, damaged, too large, not a PNG of ids (or of colours, where the
            label space has them), or holds an id or colour that is not in the label space.
    """
    path = Path(path)
    if labels.file_colors is not None:
        with _open(path, ("PNG",), _COLOR_RULE) as picture:
            kind, depth = _png_header(path)
            if kind not in ("RGB", "palette") or depth > 8:
                raise DataError(f"{path}: PNG mask in {kind} with {depth} bits; {_COLOR_RULE}")
            _pixels(picture, path)
            return labels.colors_to_train_ids(np.array(picture.convert("RGB")), path)
    with _open(path, ("PNG",), _MASK_RULE) as picture:
        kind, depth = _png_header(path)
        # Pillow keeps the indices of a palette at any depth, but it stretches grey levels of less than 8
        # bits over 0..255, which would turn ids 0..15 into 0, 17, 34 and so on.
        if kind not in ("grey", "palette") or depth > 8 or (kind == "grey" and depth < 8):
            raise DataError(f"{path}: PNG mask in {kind} with {depth} bits; {_MASK_RULE}")
        return labels.to_train_ids(_pixels(picture, path), path)


def read_pair(image: Path | str, mask: Path | str, labels: LabelSpace) -> tuple[np.ndarray, np.ndarray]:
    """Reads a photograph and its mask, and refuses them if their sizes differ."""
    pixels, train_ids = read_image(image), read_mask(mask, labels)
    if pixels.shape[:2] != train_ids.shape:
        height, width = train_ids.shape
        raise DataError(
            f"{mask}: the mask has {height} x {width} pixels (height x width), but its image {image} has "
            f"{pixels.shape[0]} x {pixels.shape[1]}; allowed are equal sizes"
        )
    return pixels, train_ids


def image_size(path: Path | str) -> tuple[int, int]:
    """Height and width of a photograph, from its header alone."""
    with _open(Path(path), ("PNG", "JPEG"), _IMAGE_RULE) as picture:
        return picture.height, picture.width


def _open(path: Path, formats: tuple[str, ...], rule: str) -> Image.Image:
    """Opens a picture without decoding it."""
    if not path.is_file():  # also keeps a named pipe from blocking the process for ever
        raise DataError(f"{path}: {'not a regular file' if path.exists() else 'no such file'}; {rule}")
    try:
        picture = Image.open(path, formats=formats)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"{path}: {error}; allowed are {MAX_PIXELS:,} pixels") from None
    except Image.UnidentifiedImageError:
        raise DataError(f"{path}: this is no {' or '.join(formats)} file, or it is damaged; {rule}") from None
    except Exception as error:  # a decoder answers a damaged header with any of a dozen kinds of error
        raise DataError(f"{path}: cannot be opened ({_reason(error)}); {rule}") from None
    if picture.width * picture.height > MAX_PIXELS or max(picture.size) > MAX_SIDE_PX:
        picture.close()
        raise DataError(
            f"{path}: the picture claims {picture.height} x {picture.width} pixels (height x width); "
            f"allowed are {MAX_PIXELS:,} pixels, and {MAX_SIDE_PX:,} a side"
        )
    return picture


def _pixels(picture: Image.Image, path: Path) -> np.ndarray:
    """Decodes an opened picture."""
    # Somebody else in the process may have set this switch; with it Pillow paints what is missing grey.
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        raise DataError(f"{path}: not read while PIL.ImageFile.LOAD_TRUNCATED_IMAGES is on; switch it off")
    try:
        pixels = np.array(picture)
        orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception as error:  # as in _open
        raise DataError(f"{path}: damaged or cut off ({_reason(error)}); copy the file again") from None
    if orientation != 1:
        raise DataError(
            f"{path}: EXIF orientation {orientation}; allowed is an upright picture (orientation 1), because "
            "image and mask could part: rotate the pixels and save the picture again"
        )
    return pixels


def _png_header(path: Path) -> tuple[str, int]:
    """Colour type and bits per channel of a PNG file that Pillow has opened.

    Pillow's `mode` does not tell them: it answers RGB for 16 bits per channel and L for grey of 2 bits.

    Reference: PNG specification, 11.2.1 IHDR: the two bytes follow the signature (8), the chunk's length and
        type (8), width and height (8).
    """
    with path.open("rb") as file:
        depth, color_type = file.read(26)[24:26]
    return _PNG_COLOR_TYPES.get(color_type, f"colour type {color_type}"), depth


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
