"""What each kind of component is called with and must return.

These are protocols: a plugin needs no import from this package, only the right shape. A component may declare itself
by attributes: `__codex_api__ = "v1"`, `__codex_config__` (a dataclass of its options) and `__codex_meta__` (a mapping;
`requires` names the distributions it imports, `input`, `greater_is_better` and `scale` describe a metric, `head` is
what a task needs of a model and `heads` what a model has, `files` names options that are data files, `observer` marks
a plugin that changes nothing in the result).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from codex_ml.lifecycle import LIFECYCLE, Callback
from codex_ml.logits import logits_of

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "LIFECYCLE",
    "Answering",
    "BadRow",
    "Batch",
    "Callback",
    "Context",
    "DataLoader",
    "Metric",
    "ModelFactory",
    "Sample",
    "Task",
    "TokenizerFactory",
    "Trainer",
    "logits_of",
]

Record = dict[str, Any]
Example = dict[str, Any]


@dataclass(frozen=True)
class BadRow:
    """A row that a data loader could make no record of, and went on.

    Attributes:
        place: The file's path or URL.
        line: The line it starts on, or the row's number, from 1.
        reason: What is wrong with it.
        raw: The row as it stands in the file.
    """

    place: str
    line: int
    reason: str
    raw: bytes


@dataclass(frozen=True)
class Batch:
    """What one forward pass needs.

    Attributes:
        inputs: Keyword arguments of the model's forward, tensors of shape [batch, ...]; never the labels.
        labels: int64 targets, [batch] or [batch, length], -100 where ignored; None when there are none.
        ids: The records' ids, as many as records.
        count: How many targets are not ignored.
        extra: Whatever the task's predict needs besides (references).
    """

    inputs: dict[str, Any]
    labels: Tensor | None
    ids: list[str]
    count: int
    extra: Any = None

    def to(self, device: Any) -> Batch:
        """The same batch with its tensors on another device."""
        inputs = {key: value.to(device) if hasattr(value, "to") else value for key, value in self.inputs.items()}
        labels = None if self.labels is None else self.labels.to(device)
        return Batch(inputs, labels, self.ids, self.count, self.extra)


class ModelFactory(Protocol):
    """Builds a model, and its tokenizer where it has one."""

    def __call__(self, config: dict[str, Any]) -> tuple[Any, Any]:
        """Returns `(model, tokenizer)` or `(model, None)`.

        Args:
            config: The component's options, with `device` and `dtype` resolved to strings ("cpu", "float32") and
                `head`, what the task needs: `kind`; `labels` and `num_labels` of a classifier; where a tokenizer is
                named its `vocab_size`, `pad_token_id`, `bos_token_id` and `eos_token_id`.

        Raises:
            ValueError: The config is invalid.
            ImportError: A dependency is missing; the message names the extra to install.
            OSError: The files of a pretrained model are nowhere; the message says where to put them.
        """
        ...


class TokenizerFactory(Protocol):
    """Builds a tokenizer with the transformers call interface."""

    def __call__(self, config: dict[str, Any]) -> Any:
        """Returns the tokenizer; raises like a model factory."""
        ...


class DataLoader(Protocol):
    """Streams records from a file.

    One that can go on behind bad rows says so with `__codex_meta__["bad_rows"] = True`. It has an option `on_bad_rows`
    (`error`, `skip` or `quarantine`), and takes `on_bad_row`, a function that it calls with the `BadRow` of each row
    that it leaves out.
    """

    def __call__(self, path: str | Path, **options: Any) -> Iterator[Record]:
        """Yields one dict a record.

        Raises:
            FileNotFoundError: There is nothing at the path.
            ValueError: The data are malformed; the message reads `path:line: reason`.
        """
        ...


class Metric(Protocol):
    """Scores predictions against labels.

    One that can tell how far its score may be off by the draw of the records carries `__codex_standard_error__`, a
    function `(predictions, labels, *, sizes=None, seed=0, **options) -> float | None`. `sizes` says how many of the
    flat `tokens` or `logprobs` each record has. The record's signature holds `version` of its `__codex_meta__`, which
    is raised when the same input would score otherwise.
    """

    def __call__(self, predictions: Sequence[Any], labels: Sequence[Any], **options: Any) -> float:
        """Returns the score; raises `ValueError` when the inputs don't fit."""
        ...


class Sample(Protocol):
    """Writes a sample data set."""

    def __call__(self, folder: Path) -> None:
        """Writes the set's files into an empty folder, the same bytes every time."""
        ...


@runtime_checkable
class Task(Protocol):
    """What is learnt: how records become batches, and what loss and predictions are.

    Attributes:
        feeds: The metric inputs it can give (`labels`, `text`, `tokens`, `logprobs`); the first is the default.
        columns: The logical columns that every record must have.
        targets: Those of them that are to be predicted, which need not be there when it is predicted.
    """

    feeds: tuple[str, ...]
    columns: tuple[str, ...]
    targets: tuple[str, ...]

    def fit(self, records: Iterable[Record]) -> dict[str, Any]:
        """Learns from the training records what the head needs; JSON, kept in the record and the export."""
        ...

    def load(self, state: Mapping[str, Any]) -> None:
        """Takes up what `fit` returned, in place of the training records."""
        ...

    def head(self) -> dict[str, Any]:
        """What the model must provide; `kind` and what belongs to it. Called after `fit`."""
        ...

    def examples(self, records: Iterable[Record], tokenizer: Any, *, train: bool) -> Iterator[Example]:
        """Tokenised examples: ints, floats, strings, None, lists or dicts of them; `id` and `input_ids` among them."""
        ...

    def collate(self, examples: Sequence[Example], tokenizer: Any, *, train: bool) -> Batch:
        """Pads examples into a batch; draws no random numbers. Examples for training have their `epoch`, from 0."""
        ...

    def loss(self, model: Any, batch: Batch) -> Tensor:
        """The sum of the losses of the batch's `count` targets, a scalar tensor."""
        ...

    def predict(
        self, model: Any, batch: Batch, tokenizer: Any, want: Sequence[str]
    ) -> dict[str, tuple[Sequence[Any], ...]]:
        """`(predictions, labels)` for each wanted metric input.

        `labels` has one value a record, `text` strings (labels may be lists of references), `tokens` ids and `logprobs`
        the log-probabilities (in nats) of the label ids; the last two are flat, without ignored positions, and are
        followed by `sizes`: how many positions each record has.
        """
        ...


class Answering(Protocol):
    """A task that says something of each record, which is what `mode=predict` writes."""

    def answers(self, model: Any, batch: Batch, tokenizer: Any) -> list[dict[str, Any]]:
        """`prediction` and `score` of each record of a batch, in its order."""
        ...


class Context(Protocol):
    """What a trainer works with; each part is built when first asked for.

    Attributes:
        model: The model, on its device.
        tokenizer: The tokenizer, or None.
        task: The task, fitted.
        train: The training examples: `len()` and `[i]`.
        seed: The run's seed.
        device: The torch device, as a string.
        folder: The run's folder.
        should_stop: True once somebody asked the run to end early.
        best_step: The step at which the validation records were measured best; None as long as they weren't.
        interrupted: True once the process was told to end. A trainer that says so with
            `__codex_meta__["checkpoints"] = True` is given the time to end its step and save.
    """

    model: Any
    tokenizer: Any
    task: Task
    train: Sequence[Example]
    seed: int
    device: str
    folder: Path
    should_stop: bool
    interrupted: bool
    best_step: int | None

    def batches(
        self,
        epoch: int,
        *,
        batch_size: int | None = None,
        start: int = 0,
        by_length: bool = False,
        workers: int = 0,
    ) -> Iterator[Batch]:
        """The training batches of an epoch, on the device, from batch `start` on.

        Their order depends on (seed, epoch) alone. `by_length` puts records of like length together, `workers`
        processes make batches ahead.
        """
        ...

    def save(self, step: int, state: Mapping[str, Any], *, keep: int = 1) -> bool:
        """Writes a checkpoint; `state` is what the trainer itself needs to go on. Returns whether it was written."""
        ...

    def adopt(self, folder: Path, state: Mapping[str, Any], *, keep: int = 1) -> bool:
        """Completes a checkpoint that a library began in `checkpoints/checkpoint-<step>`; otherwise as `save`."""
        ...

    def restore(self) -> dict[str, Any] | None:
        """Goes on from the newest checkpoint: returns the trainer's own state, or None at the beginning of a run."""
        ...

    def begin(self, total_steps: int) -> None:
        """Tells the plugins that training starts and how many steps there will be."""
        ...

    def advance(self, step: int, *, records: int = 0, **values: float) -> None:
        """Tells the plugins that a step is done, with the records it took and what is known of it (loss, lr)."""
        ...

    def log(self, values: Mapping[str, float], *, step: int) -> None:
        """Writes a line to `metrics.jsonl` and tells the plugins."""
        ...

    def evaluate(self, *, step: int) -> dict[str, float]:
        """Measures the validation records, logs it and keeps the weights if they are the best so far.

        Returns:
            The metrics by name; empty when there are no validation records.
        """
        ...


class Trainer(Protocol):
    """Trains the context's model."""

    def __call__(self, context: Context, **options: Any) -> Mapping[str, Any] | None:
        """Returns a mapping, which may hold `metrics` (name to float)."""
        ...
