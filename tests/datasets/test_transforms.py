"""Image and mask never part."""

import numpy as np
import pytest
import torch
from torchvision import tv_tensors

from seglab.config import AugmentConfig
from seglab.datasets.transforms import JointAugment

HEAVY = AugmentConfig(scale=(0.4, 2.5), flip=0.5, brightness=0.3, contrast=0.3, saturation=0.3)


def tensors(image: np.ndarray, mask: np.ndarray):
    return tv_tensors.Image(torch.from_numpy(image).permute(2, 0, 1)), tv_tensors.Mask(torch.from_numpy(mask))


def random_tensors(size=(48, 64), seed=0):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    return tensors(image, rng.integers(0, 19, size, dtype=np.uint8))


def test_without_changes_the_pixels_stay():
    image, mask = random_tensors()
    still = JointAugment(AugmentConfig(flip=0.0))
    new_image, new_mask = still(image, mask, np.random.default_rng(0))
    assert torch.equal(new_image, image) and torch.equal(new_mask, mask)
    assert type(new_image) is tv_tensors.Image and type(new_mask) is tv_tensors.Mask
    assert new_image.dtype == new_mask.dtype == torch.uint8


def test_a_flip_mirrors_both():
    image, mask = random_tensors()
    new_image, new_mask = JointAugment(AugmentConfig(flip=1.0))(image, mask, np.random.default_rng(0))
    assert torch.equal(new_image, image.flip(-1)) and torch.equal(new_mask, mask.flip(-1))


def test_a_crop_without_scaling_cuts_one_window_out_of_both():
    rows, columns = np.mgrid[0:48, 0:64].astype(np.uint8)
    places = set()
    for seed in range(50):
        cut = JointAugment(AugmentConfig(crop=(32, 32), flip=0.0))
        image, mask = cut(*tensors(np.dstack([rows, columns, rows]), columns), np.random.default_rng(seed))
        top, left = int(image[0, 0, 0]), int(image[1, 0, 0])
        assert np.array_equal(image[0], rows[top : top + 32, left : left + 32])
        assert np.array_equal(image[1], columns[top : top + 32, left : left + 32])
        assert np.array_equal(mask, columns[top : top + 32, left : left + 32])
        places.add((top, left))
    assert {top for top, _ in places} >= {0, 16}  # both ends of the range occur
    assert len(places) > 40


@pytest.mark.parametrize("scale", [(1.0, 1.0), (1.0, 3.0)])
def test_a_crop_can_be_made_to_show_a_class(scale):
    rng = np.random.default_rng(0)
    cut = JointAugment(AugmentConfig(scale=scale, crop=(32, 40)))
    for seed in range(100):
        mask = np.zeros((150, 200), np.uint8)
        mask[rng.integers(150), rng.integers(200)] = 7
        _, new = cut(*tensors(np.dstack([mask] * 3), mask), np.random.default_rng(seed), shown=7)
        assert new.shape == (32, 40) and (new == 7).any()


def test_the_class_lies_anywhere_in_the_crop_and_each_of_its_pixels_is_taken():
    rows, columns = np.mgrid[0:150, 0:200].astype(np.uint8)
    mask = np.zeros((150, 200), np.uint8)
    pixels = [(75, 100), (0, 199), (149, 0)]
    mask[tuple(zip(*pixels, strict=True))] = 7
    cut = JointAugment(AugmentConfig(crop=(32, 40), flip=0.0))
    places = {pixel: [] for pixel in pixels}
    for seed in range(1500):
        image, new = cut(
            *tensors(np.dstack([rows, columns, mask]), mask), np.random.default_rng(seed), shown=7
        )
        ((y, x),) = np.argwhere(new.numpy() == 7).tolist()
        places[int(image[0, y, x]), int(image[1, y, x])].append((y, x))
    assert {y for y, _ in places[75, 100]} == set(range(32))
    assert {x for _, x in places[75, 100]} == set(range(40))
    # In a corner of the picture there is only one place for it.
    assert set(places[0, 199]) == {(0, 39)} and set(places[149, 0]) == {(31, 0)}
    assert all(400 < len(found) < 600 for found in places.values())


def test_a_whole_picture_shows_its_classes_anyway():
    image, mask = random_tensors()
    plain = AugmentConfig(flip=0.0)
    assert torch.equal(JointAugment(plain)(image, mask, np.random.default_rng(0), shown=3)[1], mask)


@pytest.mark.parametrize("axis", [0, 1])
def test_a_mask_that_equals_its_image_still_does_after_any_change(axis):
    """The mask holds its own row (or column) number, and so does the image's red channel.

    After resampling the red channel holds the source coordinate of each pixel's centre, rounded, and the mask
    that of the nearest source pixel: at most one apart inside. Where the picture shrinks, anti-aliasing has
    no pixels beyond the edge of the crop, which moves the image there by less than half the shrinking factor.
    """
    rng = np.random.default_rng(0)
    for seed in range(300):
        size, input_size, crop = rng.integers(32, 250, (3, 2)).tolist()
        augment = AugmentConfig(scale=(0.5, 2.0), crop=tuple(crop), flip=0.5)
        ramp = np.indices(size)[axis].astype(np.uint8)
        image, mask = JointAugment(augment, tuple(input_size))(
            *tensors(np.dstack([ramp] * 3), ramp), np.random.default_rng(seed)
        )
        assert image.shape == (3, *crop) and mask.shape == tuple(crop)
        shown = mask != 255
        apart = (image[0].int() - mask.int())[shown].abs()
        shrinking = size[axis] / (input_size[axis] * 0.5)
        assert apart.max() <= max(1, np.ceil(shrinking / 2))
        assert apart.float().mean() < 0.75
        # Whatever is shown is one rectangle, and nothing of it got lost.
        rows, columns = (torch.where(shown.any(dim))[0] for dim in (1, 0))
        assert shown[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()


def test_the_mask_takes_the_pixel_at_the_centre():
    # Where 64 columns shrink to 32, the new centres lie at 1, 3, 5 .. of the old, each on the border of two
    # pixels, of which the right one is taken. The corner rule would take 0, 2, 4 ..
    columns = np.tile(np.arange(64, dtype=np.uint8), (64, 1))
    shrink = JointAugment(AugmentConfig(flip=0.0), (64, 32))
    mask = shrink(*tensors(np.dstack([columns] * 3), columns), np.random.default_rng(0))[1]
    assert mask[0].tolist() == list(range(1, 64, 2))


def test_no_new_id_appears_and_padding_is_ignored_and_of_the_mean_colour():
    mean = (0.1, 0.5, 0.9)
    augment = AugmentConfig(scale=(0.3, 1.2), flip=0.5)
    padded = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        mask = rng.choice(np.array([2, 7, 18], np.uint8), (60, 80))
        image = np.full((60, 80, 3), 200, np.uint8)
        new_image, new_mask = JointAugment(augment, (48, 64), mean)(*tensors(image, mask), rng)
        assert set(new_mask.unique().tolist()) <= {2, 7, 18, 255}
        outside = new_mask == 255
        assert (new_image[:, ~outside] == 200).all()
        assert (new_image[:, outside] == torch.tensor([[26], [128], [230]])).all()  # 255 times the mean
        padded += bool(outside.any())
    assert 100 < padded < 200


def test_void_pixels_of_the_mask_stay_void():
    image, mask = random_tensors()
    mask[:] = 255
    assert (JointAugment(HEAVY)(image, mask, np.random.default_rng(0))[1] == 255).all()


def test_the_factor_lies_in_its_range():
    ramp = np.tile(np.arange(200, dtype=np.uint8), (200, 1))
    zoom = JointAugment(AugmentConfig(scale=(2.0, 4.0), flip=0.0), (200, 200))
    spans = []
    for seed in range(100):
        mask = zoom(*tensors(np.dstack([ramp] * 3), ramp), np.random.default_rng(seed))[1]
        spans.append(int(mask.max()) - int(mask.min()) + 1)
    assert min(spans) in range(50, 53) and max(spans) in range(97, 101)  # 200 pixels by 4 and by 2


def test_the_same_random_state_gives_the_same_result_and_the_global_one_is_untouched():
    image, mask = random_tensors()
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    results = [JointAugment(HEAVY)(image, mask, np.random.default_rng(s)) for s in (5, 5, 6)]
    assert all(torch.equal(a, b) for a, b in zip(results[0], results[1], strict=True))
    assert not torch.equal(results[0][0], results[2][0])
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)


def test_colours_change_the_image_alone():
    image, mask = random_tensors()
    bright = JointAugment(AugmentConfig(flip=0.0, brightness=0.5))
    factors = []
    for seed in range(50):
        new_image, new_mask = bright(image, mask, np.random.default_rng(seed))
        assert torch.equal(new_mask, mask)
        inner = (image > 20) & (image < 160)  # nothing is cut off below 255 / 1.5
        ratio = new_image[inner].double() / image[inner]
        factors.append(ratio.median().item())
        assert (new_image[inner] - factors[-1] * image[inner]).abs().max() <= 2
    assert 0.5 <= min(factors) < 0.6 and 1.4 < max(factors) <= 1.5


@pytest.mark.parametrize("field", ["contrast", "saturation"])
def test_each_colour_strength_acts(field):
    image, mask = random_tensors()
    changed, _ = JointAugment(AugmentConfig(flip=0.0, **{field: 0.9}))(image, mask, np.random.default_rng(0))
    assert not torch.equal(changed, image)
    grey = tv_tensors.Image(torch.full((3, 48, 64), 90, dtype=torch.uint8))  # has neither
    changed, _ = JointAugment(AugmentConfig(flip=0.0, **{field: 0.9}))(grey, mask, np.random.default_rng(0))
    assert (changed.int() - 90).abs().max() <= 1


def test_plain_tensors_are_refused():
    image, mask = random_tensors()
    augment, rng = JointAugment(AugmentConfig()), np.random.default_rng(0)
    plain_image, plain_mask = image.as_subclass(torch.Tensor), mask.as_subclass(torch.Tensor)
    for pair in ((plain_image, mask), (image, plain_mask), (mask, image)):
        with pytest.raises(TypeError, match=r"allowed is a tv_tensors\.(Image|Mask)"):
            augment(*pair, rng)
    with pytest.raises(TypeError, match=r"torch\.float32"):
        augment(tv_tensors.Image(image.float()), mask, rng)
    with pytest.raises(ValueError, match="differ in height or width"):
        augment(image, tv_tensors.Mask(mask[:, 1:]), rng)


def test_a_bilinear_mask_has_ids_that_were_never_there():
    # Columns of class 0 and of class 3: between two of them, 1 and 2 appear.
    mask = torch.zeros(8, 8, dtype=torch.uint8)
    mask[:, 4:] = 3
    pair = tv_tensors.Image(torch.zeros(3, 8, 8, dtype=torch.uint8)), tv_tensors.Mask(mask)
    for method, ids in (("nearest", {0, 3}), ("bilinear", {0, 1, 2, 3})):
        augment = JointAugment(AugmentConfig(flip=0.0, mask_resize=method), input_size=(32, 32))
        _, resized = augment(*pair, np.random.default_rng(0))
        assert set(resized.unique().tolist()) == ids
