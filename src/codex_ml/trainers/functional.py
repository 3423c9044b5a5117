"""The built-in trainer: a plain PyTorch loop."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from codex_addons.component import component
from codex_ml.errors import DataError, ModelError
from codex_ml.interfaces import Batch, Context
from codex_ml.trainers.divergence import diverged
from codex_ml.trainers.forward import Forward
from codex_ml.trainers.optimizer import adamw
from codex_ml.trainers.options import TrainerOptions
from codex_ml.trainers.pace import Pace
from codex_ml.trainers.schedules import factor

__all__ = ["functional"]

log = logging.getLogger(__name__)

# Seconds of training that are worth a checkpoint at its end, so that the measuring behind it can be repeated alone.
_WORTH_SAVING = 10.0


@component(config=TrainerOptions, checkpoints=True, requires=("torch",), extra="train")
def functional(context: Context, **options: Any) -> dict[str, Any]:
    """Trains the context's model with AdamW.

    The loss of an optimizer step is the mean over all targets of its `accumulate_steps` batches, however they are
    split; an epoch's last, incomplete group still makes a step. The validation records are measured every `eval_steps`
    or after each epoch, and at the end.

    Args:
        context: The run.
        **options: The options of `TrainerOptions`.

    Returns:
        `steps` and `epochs` done, and `records` seen.

    Raises:
        ValueError: An option is out of range.
        DataError: There are no training records.
        ModelError: The loss or its gradients are no longer finite, or no parameter can be trained.
    """
    config = TrainerOptions(**options)
    run = _Run(context, config)
    context.begin(run.pace.total_steps)
    context.model.train()
    for group in run.groups():
        if context.should_stop:
            log.info("asked to stop after step %d of %d", run.step, run.pace.total_steps)
            break
        run.take(group)
        run.report(group)
        if run.step == run.pace.total_steps:
            break
        if run.pace.evaluates(run.step):
            run.evaluate()
        run.save_if_due()
    if context.interrupted:
        run.save()
    else:
        run.finish()
    return {"steps": run.step, "epochs": run.step / run.pace.steps_per_epoch, "records": run.records}


class _Run:
    """Where a training stands."""

    def __init__(self, context: Context, config: TrainerOptions) -> None:
        if not len(context.train):
            raise DataError("there are no training records")
        self.context = context
        self.config = config
        self.pace = Pace.of(config, len(context.train))
        self.forward = Forward(context, config)
        self.optimizer = adamw(context.model, lr=config.lr, weight_decay=config.weight_decay)
        self.parameters = [each for group in self.optimizer.param_groups for each in group["params"]]
        self.step = 0
        self.records = 0
        self.lr = 0.0
        self.evaluated_at = 0
        self.logged_at = 0
        self.stale = 0
        self.loss: float | None = None
        self.unlogged_loss = 0.0
        self.unlogged_count = 0
        self.saved_at = time.monotonic()
        self._restore()

    def _restore(self) -> None:
        state = self.context.restore()
        if state is None:
            return
        self.optimizer.load_state_dict(state["optimizer"])
        self.forward.load_state(state["forward"])
        for name in _COUNTERS:
            setattr(self, name, state[name])
        self._stop_if_stale()

    def save_if_due(self) -> None:
        """Writes a checkpoint where steps or minutes say so."""
        steps, minutes = self.config.save_steps, self.config.save_minutes
        waited = time.monotonic() - self.saved_at
        if (steps and self.step % steps == 0) or (minutes and waited >= 60 * minutes):
            self.save()

    def save(self) -> None:
        """Writes a checkpoint."""
        counters = {name: getattr(self, name) for name in _COUNTERS}
        state = {"optimizer": self.optimizer.state_dict(), "forward": self.forward.state(), **counters}
        self.context.save(self.step, state, keep=self.config.keep_last or 1)
        self.saved_at = time.monotonic()

    def groups(self) -> Iterator[list[Batch]]:
        """The batches of each optimizer step from here on; without end."""
        size, epoch = self.config.accumulate_steps, self.step // self.pace.steps_per_epoch
        first = self.step % self.pace.steps_per_epoch * size
        # A run that was continued behind its last step.
        if self.step >= self.pace.total_steps:
            return
        while True:
            batches = self.context.batches(
                epoch,
                batch_size=self.config.batch_size,
                start=first,
                by_length=self.config.length_buckets,
                workers=self.config.workers,
            )
            group = list(islice(batches, size))
            if not group:
                raise DataError(f"epoch {epoch} has no batches, though there are {len(self.context.train)} records")
            while group:
                yield group
                group = list(islice(batches, size))
            epoch, first = epoch + 1, 0

    def take(self, group: Sequence[Batch]) -> None:
        """One optimizer step."""
        count = sum(batch.count for batch in group)
        self.lr = self.config.lr * factor(
            self.config.schedule, self.step, total_steps=self.pace.total_steps, warmup_steps=self.pace.warmup_steps
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
        self.forward.step(self.optimizer)
        self.loss = total / count
        self.unlogged_loss += total
        self.unlogged_count += count

    def _backward(self, batch: Batch, count: int) -> float:
        loss = self.forward.loss(batch)
        value = loss.item()
        if not math.isfinite(value):
            raise self._diverged(f"the loss is {value}", batch.ids)
        self.forward.backward(loss / count)
        return value

    def _clip(self, group: Sequence[Batch]) -> None:
        from torch.nn.utils import clip_grad_norm_

        if self.config.max_grad_norm is None:
            return
        self.forward.unscale(self.optimizer)
        norm = clip_grad_norm_(self.parameters, self.config.max_grad_norm).item()
        # The scaler of fp16 leaves such a step out, and scales the next one less.
        if not math.isfinite(norm) and not self.forward.scales:
            raise self._diverged(f"the gradients' norm is {norm}", [each for batch in group for each in batch.ids])

    def _diverged(self, what: str, ids: Sequence[str]) -> ModelError:
        return diverged(self.step, what, ids, self.config.lr)

    def report(self, group: Sequence[Batch]) -> None:
        """Tells the plugins of the step, and logs the mean loss since the last line."""
        values = {"lr": self.lr} if self.loss is None else {"loss": self.loss, "lr": self.lr}
        self.context.advance(self.step, records=sum(len(batch.ids) for batch in group), **values)
        if self.step % self.config.log_steps == 0:
            self._log()

    def _log(self) -> None:
        values = {"lr": self.lr, "epoch": self.step / self.pace.steps_per_epoch}
        if self.unlogged_count:
            values = {"loss": self.unlogged_loss / self.unlogged_count, **values}
        self.context.log(values, step=self.step)
        self.logged_at, self.unlogged_loss, self.unlogged_count = self.step, 0.0, 0

    def evaluate(self) -> None:
        """Measures the validation records, and asks the run to stop where they have not got better for long."""
        self.context.evaluate(step=self.step)
        self.context.model.train()
        self.evaluated_at = self.step
        self.stale = 0 if self.context.best_step == self.step else self.stale + 1
        self._stop_if_stale()

    def _stop_if_stale(self) -> None:
        if self.config.patience is not None and self.stale >= self.config.patience:
            log.info("no better value in %d measurements", self.stale)
            self.context.should_stop = True

    def finish(self) -> None:
        """Logs, saves and measures what the last steps left over."""
        if self.step > self.logged_at:
            self._log()
        if time.monotonic() - self.saved_at > _WORTH_SAVING:
            self.save()
        if self.step > self.evaluated_at:
            self.evaluate()


_COUNTERS = ("step", "records", "lr", "evaluated_at", "logged_at", "stale", "unlogged_loss", "unlogged_count")
