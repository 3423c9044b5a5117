"""The built-in trainer: a plain PyTorch loop."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeGuard

from codex_addons.component import component
from codex_ml.errors import DataError, ModelError
from codex_ml.interfaces import Batch, Context
from codex_ml.trainers.schedules import SCHEDULES, Schedule, factor, warmup_length

if TYPE_CHECKING:
    import torch

__all__ = ["FunctionalConfig", "functional"]

log = logging.getLogger(__name__)

SHOWN = 16
# More than any machine has cores; an operating system gives out only so many threads.
MOST_THREADS = 1024


@dataclass(frozen=True)
class FunctionalConfig:
    """The options of the trainer `functional`."""

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
    eval_steps: int | None = field(
        default=None, metadata={"help": "Measure the validation records every so many steps; null: after each epoch."}
    )
    log_steps: int = field(default=10, metadata={"help": "Write loss and rate every so many steps."})
    threads: int | None = field(
        default=None, metadata={"help": "CPU threads, set by the launcher before training; null: as torch chooses."}
    )

    def __post_init__(self) -> None:
        wrong = [*self._wrong_counts(), *self._wrong_values()]
        if wrong:
            raise ValueError("; ".join(wrong))

    def _wrong_counts(self) -> Iterator[str]:
        optional = ("max_steps", "eval_steps", "threads")
        for name in ("batch_size", "accumulate_steps", "log_steps", *optional):
            value = getattr(self, name)
            if value is None and name in optional:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                yield f"trainer.{name} must be a whole number, 1 or more, not {value!r}"
            elif name == "threads" and value > MOST_THREADS:
                yield f"trainer.threads must be at most {MOST_THREADS}, not {value}"

    def _wrong_values(self) -> Iterator[str]:
        for name, positive in _NUMBERS.items():
            value = getattr(self, name)
            if value is None and name == "max_grad_norm":
                continue
            if not _is_number(value) or value < 0 or (positive and not value):
                yield f"trainer.{name} must be a number {'above 0' if positive else '0 or more'}, not {value!r}"
            elif name == "warmup_steps" and value > 1 and value != int(value):
                yield f"trainer.warmup_steps must be a fraction below 1 or a whole number of steps, not {value!r}"
        if self.schedule not in SCHEDULES:
            yield f"trainer.schedule must be one of {', '.join(SCHEDULES)}, not {self.schedule!r}"


# Whether 0 is refused.
_NUMBERS = {"epochs": True, "lr": True, "max_grad_norm": True, "warmup_steps": False, "weight_decay": False}


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


@component(config=FunctionalConfig, requires=("torch",), extra="train")
def functional(context: Context, **options: Any) -> dict[str, Any]:
    """Trains the context's model with AdamW.

    The loss of an optimizer step is the mean over all targets of its `accumulate_steps` batches, however they are
    split; an epoch's last, incomplete group still makes a step. The validation records are measured every `eval_steps`
    or after each epoch, and at the end.

    Args:
        context: The run.
        **options: The options of `FunctionalConfig`.

    Returns:
        `steps` and `epochs` done, and `records` seen.

    Raises:
        ValueError: An option is out of range.
        DataError: There are no training records.
        ModelError: The loss or its gradients are no longer finite, or no parameter can be trained.
    """
    config = FunctionalConfig(**options)
    run = _Run(context, config)
    context.begin(run.total_steps)
    context.model.train()
    for group, epoch_ends in run.groups():
        if context.should_stop:
            log.info("asked to stop after step %d of %d", run.step, run.total_steps)
            break
        run.take(group)
        run.report(group)
        last = run.step == run.total_steps
        due = epoch_ends if config.eval_steps is None else run.step % config.eval_steps == 0
        if due and not last:
            run.evaluate()
        if last:
            break
    run.finish()
    return {"steps": run.step, "epochs": run.step / run.steps_per_epoch, "records": run.records}


class _Run:
    """Where a training stands."""

    def __init__(self, context: Context, config: FunctionalConfig) -> None:
        if not len(context.train):
            raise DataError("there are no training records")
        self.context = context
        self.config = config
        batches = math.ceil(len(context.train) / config.batch_size)
        self.steps_per_epoch = math.ceil(batches / config.accumulate_steps)
        # Rounded first: 0.07 * 100 is a little more than 7.
        by_epochs = max(1, math.ceil(round(config.epochs * self.steps_per_epoch, 6)))
        self.total_steps = config.max_steps or by_epochs
        self.warmup_steps = warmup_length(config.warmup_steps, self.total_steps)
        self.optimizer = _optimizer(context.model, config)
        self.parameters = [each for group in self.optimizer.param_groups for each in group["params"]]
        self.step = 0
        self.records = 0
        self.lr = 0.0
        self.evaluated_at = 0
        self.logged_at = 0
        self.loss: float | None = None
        self.unlogged_loss = 0.0
        self.unlogged_count = 0

    def groups(self) -> Iterator[tuple[list[Batch], bool]]:
        """The batches of each optimizer step, and whether they are the epoch's last; without end."""
        epoch = 0
        while True:
            batches = self.context.batches(epoch, batch_size=self.config.batch_size)
            group = list(islice(batches, self.config.accumulate_steps))
            if not group:
                raise DataError(f"epoch {epoch} has no batches, though there are {len(self.context.train)} records")
            while group:
                following = list(islice(batches, self.config.accumulate_steps))
                yield group, not following
                group = following
            epoch += 1

    def take(self, group: Sequence[Batch]) -> None:
        """One optimizer step."""
        count = sum(batch.count for batch in group)
        self.lr = self.config.lr * factor(
            self.config.schedule, self.step, total_steps=self.total_steps, warmup_steps=self.warmup_steps
        )
        self.step += 1
        self.records += sum(len(batch.ids) for batch in group)
        self.loss = None
        # Nothing to learn from: not even momentum and decay may move the weights.
        if not count:
            return
        self.optimizer.zero_grad(set_to_none=True)
        total = sum(self._backward(batch, count) for batch in group if batch.count)
        self._clip(group)
        for each in self.optimizer.param_groups:
            each["lr"] = self.lr
        self.optimizer.step()
        self.loss = total / count
        self.unlogged_loss += total
        self.unlogged_count += count

    def _backward(self, batch: Batch, count: int) -> float:
        loss = self.context.task.loss(self.context.model, batch)
        value = loss.item()
        if not math.isfinite(value):
            raise self._diverged(f"the loss is {value}", batch.ids)
        (loss / count).backward()
        return value

    def _clip(self, group: Sequence[Batch]) -> None:
        from torch.nn.utils import clip_grad_norm_

        if self.config.max_grad_norm is None:
            return
        norm = clip_grad_norm_(self.parameters, self.config.max_grad_norm).item()
        if not math.isfinite(norm):
            raise self._diverged(f"the gradients' norm is {norm}", [each for batch in group for each in batch.ids])

    def _diverged(self, what: str, ids: Sequence[str]) -> ModelError:
        more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
        return ModelError(
            f"step {self.step}: {what}, in the batch of the records {', '.join(ids[:SHOWN])}{more}; lower trainer.lr "
            f"(now {self.config.lr:g}), or look at these records"
        )

    def report(self, group: Sequence[Batch]) -> None:
        """Tells the plugins of the step, and logs the mean loss since the last line."""
        values = {"lr": self.lr} if self.loss is None else {"loss": self.loss, "lr": self.lr}
        self.context.advance(self.step, records=sum(len(batch.ids) for batch in group), **values)
        if self.step % self.config.log_steps == 0:
            self._log()

    def _log(self) -> None:
        values = {"lr": self.lr, "epoch": self.step / self.steps_per_epoch}
        if self.unlogged_count:
            values = {"loss": self.unlogged_loss / self.unlogged_count, **values}
        self.context.log(values, step=self.step)
        self.logged_at, self.unlogged_loss, self.unlogged_count = self.step, 0.0, 0

    def evaluate(self) -> None:
        """Measures the validation records."""
        self.context.evaluate(step=self.step)
        self.context.model.train()
        self.evaluated_at = self.step

    def finish(self) -> None:
        """Logs and measures what the last steps left over."""
        if self.step > self.logged_at:
            self._log()
        if self.step > self.evaluated_at:
            self.evaluate()


def _optimizer(model: Any, config: FunctionalConfig) -> torch.optim.Optimizer:
    import torch

    parameters = [each for each in model.parameters() if each.requires_grad]
    if not parameters:
        raise ModelError("the model has no parameter that can be trained")
    # One-dimensional parameters are biases and the scales of norms.
    groups = [
        {"params": [each for each in parameters if each.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [each for each in parameters if each.ndim < 2], "weight_decay": 0.0},
    ]
    fused = all(each.is_floating_point() and each.device.type in ("cpu", "cuda", "mps", "xpu") for each in parameters)
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=config.lr, fused=fused)
