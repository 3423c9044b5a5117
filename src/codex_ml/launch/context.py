"""What a trainer works with: a run's parts, and everything that it says, keeps and saves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from codex_ml.interfaces import Batch, Example, Task
from codex_ml.launch.assembly import Assembly
from codex_ml.launch.batches import batches, chunks, lengths_of
from codex_ml.launch.best import Best, objective_metric
from codex_ml.launch.callbacks import Callbacks
from codex_ml.launch.parts import Parts
from codex_ml.launch.record import MetricsLog
from codex_ml.launch.resumption import Resumption
from codex_ml.launch.seeding import undisturbed
from codex_ml.launch.termination import Termination

__all__ = ["RunContext"]


class RunContext:
    """A run, as `codex_ml.interfaces.Context` shows it to a trainer.

    Attributes:
        parts: What it is made of, each built when it is first asked for.
        folder: The run's folder.
        seed: The run's seed.
        callbacks: Who is told what happens.
        best: The best weights so far.
        step: The last step that was told of.
        began: Whether `begin` was called.
        evaluated: Whether the validation records were measured.
        resumption: The checkpoints, and where the run was continued.
        metrics_log: `metrics.jsonl`.
    """

    def __init__(
        self,
        assembly: Assembly,
        folder: Path,
        *,
        callbacks: Callbacks | None = None,
        termination: Termination | None = None,
        resume: bool = False,
    ) -> None:
        self.parts = Parts(assembly, folder)
        self.folder = Path(folder)
        self.seed = assembly.seed
        self.callbacks = callbacks or Callbacks()
        self.best = Best(self.folder, objective_metric(assembly))
        self.step = 0
        self.began = False
        self.evaluated = False
        self.resumption = Resumption(self.folder, resume=resume)
        self.metrics_log = MetricsLog(self.folder, fresh=not self.resumption.possible)
        self._termination = termination or Termination()
        self._stop = False

    @property
    def model(self) -> Any:
        """The model on its device."""
        return self.parts.model

    @property
    def tokenizer(self) -> Any:
        """The tokenizer."""
        return self.parts.tokenizer

    @property
    def task(self) -> Task:
        """The task, fitted."""
        return self.parts.task

    @property
    def device(self) -> str:
        """The torch device."""
        return self.parts.device

    @property
    def train(self) -> Sequence[Example]:
        """The training examples."""
        return self.parts.examples("train")

    def batches(
        self,
        epoch: int,
        *,
        batch_size: int | None = None,
        start: int = 0,
        by_length: bool = False,
        workers: int = 0,
    ) -> Iterator[Batch]:
        """The training batches of an epoch, on the device; the last may be short.

        Args:
            epoch: Which one, from 0.
            batch_size: Records a batch; the trainer's own option when left out.
            start: How many batches to leave out at the beginning, which costs nothing.
            by_length: Whether records of like length stand together.
            workers: Processes that make batches ahead.
        """
        model, examples, size = self.model, self.train, batch_size or self.parts.batch_size
        del model  # asked for so that the trial comes before the first batch
        lengths = lengths_of(examples) if by_length else None
        picked = chunks(len(examples), seed=self.seed, epoch=epoch, size=size, lengths=lengths)[start:]
        made = batches(examples, picked, task=self.task, tokenizer=self.tokenizer, epoch=epoch, workers=workers)
        for batch in made:
            yield batch.to(self.device)

    def restore_best(self) -> bool:
        """Loads the best weights so far into the model; returns whether there were any."""
        return self.best.restore(self.model)

    def save(self, step: int, state: Mapping[str, Any], *, keep: int = 1) -> bool:
        """Writes a checkpoint of everything that the run depends on, and of the trainer's own state.

        Args:
            step: The step it is of.
            state: What the trainer needs to go on: a nest of mappings, lists, tensors and plain values.
            keep: How many checkpoints to keep.

        Returns:
            Whether it was written; it isn't on a disk that is full, and the run goes on.
        """
        return self.resumption.save(self, step, state, keep=keep)

    def adopt(self, folder: Path, state: Mapping[str, Any], *, keep: int = 1) -> bool:
        """Completes a checkpoint that a library began, in `checkpoints/checkpoint-<step>`; otherwise as `save`."""
        return self.resumption.adopt(self, folder, state, keep=keep)

    def restore(self) -> dict[str, Any] | None:
        """Puts the run back where its newest complete checkpoint was written.

        Returns:
            The trainer's own state, as it was given to `save`; None where the run starts from the beginning.

        Raises:
            CodexError: The checkpoint's files were changed.
        """
        state = self.resumption.restore(self)
        if state is not None:
            self.step, self.evaluated = self.resumption.step or 0, self.resumption.evaluated
        return state

    def evaluate(self, *, step: int) -> dict[str, float]:
        """Measures the validation records, logs it as `validation/<metric>` and keeps the best weights.

        Returns:
            The metrics by key; empty when there are no validation records or no metrics.
        """
        self.step = max(self.step, step)
        if "validation" not in self.parts.splits or not self.parts.assembly.metrics:
            return {}
        with undisturbed():
            metrics = self.parts.measure("validation").values
            self.evaluated = True
            self.best.offer(self.model, metrics, step=step)
            self.report("validation", metrics, step=step)
        return metrics

    def report(self, split: str, metrics: Mapping[str, float], *, step: int) -> None:
        """Logs a split's metrics as `<split>/<metric>`, and tells the plugins."""
        self.log({f"{split}/{name}": value for name, value in metrics.items()}, step=step)
        self.callbacks.emit("on_evaluate", step, split, dict(metrics))

    def log(self, values: Mapping[str, float], *, step: int) -> None:
        """Writes a line to `metrics.jsonl` and tells the plugins."""
        numbers = {name: float(value) for name, value in values.items()}
        self.metrics_log.write(step, numbers)
        self.callbacks.emit("on_log", step, numbers)

    def begin(self, total_steps: int) -> None:
        """Tells the plugins that training starts."""
        self.began = True
        self.callbacks.emit("on_train_start", total_steps)

    def advance(self, step: int, *, records: int = 0, **values: float) -> None:
        """Tells the plugins that a step is done."""
        self.step = max(self.step, step)
        self.callbacks.emit("on_step", step, records, values)

    @property
    def best_step(self) -> int | None:
        """The step of the best weights so far; None where there are none."""
        return self.best.step

    @property
    def interrupted(self) -> bool:
        """Whether the process was told to end (Ctrl-C, SIGTERM), and waits for the step at hand to be done."""
        return self._termination.asked is not None

    @property
    def should_stop(self) -> bool:
        """Whether to end early: interrupted, or asked by a plugin's attribute of this name, or by who sets it here."""
        return self._stop or self.interrupted or self.callbacks.should_stop

    @should_stop.setter
    def should_stop(self, value: bool) -> None:
        self._stop = value

    def close(self) -> None:
        """Closes `metrics.jsonl`."""
        self.metrics_log.close()
