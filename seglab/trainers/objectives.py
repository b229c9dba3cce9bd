"""Training objectives: what is minimised, as sums over pixels or pictures and what they are divided by."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seglab.config import LossConfig
from seglab.labels import IGNORE_INDEX

# Terms that are a mean over the labelled pixels of the batch; the others are a mean over its pictures.
_PER_PIXEL = ("cross_entropy", "focal")


class Objective(nn.Module):
    """A weighted sum of terms, each of them a mean over the labelled part of a batch.

    Sums and divisors are separate, because a batch may be computed in parts and by several processes: only
    the sums of all parts over the divisors of all parts equal the loss of the whole batch. Both are additive:

        divisors = sum(objective.divisors(mask) for mask in masks)
        loss = sum(objective.combine(objective(model(image), mask), divisors) for image, mask in parts)

    Nothing here waits for the device, and on CUDA all of it runs on deterministic kernels.

    Args:
        config: Terms with their weights, and their settings.
        class_weights: float32 (K,), or None for equal weights; for `cross_entropy`, `ohem` and `focal`.
    """

    def __init__(self, config: LossConfig, class_weights: Tensor | None = None) -> None:
        super().__init__()
        self.config = config
        self.terms = tuple(name for name, weight in config.terms.items() if weight > 0)
        self.register_buffer("class_weights", class_weights)
        term_weights = torch.tensor([config.terms[name] for name in self.terms])
        self.register_buffer("term_weights", term_weights, persistent=False)

    def divisors(self, mask: Tensor) -> Tensor:
        """What the sum of each term is divided by, so far as this part of the batch contributes to it.

        Args:
            mask: int64 (N,H,W) of train ids and the ignore index.

        Returns:
            float32 (T,): for `cross_entropy` and `focal` the total class weight of the labelled pixels, for
            the others the number of pictures that have a labelled pixel.
        """
        divisors = []
        for name in self.terms:
            if name not in _PER_PIXEL:
                divisors.append((mask != IGNORE_INDEX).flatten(1).any(1).sum())
            elif self.class_weights is None:
                divisors.append((mask != IGNORE_INDEX).count_nonzero())
            else:
                divisors.append(self._pixel_weights(mask).sum())
        return torch.stack([divisor.float() for divisor in divisors])

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        """The sum of each term over this part of the batch.

        Args:
            logits: (N,K,H,W); computed on in float32 whatever its type.
            mask: int64 (N,H,W) of train ids and the ignore index.

        Returns:
            float32 (T,), to be combined with the divisors of the whole batch; 0 with zero gradients where
            nothing is labelled.
        """
        logits = logits.float()
        return torch.stack([getattr(self, f"_{name}")(logits, mask) for name in self.terms])

    def combine(self, sums: Tensor, divisors: Tensor) -> Tensor:
        """The loss, or what a part of the batch adds to it.

        Args:
            sums: float32 (T,) of `forward`.
            divisors: float32 (T,) of the whole batch.

        Returns:
            A float32 scalar. A term whose divisor is 0 is 0, and so are its gradients.
        """
        # Over infinity both are exactly 0; over a small number, gradients that a scaler enlarged overflow.
        return (self.term_weights * sums / divisors.masked_fill(divisors == 0, math.inf)).sum()

    def _pixel_weights(self, mask: Tensor) -> Tensor:
        """The class weight of each pixel of `mask` (N,H,W), 0 where nothing is labelled; float32."""
        if self.class_weights is None:
            return (mask != IGNORE_INDEX).float()
        # One look into a table of all ids, ten times as fast as choosing the labelled pixels first.
        table = F.pad(self.class_weights, (0, IGNORE_INDEX + 1 - len(self.class_weights)))
        return table.index_select(0, mask.flatten()).view(mask.shape)

    def _cross_entropy(self, logits: Tensor, mask: Tensor) -> Tensor:
        # torch sums in a fixed order on CUDA only if it is not the loss's own kernel that does it.
        return F.cross_entropy(
            logits,
            mask,
            self.class_weights,
            ignore_index=IGNORE_INDEX,
            reduction="none",
            label_smoothing=self.config.label_smoothing,
        ).sum()

    def _focal(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Cross-entropy times (1 - p)^gamma, p the probability of the true class.

        Reference: Lin et al. 2017, arXiv 1708.02002, equation 5, with the class weight as alpha.
        """
        cost = _pixel_costs(logits, mask)
        # The slope of x^gamma at 0 is infinite for gamma < 1; below the clamp it is 0.
        wrong = (-torch.expm1(-cost)).clamp(min=torch.finfo(torch.float32).tiny)
        return (self._pixel_weights(mask) * wrong**self.config.focal_gamma * cost).sum()

    def _ohem(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Sum over pictures of the mean class-weighted cross-entropy of a picture's hard pixels.

        Hard are the labelled pixels whose true class has less than `ohem_threshold`, and in any case the
        `ohem_min_kept` x H x W pixels of the lowest such probability (all that equal the last of them too, so
        that no tie is broken by chance). As in HRNet the mean is over the number of pixels and not over
        their class weights; unlike there, hard pixels are sought in each picture and not in the batch, which
        parts and processes share out.

        Reference: HRNet/HRNet-Semantic-Segmentation, lib/core/criterion.py; Shrivastava et al. 2016, arXiv
        1604.03540, for the idea.
        """
        cost = _pixel_costs(logits, mask).flatten(1)
        labelled = (mask != IGNORE_INDEX).flatten(1)
        hardness = cost.detach().masked_fill(~labelled, -math.inf)
        hard = hardness > -math.log(self.config.ohem_threshold)
        if least := math.ceil(self.config.ohem_min_kept * hardness.shape[1]):
            hard |= hardness >= hardness.topk(least, sorted=False).values.amin(1, keepdim=True)
        hard &= labelled
        sums = (self._pixel_weights(mask).flatten(1) * cost * hard).sum(1)
        return (sums / hard.sum(1).clamp(min=1)).sum()

    def _dice(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Sum over pictures of 1 - the mean soft Dice of the classes that a picture's mask holds.

        The soft Dice of a class is 2 sum(p t) / (sum(p) + sum(t)) over the labelled pixels, p its probability
        and t 1 where it is true.

        Reference: Sudre et al. 2017, arXiv 1707.03237, section 2.1, without its smoothing constant: classes
        that are present need none.
        """
        labelled = (mask != IGNORE_INDEX)[:, None]
        truth = _one_hot(mask, logits.shape[1])
        probability = logits.softmax(1)
        area = truth.sum((2, 3))  # (N,K)
        overlap = (probability * truth).sum((2, 3))
        total = area + (probability * labelled).sum((2, 3))
        present = area > 0
        losses = (1 - 2 * overlap / total.masked_fill(~present, 1)) * present
        return (losses.sum(1) / present.sum(1).clamp(min=1)).sum()

    def _lovasz(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Sum over pictures of the Lovász-softmax loss over the classes that a picture's mask holds.

        Reference: Berman et al. 2018, arXiv 1705.08790, sections 2 and 3; `classes="present"` and
        `per_image=True` of its code.
        """
        # One picture at a time, because the sorted errors of all of them take much memory.
        return torch.stack([_lovasz_softmax(*pair) for pair in zip(logits, mask, strict=True)]).sum()


def _pixel_costs(logits: Tensor, mask: Tensor) -> Tensor:
    """-log of the probability of the true class of each pixel, 0 where nothing is labelled; (N,H,W)."""
    return F.cross_entropy(logits, mask, ignore_index=IGNORE_INDEX, reduction="none")


def _one_hot(mask: Tensor, num_classes: int) -> Tensor:
    """bool (N,K,H,W) of a mask (N,H,W); the ignore index is in no class."""
    return mask[:, None] == torch.arange(num_classes, device=mask.device)[:, None, None]


def _lovasz_softmax(logits: Tensor, mask: Tensor) -> Tensor:
    """The Lovász-softmax loss of one picture, 0 if nothing is labelled.

    With the errors of a class in falling order, the Lovász extension weighs each by what its pixel adds to
    the Jaccard loss 1 - I / U when one pixel after the other is taken for mistaken. A true pixel leaves U
    and lessens I by one, which adds 1 / U; another one enlarges U by one, which adds I / (U (U - 1)).

    Args:
        logits: float32 (K,H,W).
        mask: int64 (H,W).
    """
    truth = _one_hot(mask[None], len(logits))[0].flatten(1)  # (K, pixels)
    errors = (truth.float() - logits.softmax(0).flatten(1)).abs()
    # Where nothing is labelled the error is 0: last in order, so that it moves no other's weight.
    errors = errors * (mask != IGNORE_INDEX).flatten()
    with torch.no_grad():
        # As integers, which for floats of 0 or more keep the order, a CPU sorts three times as fast.
        order = torch.stack([row.argsort() for row in -errors.view(torch.int32)])
        is_true = truth.gather(1, order)
        # Counted in integers: a running sum of floats has no fixed order on CUDA.
        trues = is_true.cumsum(1, dtype=torch.int32)
        ranks = torch.arange(1, trues.shape[1] + 1, device=mask.device, dtype=torch.int32)
        area = trues[:, -1:]
        intersection, union = (area - trues).float(), (area + ranks - trues).float()
        by_false = intersection / (union * (union - 1)).clamp(min=1)
        added = torch.where(is_true, 1 / union.clamp(min=1), by_false)
        # The sorting is undone here, which spares its backward pass.
        weights = torch.empty_like(added).scatter_(1, order, added)
        present = (area[:, 0] > 0).float()
    return ((weights * errors).sum(1) * present).sum() / present.sum().clamp(min=1)
