"""Evaluation on a GPU: the same counts, and no waiting for it between the pictures."""

import numpy as np
import pytest
import torch

from seglab.config import DataConfig
from seglab.evaluation.confusion import ConfusionCounter
from seglab.evaluation.execution import Execution
from seglab.evaluation.inference import InferenceConfig, predict_masks
from seglab.models import create_model

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")

CUDA = Execution(torch.device("cuda", 0), memory_format="channels_last")


@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype")
def test_counting_does_not_wait_and_counts_as_the_processor():
    random = torch.Generator().manual_seed(0)
    mask = torch.randint(0, 256, (2, 40, 50), generator=random, dtype=torch.uint8)
    mask[mask >= 19] = 255
    prediction = torch.randint(0, 19, mask.shape, generator=random)
    here, there = (ConfusionCounter(19, torch.device(name)) for name in ("cpu", "cuda"))
    here.add(prediction, mask, "ab")
    on_device = prediction.cuda(), mask.cuda()
    torch.cuda.set_sync_debug_mode("error")
    try:
        there.add(*on_device, "ab")
    finally:
        torch.cuda.set_sync_debug_mode("default")
    np.testing.assert_array_equal(there.images(), here.images())


@pytest.mark.parametrize(
    "inference", [InferenceConfig((0.75, 1.0), flip=True), InferenceConfig(tile=(48, 64))]
)
def test_predictions_agree_with_the_processors(inference):
    torch.manual_seed(0)
    model = create_model("minihrnet_a3", 5, widths=[4, 4], repetitions=0, block="basic").eval()
    image = torch.randint(0, 256, (1, 3, 70, 90), dtype=torch.uint8)
    here = predict_masks(model, image, Execution(torch.device("cpu")), DataConfig(), inference)
    there = predict_masks(CUDA.place(model), image, CUDA, DataConfig(), inference).cpu()
    assert (here == there).float().mean() > 0.99
