"""Whatever is drawn, image and mask stay together (Hypothesis looks for what breaks it)."""

import numpy as np
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torchvision import tv_tensors

from seglab.config import AugmentConfig
from seglab.datasets.transforms import JointAugment
from seglab.labels import IGNORE_INDEX

sides = st.integers(8, 48)
sizes = st.tuples(sides, sides)
crops = st.none() | st.tuples(st.integers(32, 64), st.integers(32, 64))
scales = st.tuples(st.floats(0.25, 1.0), st.floats(1.0, 3.0))
seeds = st.integers(0, 2**31)


def augmented(image: np.ndarray, mask: np.ndarray, augment: AugmentConfig, input_size, seed: int):
    pair = tv_tensors.Image(torch.from_numpy(image)), tv_tensors.Mask(torch.from_numpy(mask))
    return JointAugment(augment, input_size)(*pair, np.random.default_rng(seed))


@settings(max_examples=1000, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    sizes,
    st.none() | sizes,
    crops,
    scales,
    st.sampled_from([0.0, 0.5, 1.0]),
    st.sets(st.integers(0, 254)),
    seeds,
)
def test_a_mask_that_equals_its_image_stays_equal_to_it(size, input_size, crop, scale, flip, ids, seed):
    """The picture has vertical and horizontal blocks of one value each, and the mask is its red channel.

    Where all pixels that an output pixel is mixed from have one value, bilinear and nearest must agree; that
    is wherever the mask is constant around a pixel, as far as the resampling reaches.
    """
    ids = sorted(ids)[:6] or [7]
    rng = np.random.default_rng(seed)
    rows, columns = (np.sort(rng.integers(0, 3, n)) for n in size)
    mask = np.array(ids, np.uint8)[(rows[:, None] * 3 + columns) % len(ids)]
    image = np.ascontiguousarray(np.broadcast_to(mask, (3, *size)))
    new_image, new_mask = augmented(image, mask, AugmentConfig(scale, crop, flip), input_size, seed)

    assert new_image.shape[1:] == new_mask.shape == tuple(crop or input_size or size)
    assert set(new_mask.unique().tolist()) <= {*ids, IGNORE_INDEX}  # no id that was not there
    padding = new_mask == IGNORE_INDEX
    # Padding is the mean colour in the image, where it is ignored in the mask, and in one rectangle around.
    mean = torch.tensor([124, 116, 104], dtype=torch.uint8)
    assert (new_image[:, padding] == mean[:, None]).all()
    shown = ~padding
    assert shown.any()
    top, left = (int(torch.where(shown.any(axis))[0][0]) for axis in (1, 0))
    bottom, right = (int(torch.where(shown.any(axis))[0][-1]) + 1 for axis in (1, 0))
    assert shown[top:bottom, left:right].all()
    inner_image, inner_mask = new_image[:, top:bottom, left:right], new_mask[top:bottom, left:right]
    # Anti-aliasing reaches over one output pixel to each side, bilinear enlarging over one source pixel.
    reach = int(np.ceil(max(scale[1] * i / s for i, s in zip(input_size or size, size, strict=True)))) + 2
    # Where the picture shrinks, a thin block may be lost to the mask alone; the image is no constant there.
    constant = _constant_around(inner_mask, reach) & _constant_around(inner_image[0], reach)
    assert (inner_image[0][constant] == inner_mask[constant]).all()
    # And everywhere the image is a mixture of what the mask has.
    assert inner_image.min() >= min(ids) and inner_image.max() <= max(ids)


def _constant_around(mask: torch.Tensor, reach: int) -> torch.Tensor:
    """Whether all pixels up to `reach` away, inside the mask, have the pixel's value."""
    window, values = 2 * reach + 1, mask[None, None].float()
    largest = torch.nn.functional.max_pool2d(values, window, 1, reach)
    smallest = -torch.nn.functional.max_pool2d(-values, window, 1, reach)
    return (largest == smallest)[0, 0]
