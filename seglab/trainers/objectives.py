"""Training objectives: what is minimised, as a sum over pixels and the weight that it is divided by."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seglab.config import LossConfig
from seglab.labels import IGNORE_INDEX


class CrossEntropy(nn.Module):
    """Class-weighted cross-entropy over the labelled pixels, with label smoothing.

    Sum and divisor are separate, because a batch may be computed in parts and by several processes: only
    the sum of all parts over the sum of all divisors equals the loss of the whole batch. A batch without a
    labelled pixel has loss 0, where torch's mean would be NaN.

    Args:
        config: Label smoothing.
        class_weights: float32 (K,), or None for equal weights.
    """

    def __init__(self, config: LossConfig, class_weights: Tensor | None = None) -> None:
        super().__init__()
        self.label_smoothing = config.label_smoothing
        self.register_buffer("class_weights", class_weights)

    def divisor(self, mask: Tensor) -> Tensor:
        """Total weight of the labelled pixels of `mask` (N,H,W), a float32 scalar."""
        labelled = mask[mask != IGNORE_INDEX].long()
        if self.class_weights is None:
            return torch.tensor(float(labelled.numel()), device=mask.device)
        return self.class_weights[labelled].sum(dtype=torch.float32)

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Sum of the weighted losses of the labelled pixels.

        Args:
            logits: (N,K,H,W); computed on in float32 whatever its type.
            mask: int64 (N,H,W) of train ids and the ignore index.

        Returns:
            float32 scalar; divide by `divisor` of the whole batch.
        """
        return F.cross_entropy(
            logits.float(),
            mask,
            self.class_weights,
            ignore_index=IGNORE_INDEX,
            reduction="sum",
            label_smoothing=self.label_smoothing,
        )
