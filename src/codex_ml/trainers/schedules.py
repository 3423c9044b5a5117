"""Learning-rate schedules as pure functions, equal to those of transformers.

A step's rate follows from its number alone, so there is no state to save.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

__all__ = ["SCHEDULES", "Schedule", "factor", "warmup_length"]

Schedule = Literal["linear", "cosine", "constant"]
SCHEDULES: tuple[str, ...] = get_args(Schedule)


def warmup_length(warmup: float, total_steps: int) -> int:
    """The warm-up in steps: a fraction of all steps below 1 (rounded up), else a number of steps.

    A fraction never takes all steps: the rate of the first warm-up step is 0, so a run of one step would learn nothing.
    """
    if warmup >= 1:
        return int(warmup)
    return min(math.ceil(warmup * total_steps), max(0, total_steps - 1))


def factor(schedule: Schedule, step: int, *, total_steps: int, warmup_steps: int) -> float:
    """What the peak learning rate is multiplied by, 0 to 1.

    Args:
        schedule: After a linear warm-up from 0, `linear` falls to 0 in a line, `cosine` in half a cosine; `constant`
            stays at 1.
        step: How many steps are done, from 0.
        total_steps: The steps of the whole run.
        warmup_steps: The first of them, during which the rate rises.
    """
    if step < warmup_steps:
        return step / warmup_steps
    if schedule == "constant":
        return 1.0
    done = min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps))
    return 1.0 - done if schedule == "linear" else 0.5 * (1.0 + math.cos(math.pi * done))
