"""Every kind of file that must not become pixels, and those that must."""

import io
import os

import numpy as np
import pytest
from PIL import Image, ImageFile

from seglab.datasets.reading import read_image, read_mask, read_pair
from seglab.errors import DataError
from seglab.labels import CAMVID11, CITYSCAPES

from .conftest import random_pair, raw_png, write_png


def save(path, picture: Image.Image, **options):
    picture.save(path, **options)
    return path


def refused(read, path, *parts: str):
    """The refusal names the file and says what came; it has no line break."""
    with pytest.raises(DataError) as caught:
        read(path)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message
    for part in parts:
        assert part in message
    return message


def as_mask(path):
    return read_mask(path, CAMVID11)


def test_an_image_keeps_its_pixels(tmp_path):
    image, _ = random_pair(0)
    write_png(tmp_path / "a.png", image)
    result = read_image(tmp_path / "a.png")
    assert result.dtype == np.uint8 and np.array_equal(result, image)


def test_a_jpeg_is_read_as_rgb(tmp_path):
    path = save(tmp_path / "a.jpg", Image.new("RGB", (40, 30), (200, 10, 10)))
    result = read_image(path)
    assert result.shape == (30, 40, 3)
    assert np.abs(result.astype(int) - (200, 10, 10)).max() < 8


@pytest.mark.parametrize("mode", ["L", "P"])
def test_a_mask_keeps_its_ids(tmp_path, mode):
    _, ids = random_pair(0)
    picture = Image.fromarray(ids)
    if mode == "P":
        picture.putpalette([i * 7 % 256 for i in range(768)])
        assert picture.mode == "P"
    result = as_mask(save(tmp_path / "a.png", picture))
    expected = np.where(ids == 11, 255, ids)
    assert result.dtype == np.uint8 and np.array_equal(result, expected)


def test_a_palette_of_few_bits_keeps_its_indices(tmp_path):
    picture = Image.fromarray(np.tile(np.arange(4, dtype=np.uint8), (8, 2)))
    picture.putpalette([10, 20, 30, 1, 2, 3, 4, 5, 6, 200, 100, 0])
    path = save(tmp_path / "a.png", picture)
    assert path.read_bytes()[24] == 2  # bits per pixel, as the PNG header says
    assert np.array_equal(as_mask(path)[0], [0, 1, 2, 3, 0, 1, 2, 3])


def test_ids_outside_the_table_are_named(tmp_path):
    _, ids = random_pair(0)
    ids[3, 4], ids[5, 6] = 12, 200
    write_png(tmp_path / "a.png", ids)
    refused(as_mask, tmp_path / "a.png", "12, 200", "0..11", "camvid11")


@pytest.mark.parametrize(
    ("mode", "said"),
    [("RGB", "RGB"), ("RGBA", "alpha"), ("LA", "alpha"), ("1", "1 bit"), ("I;16", "16 bits")],
)
def test_masks_of_other_kinds_are_refused(tmp_path, mode, said):
    path = save(tmp_path / "mask.png", Image.new(mode, (40, 30)))
    refused(as_mask, path, said, "allowed is a PNG of ids")


def test_a_mask_of_two_grey_bits_is_refused_because_pillow_would_stretch_it(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(raw_png(4, 1, 2, 0, b"\x00\x1b"))  # filter 0, then the grey levels 0 1 2 3
    with Image.open(path) as picture:
        assert np.array_equal(picture, [[0, 85, 170, 255]])
    refused(as_mask, path, "grey with 2 bits")


def test_a_jpeg_mask_is_refused(tmp_path):
    refused(as_mask, save(tmp_path / "a.jpg", Image.new("L", (40, 30))), "no PNG file")


@pytest.mark.parametrize(
    ("mode", "said"), [("L", "grey"), ("P", "palette"), ("RGBA", "alpha"), ("I;16", "16 bits"), ("1", "grey")]
)
def test_images_of_other_kinds_are_refused(tmp_path, mode, said):
    path = save(tmp_path / "image.png", Image.new(mode, (40, 30)))
    refused(read_image, path, said, "allowed is a PNG or JPEG photograph")


def test_an_image_with_a_transparent_colour_is_refused(tmp_path):
    path = save(tmp_path / "a.png", Image.new("RGB", (40, 30)), transparency=(0, 0, 0))
    with Image.open(path) as picture:
        assert picture.mode == "RGB"  # there is no channel that tells
    refused(read_image, path, "RGB with transparency")


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_jpegs_of_other_kinds_are_refused(tmp_path, mode):
    refused(read_image, save(tmp_path / "a.jpg", Image.new(mode, (40, 30))), mode)


def test_an_image_of_16_bits_per_channel_is_refused(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(raw_png(1, 1, 16, 2, b"\x00" + b"\x12\x34" * 3))
    with Image.open(path) as picture:
        assert picture.mode == "RGB"  # Pillow would cut it to 8 bits without a word
    refused(read_image, path, "RGB with 16 bits")


def test_a_rotation_beside_the_pixels_is_refused(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save(tmp_path / "a.jpg", Image.new("RGB", (40, 30)), exif=exif)
    refused(read_image, path, "orientation 6")
    exif[0x0112] = 1
    assert read_image(save(path, Image.new("RGB", (40, 30)), exif=exif)).shape == (30, 40, 3)


def test_different_sizes_are_refused_with_both_files_and_sizes(tmp_path):
    write_png(tmp_path / "image.png", random_pair(0, (48, 64))[0])
    write_png(tmp_path / "mask.png", random_pair(0, (64, 48))[1])
    with pytest.raises(DataError) as caught:
        read_pair(tmp_path / "image.png", tmp_path / "mask.png", CAMVID11)
    for part in ("image.png", "mask.png", "48 x 64", "64 x 48"):
        assert part in str(caught.value)


def test_things_that_are_no_pictures_are_refused(tmp_path):
    (tmp_path / "empty.png").touch()
    (tmp_path / "page.png").write_text("<html>404</html>", encoding="utf-8")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    os.mkfifo(tmp_path / "pipe.png")
    for read in (read_image, as_mask):
        refused(read, tmp_path / "empty.png", "damaged")
        refused(read, tmp_path / "page.png", "no PNG")
        refused(read, tmp_path / "folder.png", "not a regular file")
        refused(read, tmp_path / "pipe.png", "not a regular file")
        refused(read, tmp_path / "loop.png")
        refused(read, tmp_path / "none.png", "no such file")


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_cut_off_file_is_refused_wherever_it_was_cut(tmp_path, kind):
    buffer = io.BytesIO()
    Image.fromarray(random_pair(0)[0]).save(buffer, kind)
    data, path = buffer.getvalue(), tmp_path / "cut"
    # The last 20 bytes of a PNG are two checksums and the mark of its end; all pixels come before them.
    for end in np.linspace(0, len(data) - (21 if kind == "PNG" else 2), 40).astype(int):
        path.write_bytes(data[:end])
        refused(read_image, path)


def test_a_cut_off_mask_is_refused(tmp_path):
    path = tmp_path / "mask.png"
    write_png(path, random_pair(0)[1])
    path.write_bytes(path.read_bytes()[:-40])
    refused(as_mask, path, "damaged or cut off")


def test_a_flipped_bit_in_a_png_never_changes_pixels_unnoticed(tmp_path):
    image, _ = random_pair(0)
    write_png(tmp_path / "a.png", image)
    data = (tmp_path / "a.png").read_bytes()
    rng = np.random.default_rng(0)
    refusals = 0
    for _ in range(100):
        damaged = bytearray(data)
        damaged[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
        (tmp_path / "a.png").write_bytes(damaged)
        try:
            assert np.array_equal(read_image(tmp_path / "a.png"), image)
        except DataError:
            refusals += 1
    assert refusals > 90


def test_a_cut_off_file_is_refused_even_if_somebody_told_pillow_to_accept_it(tmp_path, monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    write_png(tmp_path / "a.png", random_pair(0)[0])
    refused(read_image, tmp_path / "a.png", "LOAD_TRUNCATED_IMAGES")


@pytest.mark.parametrize("side", [8_001, 12_000, 20_000, 60_000])
def test_a_small_file_that_claims_a_huge_picture_is_refused_by_its_header(tmp_path, side):
    path = tmp_path / "bomb.png"
    path.write_bytes(raw_png(side, side, 8, 2, b"\x00"))
    refused(read_image, path, "64,000,000")


def test_all_bytes_as_ids_are_mapped_or_refused(tmp_path):
    accepted = []
    for value in range(256):
        write_png(tmp_path / "a.png", np.full((32, 32), value, np.uint8))
        try:
            mask = read_mask(tmp_path / "a.png", CITYSCAPES)
        except DataError:
            continue
        accepted.append(value)
        assert len(np.unique(mask)) == 1 and (mask[0, 0] < 19 or mask[0, 0] == 255)
    assert accepted == list(range(34))
