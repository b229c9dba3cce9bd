"""Learning-rate schedules, as closed forms of the step.

A pure function of the step needs no state, so a resumed run cannot leave its schedule.
"""

from __future__ import annotations

import math

from seglab.config import ScheduleConfig

# Share of a one-cycle run in which the rate rises, and its first and last rate as shares of the peak
# (Smith and Topin 2018, arXiv 1708.07120; the values are torch's OneCycleLR defaults).
_RISE, _FIRST, _LAST = 0.3, 1 / 25, 1 / 25e4


def lr_factor(schedule: ScheduleConfig, step: int, total_steps: int, steps_per_epoch: int = 1) -> float:
    """The factor on the peak learning rate for one optimizer step.

    Args:
        schedule: Its kind and parameters.
        step: Number of steps done before this one, `0 .. total_steps-1`.
        total_steps: Steps of the whole phase.
        steps_per_epoch: Steps for which the factor stays, where it changes per epoch.

    Returns:
        A factor in [0, 1]. `poly` begins at 1 and is not yet 0 at the last step, as in Chen et al. 2017
        (DeepLab, section 4.1) and HRNet.
    """
    if step < schedule.warmup_steps:
        return (step + 1) / schedule.warmup_steps
    if schedule.per == "epoch":
        step = max(schedule.warmup_steps, step - step % steps_per_epoch)
    t = (step - schedule.warmup_steps) / max(1, total_steps - schedule.warmup_steps)
    if schedule.name == "poly":
        return (1 - t) ** schedule.power
    if schedule.name == "cosine":
        return _cosine(1, 0, t)
    if schedule.name == "onecycle":
        top = _RISE * total_steps - 1  # the step at which the rate is highest, as OneCycleLR counts
        if step <= top:
            return _cosine(_FIRST, 1, step / top)
        return _cosine(1, _LAST, (step - top) / (total_steps - 1 - top))
    return 1.0


def _cosine(start: float, end: float, t: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * t)) / 2
