"""The options that both trainers have, under the same names and with the same meaning."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, TypeGuard, get_args

from codex_ml.trainers.schedules import SCHEDULES, Schedule

__all__ = ["Precision", "TrainerOptions"]

Precision = Literal["fp32", "bf16", "fp16"]

# More than any machine has cores; an operating system gives out only so many threads.
MOST_THREADS = 1024


@dataclass(frozen=True)
class TrainerOptions:
    """How long to train, how fast, and how often to measure, log and save."""

    epochs: float = field(default=1, metadata={"help": "Passes over the training records; may be a fraction."})
    max_steps: int | None = field(
        default=None, metadata={"help": "Optimizer steps to train for, however many epochs they take; null: by epochs."}
    )
    batch_size: int = field(default=16, metadata={"help": "Records in a forward pass."})
    lr: float = field(default=5e-5, metadata={"help": "Peak learning rate."})
    schedule: Schedule = field(default="linear", metadata={"help": "How the rate falls after the warm-up."})
    warmup_steps: float = field(
        default=0.06, metadata={"help": "Steps until the peak rate; below 1 a fraction of all steps."}
    )
    weight_decay: float = field(
        default=0.01, metadata={"help": "AdamW's decay of weight matrices; biases and norms have none."}
    )
    accumulate_steps: int = field(default=1, metadata={"help": "Batches whose gradients make one optimizer step."})
    max_grad_norm: float | None = field(
        default=1.0, metadata={"help": "Gradients are scaled down to this norm; null: never."}
    )
    precision: Precision = field(
        default="fp32", metadata={"help": "bf16, fp16: autocast of the forward pass; the weights keep their format."}
    )
    gradient_checkpointing: bool = field(
        default=False, metadata={"help": "Compute activations again in the backward pass: less memory, a third slower."}
    )
    compile: bool = field(default=False, metadata={"help": "Compile the model with torch.compile first."})
    length_buckets: bool = field(
        default=False, metadata={"help": "Batches of records of like length: less padding, in an order less random."}
    )
    workers: int = field(default=0, metadata={"help": "Processes that make batches ahead of the training; 0: none."})
    eval_steps: int | None = field(
        default=None, metadata={"help": "Measure the validation records every so many steps; null: after each epoch."}
    )
    patience: int | None = field(
        default=None, metadata={"help": "Stop after so many measurements without a better one; null: never."}
    )
    log_steps: int = field(default=10, metadata={"help": "Write loss and rate every so many steps."})
    save_steps: int | None = field(default=None, metadata={"help": "Write a checkpoint every so many steps."})
    save_minutes: float | None = field(
        default=5.0,
        metadata={"help": "Write a checkpoint when so many minutes have gone by since the last; null: never."},
    )
    keep_last: int = field(
        default=0, metadata={"help": "Checkpoints kept when the run is completed; 0: none, and one until then."}
    )
    threads: int | None = field(
        default=None, metadata={"help": "CPU threads, set by the launcher before training; null: as torch chooses."}
    )

    def __post_init__(self) -> None:
        wrong = [*self._wrong_counts(), *self._wrong_values()]
        if wrong:
            raise ValueError("; ".join(wrong))

    def _wrong_counts(self) -> Iterator[str]:
        for name, least in _COUNTS.items():
            value = getattr(self, name)
            if value is None and name in _OPTIONAL:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                yield f"trainer.{name} must be a whole number, {least} or more, not {value!r}"
            elif name == "threads" and value > MOST_THREADS:
                yield f"trainer.threads must be at most {MOST_THREADS}, not {value}"

    def _wrong_values(self) -> Iterator[str]:
        for name, positive in _NUMBERS.items():
            value = getattr(self, name)
            if value is None and name in _OPTIONAL:
                continue
            if not _is_number(value) or value < 0 or (positive and not value):
                yield f"trainer.{name} must be a number {'above 0' if positive else '0 or more'}, not {value!r}"
            elif name == "warmup_steps" and value > 1 and value != int(value):
                yield f"trainer.warmup_steps must be a fraction below 1 or a whole number of steps, not {value!r}"
        for name, known in {"schedule": SCHEDULES, "precision": get_args(Precision)}.items():
            if getattr(self, name) not in known:
                yield f"trainer.{name} must be one of {', '.join(known)}, not {getattr(self, name)!r}"


# The least that is allowed.
_COUNTS = {
    "max_steps": 1,
    "batch_size": 1,
    "accumulate_steps": 1,
    "workers": 0,
    "eval_steps": 1,
    "patience": 1,
    "log_steps": 1,
    "save_steps": 1,
    "keep_last": 0,
    "threads": 1,
}
# Whether 0 is refused.
_NUMBERS = {
    "epochs": True,
    "lr": True,
    "max_grad_norm": True,
    "warmup_steps": False,
    "weight_decay": False,
    "save_minutes": True,
}
_OPTIONAL = ("max_steps", "eval_steps", "patience", "save_steps", "save_minutes", "threads", "max_grad_norm")


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
