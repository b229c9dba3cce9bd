"""How sure a network is, over a split."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from seglab.datasets import SegmentationDataset
from seglab.datasets.loading import evaluation_samples
from seglab.errors import DataError
from seglab.evaluation.inference import Predictor, predict_scores, probabilities
from seglab.labels import IGNORE_INDEX
from seglab.metrics.calibration import BINS, Reliability, fit_temperature


def measure_reliability(
    predictor: Predictor, dataset: SegmentationDataset, temperature: float = 1.0, bins: int = BINS
) -> Reliability:
    """Counts confidences and right predictions over a split, picture by picture.

    Args:
        predictor: The network; of several views the mean logits count, because a temperature divides logits.
        dataset: A split.
        temperature: Divides the logits; 1 leaves the network as it is.
        bins: Number of bins of equal width, M.

    Returns:
        Arrays (K, M).
    """
    num_classes = predictor.labels.num_classes
    cells = num_classes * bins
    pixels, right = torch.zeros(2, cells, dtype=torch.int64)
    confidence = torch.zeros(cells, dtype=torch.float64)
    for logits, mask in _answers(predictor, dataset):
        largest, predicted = probabilities(logits / temperature).max(1)
        labelled = mask != IGNORE_INDEX
        largest, predicted, truth = largest[labelled], predicted[labelled], mask[labelled]
        # a probability of 1 belongs to the last bin
        keys = predicted * bins + (largest * bins).long().clamp(max=bins - 1)
        pixels += torch.bincount(keys, minlength=cells)
        right += torch.bincount(keys[predicted == truth], minlength=cells)
        confidence += torch.bincount(keys, weights=largest.double(), minlength=cells)
    return Reliability(*(a.view(num_classes, bins).numpy() for a in (pixels, right, confidence)))


def fit_on_validation(
    predictor: Predictor, dataset: SegmentationDataset, pixels_per_picture: int = 2000, seed: int = 0
) -> float:
    """The temperature that fits best on a sample of the validation pixels.

    Args:
        predictor: The network.
        dataset: Its validation split. On the split that is then reported the fit would flatter itself, and on
            the training split the network is surer than anywhere else.
        pixels_per_picture: Most labelled pixels taken of a picture, drawn at random.
        seed: Of the draw.

    Raises:
        DataError: If the split is not the one that the network was watched on during its training.
    """
    if dataset.split != predictor.data.eval_split:
        raise DataError(
            f"{dataset.name} {dataset.split}: a temperature is fitted on the validation split alone; "
            f"allowed is {predictor.data.eval_split!r}"
        )
    rng = np.random.default_rng(seed)
    logits, truth = [], []
    for answer, mask in _answers(predictor, dataset):
        labelled = np.flatnonzero(mask != IGNORE_INDEX)
        chosen = rng.choice(labelled, min(pixels_per_picture, len(labelled)), replace=False)
        logits.append(answer[0].flatten(1)[:, chosen].T.numpy())
        truth.append(mask.flatten()[chosen].numpy())
    return fit_temperature(np.concatenate(logits), np.concatenate(truth))


def _answers(predictor: Predictor, dataset: SegmentationDataset):
    """Logits (1,K,H,W) and mask int64 (1,H,W) of each picture, on the CPU."""
    predictor.model.eval()
    inference = replace(predictor.inference, average="logits")
    for _, _, image, mask in evaluation_samples(dataset):
        logits: Tensor = predict_scores(
            predictor.model, image[None], predictor.execution, predictor.data, inference
        )
        yield logits.cpu(), mask[None].long()
