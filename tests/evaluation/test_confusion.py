"""The confusion matrix of a network over a split, against metrics.confusion_matrix picture by picture."""

import numpy as np
import pytest
import torch
from torch import nn

from seglab import metrics
from seglab.config import DataConfig
from seglab.errors import DataError, DivergedError
from seglab.evaluation.confusion import ConfusionCounter, count_images, count_on_cpu, count_on_device
from seglab.evaluation.execution import Execution
from seglab.evaluation.inference import predict_masks

CPU = Execution(torch.device("cpu"))


class Brightness(nn.Module):
    """Says class k where the red channel, scaled to [0, 1], is in the k-th quarter."""

    def forward(self, image):
        centers = torch.tensor([0.125, 0.375, 0.625, 0.875]).view(1, 4, 1, 1)
        return -((image[:, :1] - centers) ** 2)


PLAIN = DataConfig(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


def samples(sizes, seed=0):
    rng = np.random.default_rng(seed)
    for index, size in enumerate(sizes):
        image = torch.from_numpy(rng.integers(0, 256, (3, *size), dtype=np.uint8))
        mask = rng.integers(0, 4, size).astype(np.uint8)
        mask[rng.random(size) < 0.1] = 255
        yield index, f"p{index}", image, torch.from_numpy(mask)


@pytest.mark.parametrize("batch_size", [1, 2, 4])
def test_equals_each_picture_by_itself_whatever_the_batches(batch_size):
    sizes = [(32, 40)] * 3 + [(36, 33)] * 2 + [(32, 40)]
    done = []
    found = count_images(
        Brightness(), samples(sizes), 4, CPU, PLAIN, batch_size=batch_size, on_batch=done.append
    )
    expected = [
        metrics.confusion_matrix((image[0].numpy() // 64), mask.numpy(), 4)
        for _, _, image, mask in samples(sizes)
    ]
    np.testing.assert_array_equal(found[:, :-1], expected)
    assert sum(done) == len(sizes) and max(done) <= batch_size


def test_prediction_has_the_size_of_the_picture_whatever_the_input_size():
    image = torch.zeros(2, 3, 45, 70, dtype=torch.uint8)
    image[..., 35:] = 255
    data = DataConfig(mean=PLAIN.mean, std=PLAIN.std, input_size=(32, 35))
    mask = predict_masks(Brightness(), image, CPU, data)
    assert mask.shape == (2, 45, 70)
    assert (mask[..., :30] == 0).all() and (mask[..., 40:] == 3).all()


def test_strange_ids_are_seen():
    counter = ConfusionCounter(4, torch.device("cpu"))
    mask = torch.tensor([[[0, 255], [4, 200]]], dtype=torch.uint8)
    counter.add(torch.zeros(1, 2, 2, dtype=torch.int64), torch.zeros_like(mask), ["good"])
    counter.add(torch.zeros(1, 2, 2, dtype=torch.int64), mask, ["bad"])
    with pytest.raises(DataError, match=r"^bad: 2 mask pixels hold ids outside 0\.\.3"):
        counter.images()


def test_one_matrix_per_picture_with_a_row_of_what_was_said_of_void():
    counter = ConfusionCounter(2, torch.device("cpu"))
    masks = torch.tensor([[[0, 1, 255]], [[1, 1, 255]]], dtype=torch.uint8)
    counter.add(torch.tensor([[[0, 0, 1]], [[1, 1, 0]]]), masks, ["a", "b"])
    np.testing.assert_array_equal(
        counter.images(), [[[1, 0], [1, 0], [0, 1]], [[0, 0], [0, 2], [1, 0]]]
    )


@pytest.mark.parametrize("classes", [2, 19, 254])
def test_a_device_counts_as_the_processor_does(classes):
    random = torch.Generator().manual_seed(classes)
    mask = torch.randint(0, 256, (3, 20, 30), generator=random, dtype=torch.uint8)
    prediction = torch.randint(0, classes, mask.shape, generator=random)
    prediction[1, :2] = 255  # no class
    found = count_on_device(prediction, mask, classes)
    assert found.shape == (3, classes + 2, classes + 1)
    assert torch.equal(found, count_on_cpu(prediction, mask, classes))
    assert found[1, :, -1].sum() == 60 and found[0, :, -1].sum() == 0
    assert torch.equal(found[:, -2].sum(1), (mask == 255).sum((1, 2)))
    assert torch.equal(found.sum((1, 2)), torch.tensor([600] * 3))


class Broken(Brightness):
    """Answers NaN for one pixel of a black picture."""

    def forward(self, image):
        logits = super().forward(image).clone()
        logits[:, 1, 3, 5] += torch.where(image.amax((1, 2, 3)) == 0, torch.nan, 0.0)
        return logits


def test_nan_is_no_prediction():
    black = torch.zeros(3, 32, 32, dtype=torch.uint8)
    mask = torch.zeros(32, 32, dtype=torch.uint8)
    pictures = [(0, "white", black + 255, mask), (1, "black", black, mask)]
    with pytest.raises(DivergedError, match=r"^black: 1 predictions .* NaN"):
        count_images(Broken(), pictures, 4, CPU, PLAIN)


def test_a_network_with_more_classes_is_noticed():
    bright = [(0, "bright", torch.full((3, 32, 32), 255, dtype=torch.uint8), torch.zeros(32, 32).byte())]
    with pytest.raises(DivergedError, match=r"1024 predictions are none of the 3 classes.*number of classes"):
        count_images(Brightness(), bright, 3, CPU, PLAIN)


def test_prediction_and_mask_of_different_sizes_are_refused():
    (sample,) = samples([(32, 40)])
    with pytest.raises(DataError, match=r"p0: prediction \(1, 32, 40\) and mask \(1, 40, 32\)"):
        count_images(Brightness(), [(*sample[:3], sample[3].T)], 4, CPU, PLAIN)


def test_a_mask_of_fractions_is_refused():
    (sample,) = samples([(32, 40)])
    with pytest.raises(DataError, match=r"p0: the mask is torch\.float32; allowed is torch\.uint8"):
        count_images(Brightness(), [(*sample[:3], sample[3].float())], 4, CPU, PLAIN)


def test_an_empty_split_has_no_score():
    with pytest.raises(DataError, match="the split is empty"):
        count_images(Brightness(), [], 4, CPU, PLAIN)
