"""A `transformers.Trainer` that gets its batches, loss and checkpoints from the run; imported when it trains."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.utils import logging as chatter

from codex_ml.errors import ModelError
from codex_ml.interfaces import Batch, Context
from codex_ml.trainers.divergence import diverged
from codex_ml.trainers.hf_trainer import HfTrainerOptions
from codex_ml.trainers.optimizer import adamw
from codex_ml.trainers.pace import Pace
from codex_ml.trainers.ready import make_ready
from codex_ml.trainers.schedules import factor

__all__ = ["train"]


def train(context: Context, config: HfTrainerOptions) -> dict[str, Any]:
    """Trains; see `hf_trainer`."""
    pace = Pace.of(config, len(context.train))
    make_ready(context, config)
    optimizer = adamw(context.model, lr=config.lr, weight_decay=config.weight_decay)

    def rate(step: int) -> float:
        return factor(config.schedule, step, total_steps=pace.total_steps, warmup_steps=pace.warmup_steps)

    state = context.restore()
    level = chatter.get_verbosity()
    chatter.set_verbosity_error()
    try:
        arguments = _arguments(context, config, pace)
        # The library seeds torch once more when it is set up, with which dropout would differ from the other trainer's.
        drawn = torch.get_rng_state()
        loop = _Loop(context, config, pace, args=arguments, optimizers=(optimizer, LambdaLR(optimizer, rate)))
        torch.set_rng_state(drawn)
        if state is not None:
            loop.take_up(state)
        if loop.watch.step < pace.total_steps:
            context.begin(pace.total_steps)
            loop.train(resume_from_checkpoint=None if state is None else str(_folder(context, state["step"])))
    finally:
        chatter.set_verbosity(level)
    if not context.interrupted:
        loop.watch.finish()
    return {"steps": loop.watch.step, "epochs": loop.watch.step / pace.steps_per_epoch, "records": loop.watch.records}


def _folder(context: Context, step: int) -> Path:
    return context.folder / "checkpoints" / f"checkpoint-{step}"


def _arguments(context: Context, config: HfTrainerOptions, pace: Pace) -> TrainingArguments:
    kind = context.device.partition(":")[0]
    own: dict[str, Any] = {
        "output_dir": str(context.folder / "checkpoints"),
        "max_steps": pace.total_steps,
        "per_device_train_batch_size": config.batch_size,
        "gradient_accumulation_steps": config.accumulate_steps,
        "max_grad_norm": config.max_grad_norm or 0.0,
        "bf16": config.precision == "bf16",
        "fp16": config.precision == "fp16",
        "use_cpu": kind == "cpu",
        "seed": context.seed % 2**32,
        # Decided by the watch below, at the same steps as in the other trainer.
        "save_strategy": "no",
        "eval_strategy": "no",
        "logging_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
        "remove_unused_columns": False,
    }
    try:
        return TrainingArguments(**{**config.args, **own})
    except (ValueError, TypeError) as error:
        raise ModelError(f"trainer.args: {' '.join(str(error).split())}") from error


class _Loop(Trainer):
    """The library's loop over the run's batches."""

    def __init__(self, context: Context, config: HfTrainerOptions, pace: Pace, **options: Any) -> None:
        self.context, self.config, self.pace = context, config, pace
        self.watch = _Watch(self)
        self._batches: Iterator[Batch] = iter(())
        self._next: tuple[int, int] | None = None
        # The dataset is there for its length: the batches come from the run.
        super().__init__(model=context.model, train_dataset=range(len(context.train)), **options)  # pyright: ignore
        for callback in list(self.callback_handler.callbacks):
            if type(callback).__name__ == "PrinterCallback":
                self.remove_callback(callback)
        self.add_callback(self.watch)
        # The loss is divided by all targets of a step, below.
        self.loss_is_scaled_for_ga = True

    def take_up(self, state: dict[str, Any]) -> None:
        """Takes up the counters of a checkpoint."""
        self.watch.load(state)

    def get_train_dataloader(self) -> DataLoader[Any]:
        """The numbers of an epoch's batches; the library can leave some out without making them."""
        return DataLoader(
            range(self.pace.batches),  # pyright: ignore[reportArgumentType]
            batch_size=1,
            collate_fn=lambda numbers: numbers[0],
            generator=torch.Generator(),
        )

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: Any) -> tuple[list[Any], Any]:
        """The batches of a step, and all its targets."""
        numbers, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
        batches = [self._batch(self.state.global_step // self.pace.steps_per_epoch, number) for number in numbers]
        self.watch.batches = batches
        return [{"batch": batch} for batch in batches], max(1, sum(batch.count for batch in batches))

    def _batch(self, epoch: int, number: int) -> Batch:
        if self._next != (epoch, number):
            self._batches = self.context.batches(
                epoch,
                batch_size=self.config.batch_size,
                start=number,
                by_length=self.config.length_buckets,
                workers=self.config.workers,
            )
        self._next = (epoch, number + 1)
        return next(self._batches)

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: Any) -> None:
        # Counted from the batches themselves, of which the library sees the numbers alone.
        return None

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The summed loss of a batch over all targets of the step."""
        batch = inputs["batch"]
        loss = self.context.task.loss(model, batch)
        value = loss.item()
        if not math.isfinite(value):
            raise diverged(self.watch.step + 1, f"the loss is {value}", batch.ids, self.config.lr)
        self.watch.loss += value
        return loss / num_items_in_batch

    def floating_point_ops(self, inputs: Any) -> int:
        """Not counted."""
        return 0

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Leaves the weights to the run's checkpoint, which keeps them whole for any model."""
        Path(output_dir or self.args.output_dir or ".").mkdir(parents=True, exist_ok=True)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        # The run restored the weights already.
        return


class _Watch(TrainerCallback):
    """Logs, measures and saves at the same steps as the trainer `functional`."""

    def __init__(self, loop: _Loop) -> None:
        self.loop = loop
        self.batches: list[Batch] = []
        self.loss = 0.0
        self.step = self.records = 0
        self.evaluated_at = self.logged_at = self.stale = 0
        self.unlogged_loss = 0.0
        self.unlogged_count = 0
        self.saved_at = time.monotonic()

    _KEPT = ("step", "records", "evaluated_at", "logged_at", "stale", "unlogged_loss", "unlogged_count")

    def load(self, state: dict[str, Any]) -> None:
        """Takes up the counters of a checkpoint."""
        for name in self._KEPT:
            setattr(self, name, state[name])

    def on_step_end(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
        """Counts, logs, measures; says whether to save and to stop."""
        context, config, pace = self.loop.context, self.loop.config, self.loop.pace
        count = sum(batch.count for batch in self.batches)
        records = sum(len(batch.ids) for batch in self.batches)
        self.step, self.records = state.global_step, self.records + records
        self.unlogged_loss, self.unlogged_count = self.unlogged_loss + self.loss, self.unlogged_count + count
        rate = self._rate(self.step - 1)
        context.advance(self.step, records=records, loss=self.loss / max(1, count), lr=rate)
        self.loss = 0.0
        if self.step % config.log_steps == 0:
            self._log()
        if self.step < pace.total_steps and pace.evaluates(self.step):
            self.evaluate()
        waited = time.monotonic() - self.saved_at
        due = (config.save_steps and self.step % config.save_steps == 0) or (
            config.save_minutes and waited >= 60 * config.save_minutes
        )
        control.should_save = bool(due and self.step < pace.total_steps) or context.interrupted
        if context.should_stop:
            control.should_training_stop = True

    def on_save(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
        """Completes the checkpoint that the library has written."""
        context = self.loop.context
        kept = {name: getattr(self, name) for name in self._KEPT}
        folder = _folder(context, state.global_step)
        context.adopt(folder, kept, keep=self.loop.config.keep_last or 1)
        self.saved_at = time.monotonic()

    def evaluate(self) -> None:
        """Measures the validation records."""
        context, patience = self.loop.context, self.loop.config.patience
        context.evaluate(step=self.step)
        self.evaluated_at = self.step
        self.stale = 0 if context.best_step == self.step else self.stale + 1
        if patience is not None and self.stale >= patience:
            context.should_stop = True

    def finish(self) -> None:
        """Logs and measures what the last steps left over."""
        if self.step > self.logged_at:
            self._log()
        if self.step > self.evaluated_at:
            self.evaluate()

    def _rate(self, step: int) -> float:
        config, pace = self.loop.config, self.loop.pace
        part = factor(config.schedule, step, total_steps=pace.total_steps, warmup_steps=pace.warmup_steps)
        return config.lr * part

    def _log(self) -> None:
        values = {"lr": self._rate(self.step - 1), "epoch": self.step / self.loop.pace.steps_per_epoch}
        if self.unlogged_count:
            values = {"loss": self.unlogged_loss / self.unlogged_count, **values}
        self.loop.context.log(values, step=self.step)
        self.logged_at, self.unlogged_loss, self.unlogged_count = self.step, 0.0, 0
