"""Optimizers and the moving average of the weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from seglab.config import OptimizerConfig


def build_optimizer(
    model: nn.Module, config: OptimizerConfig, lr: float, weight_decay: float
) -> torch.optim.Optimizer:
    """The optimizer over all parameters that are trained, with a phase's rate and decay.

    Weight decay acts on the weights of convolutions alone: on biases and normalisation scales it only
    shrinks what has no scale to regularise (He et al. 2019, arXiv 1812.01187, section 3.1).
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if config.name == "sgd":
        return torch.optim.SGD(groups, lr=lr, momentum=config.momentum, fused=True)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[config.name]
    return kind(groups, lr=lr, betas=(config.momentum, 0.999), fused=True)


def moving_average(model: nn.Module, decay: float) -> AveragedModel:
    """An exponential moving average of weights and buffers.

    The decay of update n is min(decay, (1 + n) / (10 + n)), so that a short run is not held back by its
    random start.
    """

    def update(averaged: list[Tensor], current: list[Tensor], count: Tensor) -> None:
        # In tensor arithmetic on the device: reading `count` here would wait for the device at each step.
        if not averaged[0].is_floating_point():
            torch._foreach_copy_(averaged, current)
            return
        weight = 1 - torch.clamp((1 + count) / (10 + count), max=decay)
        difference = torch._foreach_sub(current, averaged)
        torch._foreach_mul_(difference, weight.to(averaged[0].device))
        torch._foreach_add_(averaged, difference)

    return AveragedModel(model, multi_avg_fn=update, use_buffers=True)
