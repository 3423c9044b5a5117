"""A run's parts, each built when it is first asked for."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from codex_ml.errors import CodexError, ConfigError, ModelError, Problem
from codex_ml.interfaces import Example, Task
from codex_ml.launch.assembly import Assembly, Component
from codex_ml.launch.blame import blame, label
from codex_ml.launch.building import NO_TOKENIZER, build_model, build_tokenizer, resolve_device, vocabulary
from codex_ml.launch.evaluation import Scores, input_of, measure, refusals, unfit
from codex_ml.launch.examples import examples_of
from codex_ml.launch.export import WEIGHTS_FILE, read_weights
from codex_ml.launch.left_out import QUARANTINE_FILE, Quarantine
from codex_ml.launch.seeding import seed_everything, undisturbed
from codex_ml.launch.splits import Split, splits
from codex_ml.launch.trial import check_vocabulary, trial
from codex_ml.launch.weights import held_by_factory

__all__ = ["Parts"]

BATCH_SIZE = 16

logger = logging.getLogger(__name__)


class Parts:
    """Task, records, tokenizer, model and examples of a run.

    Whatever is asked for first, they are built in one order: task, records, `task.fit`, the named tokenizer, the model,
    the trial; and each right after seeding from (seed, kind).

    Attributes:
        assembly: The run's parts by name.
        folder: The run's folder.
        seed: The run's seed.
    """

    def __init__(self, assembly: Assembly, folder: Path) -> None:
        self.assembly = assembly
        self.folder = Path(folder)
        self.seed = assembly.seed
        self._examples: dict[str, Sequence[Example]] = {}

    @cached_property
    def splits(self) -> dict[str, Split]:
        """The splits by name."""
        return splits(self.assembly, self._unfitted, Quarantine(self.folder))

    @cached_property
    def _unfitted(self) -> Any:
        component = self.assembly.task
        seed_everything(self.seed, "task")
        with blame(component):
            return component.factory(**component.options)

    @cached_property
    def task_state(self) -> dict[str, Any]:
        """What the task learnt from the training records, those of the run that the weights are from where they are."""
        weights = self.assembly.weights
        if weights is not None:
            with blame(self.assembly.task, f"on what it learnt for {weights.folder}"):
                self._unfitted.load(weights.task_state)
            return dict(weights.task_state)
        with blame(self.assembly.task, "on fitting the training records"):
            state = self._unfitted.fit(self.splits["train"])
        if not isinstance(state, Mapping | None):
            raise CodexError(f"{label(self.assembly.task)}: fit returned a {type(state).__name__}, not a dict")
        return dict(state or {})

    @cached_property
    def task(self) -> Task:
        """The task, fitted."""
        _ = self.task_state
        return self._unfitted

    @cached_property
    def device(self) -> str:
        """The torch device."""
        return resolve_device(self.assembly.model)

    @cached_property
    def _named_tokenizer(self) -> Any:
        component = self.assembly.tokenizer
        _ = self.task
        if component is None:
            return None
        seed_everything(self.seed, "tokenizer")
        return build_tokenizer(component)

    @cached_property
    def head(self) -> dict[str, Any]:
        """What the model is asked to provide."""
        with blame(self.assembly.task):
            head = dict(self.task.head())
        return head | vocabulary(self._named_tokenizer)

    @cached_property
    def _built(self) -> tuple[Any, Any]:
        head = self.head
        seed_everything(self.seed, "model")
        model, tokenizer = build_model(self.assembly.model, head=head, device=self.device)
        weights = self.assembly.weights
        if weights is not None and not held_by_factory(self.assembly.model, weights):
            read_weights(model, weights.folder / WEIGHTS_FILE)
        return model, tokenizer

    @cached_property
    def tokenizer(self) -> Any:
        """The named tokenizer, or the one that the model's factory made.

        Raises:
            ModelError: There is neither.
        """
        tokenizer = self._built[1] if self._named_tokenizer is None else self._named_tokenizer
        if tokenizer is None:
            raise ModelError(NO_TOKENIZER.format(model=label(self.assembly.model)))
        return tokenizer

    @cached_property
    def model(self) -> Any:
        """The model on its device, after a trial with one record.

        Raises:
            ModelError: It doesn't fit the task or the tokenizer.
        """
        model, parts = self._built[0], self.assembly
        if parts.mode != "train":
            check_vocabulary(model, self.tokenizer, None, parts.model)
            return model
        with undisturbed():
            trial(
                self.splits["train"],
                task=self.task,
                task_component=parts.task,
                model=model,
                model_component=parts.model,
                tokenizer=self.tokenizer,
                device=self.device,
            )
        return model

    def examples(self, split: str) -> Sequence[Example]:
        """The examples of a split that the run has."""
        if split not in self._examples:
            # What tokenising draws, once and never again with a warm cache, must not shift what training draws.
            with undisturbed():
                self._examples[split] = examples_of(
                    self.splits[split],
                    self.assembly,
                    task=self.task,
                    task_state=self.task_state,
                    tokenizer=self.tokenizer,
                )
                # A warm cache is no reading of the records; their number is told nevertheless.
                self.splits[split].count()
                self._tell_skipped(self.splits[split])
        return self._examples[split]

    def _tell_skipped(self, split: Split) -> None:
        if split.skipped:
            kept = f"; they are in {QUARANTINE_FILE}" if (self.folder / QUARANTINE_FILE).exists() else ""
            rows = "row" if split.skipped == 1 else "rows"
            logger.warning(
                "%s: %d %s left out, the first: %s%s", split.name, split.skipped, rows, split.first_skipped, kept
            )

    def input_of(self, metric: Component) -> str:
        """Which of the task's outputs a metric of the run scores."""
        return input_of(metric, self._unfitted)

    def counts(self) -> dict[str, dict[str, int | None]]:
        """The `records` of each split and its `skipped` rows; None where they were not read to the end."""
        # Not built by the question: it is asked of failed runs as well.
        found: dict[str, Split] = vars(self).get("splits", {})
        return {name: {"records": split.records, "skipped": split.skipped} for name, split in found.items()}

    def prepare(self) -> None:
        """Builds everything, so that what is wrong is found before training.

        Raises:
            ConfigError: The task cannot feed a metric.
            CodexError: What building each part raises.
        """
        misfits = [unfit(metric, self._unfitted) for metric in self.assembly.metrics]
        if problems := [Problem(why) for why in misfits if why]:
            raise ConfigError(problems)
        told = refusals(self.assembly.metrics, self._unfitted, self.task_state.get("labels"))
        if problems := [Problem(why) for why in told]:
            raise ConfigError(problems)
        _ = self.model
        for name in self.splits:
            if name in self._used:
                self.examples(name)

    @property
    def _used(self) -> Sequence[str]:
        """The splits that a run of this mode reads."""
        final = self.final_split
        measured = [final] if final and self.assembly.metrics else []
        if self.assembly.mode == "train":
            return list(self.splits) if self.assembly.metrics else ["train"]
        return ["test"] if self.assembly.mode == "predict" else measured

    @property
    def final_split(self) -> str | None:
        """The split that the record's metrics are measured on; None where there is none."""
        return next((name for name in ("test", "validation") if name in self.splits), None)

    @property
    def batch_size(self) -> int:
        """The trainer's own option `batch_size`, else 16."""
        return self.assembly.trainer.options.get("batch_size") or BATCH_SIZE

    def measure(self, split: str, *, errors: bool = False) -> Scores:
        """The metrics of a split, and with `errors` how far each may be off; the model's mode stays as it is."""
        return measure(
            self.assembly.metrics,
            self.examples(split),
            task=self.task,
            task_component=self.assembly.task,
            model=self.model,
            tokenizer=self.tokenizer,
            device=self.device,
            batch_size=2 * self.batch_size,
            seed=self.seed if errors else None,
        )
