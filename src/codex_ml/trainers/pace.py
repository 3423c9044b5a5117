"""How many steps a training takes, and at which of them something is due: the same for both trainers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from codex_ml.trainers.options import TrainerOptions
from codex_ml.trainers.schedules import warmup_length

__all__ = ["Pace"]


@dataclass(frozen=True)
class Pace:
    """The steps of a training.

    Attributes:
        batches: How many batches an epoch has.
        steps_per_epoch: How many optimizer steps; an epoch's last, incomplete group of batches still makes one.
        total_steps: The steps of the whole run.
        warmup_steps: The first of them, during which the rate rises.
        eval_steps: The validation records are measured every so many steps.
    """

    batches: int
    steps_per_epoch: int
    total_steps: int
    warmup_steps: int
    eval_steps: int

    @classmethod
    def of(cls, options: TrainerOptions, examples: int) -> Pace:
        """The pace of a trainer's options over so many examples, one at the least."""
        batches = math.ceil(examples / options.batch_size)
        epoch = math.ceil(batches / options.accumulate_steps)
        # Rounded first: 0.07 * 100 is a little more than 7.
        total = options.max_steps or max(1, math.ceil(round(options.epochs * epoch, 6)))
        return cls(batches, epoch, total, warmup_length(options.warmup_steps, total), options.eval_steps or epoch)

    def evaluates(self, step: int) -> bool:
        """Whether the validation records are measured after a step; at the end they are in any case."""
        return step % self.eval_steps == 0
