"""Any number of labels for each text: topics, tags, moods."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from codex_addons import component
from codex_ml.errors import DataError, ModelError
from codex_ml.interfaces import Batch, Example, Record, logits_of

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["MultiLabel"]

IGNORED = -100


@component(requires=("torch",))
class MultiLabel:
    """Decides for each label of the training records, by itself, whether a text has it.

    A record's `labels` are a list of strings, or one string with a separator between them; none at all is fine. To a
    metric, the labels of a record are one string: in sorted order, with ", " between them. So `accuracy` is the share
    of records whose labels are all right and complete.

    Args:
        max_length: Texts are cut to so many tokens.
        threshold: How probable a label must be, from 0 to 1.
        separator: What stands between labels in a string.

    Attributes:
        labels: The known labels, in the order of the model's logits; empty before `fit`.
    """

    feeds: tuple[str, ...] = ("labels",)
    columns: tuple[str, ...] = ("text", "labels")

    def __init__(self, *, max_length: int = 128, threshold: float = 0.5, separator: str = ",") -> None:
        if max_length < 1:
            raise ValueError(f"task.max_length must be 1 or more, not {max_length}")
        if not 0 < threshold < 1:
            raise ValueError(f"task.threshold must be above 0 and below 1, not {threshold}")
        if not separator:
            raise ValueError("task.separator must not be empty")
        self.max_length = max_length
        self.threshold = threshold
        self.separator = separator
        self.labels: list[str] = []

    def fit(self, records: Iterable[Record]) -> dict[str, Any]:
        """Collects the training records' labels: `{"labels": [...]}`, sorted.

        Raises:
            DataError: A record has no `labels`, or there is no label in any.
        """
        self.labels = sorted({label for record in records for label in self._given(record)})
        if not self.labels:
            raise DataError("no training record has a label")
        return {"labels": list(self.labels)}

    def head(self) -> dict[str, Any]:
        """A classifier over the labels; that they do not exclude each other is the loss's business alone."""
        return {"kind": "sequence_classification", "labels": list(self.labels), "num_labels": len(self.labels)}

    def examples(self, records: Iterable[Record], tokenizer: Any, *, train: bool) -> Iterator[Example]:
        """Yields `id`, `input_ids`, and `targets`: 0 or 1 for each label, empty where a record doesn't tell.

        Raises:
            DataError: A text is no string, or a label occurs in no training record.
        """
        for record in records:
            if not isinstance(record["text"], str):
                raise DataError(f"record {record['id']}: the text is no string; name its column with data.columns.text")
            ids = tokenizer(record["text"], truncation=True, max_length=self.max_length)["input_ids"]
            if not ids:
                raise DataError(f"record {record['id']}: the tokenizer makes no token of its text")
            known = train or record["labels"] is not None
            yield {"id": record["id"], "input_ids": list(ids), "targets": self._targets(record) if known else []}

    def collate(self, examples: Sequence[Example], tokenizer: Any, *, train: bool) -> Batch:
        """Pads to the longest: `input_ids` and `attention_mask` [batch, length], labels [batch, labels]."""
        import torch

        width = max(len(example["input_ids"]) for example in examples)
        left = getattr(tokenizer, "padding_side", "right") == "left"
        # Padding is masked: without a padding token any other will do.
        padding = getattr(tokenizer, "pad_token_id", None) or 0
        ids = torch.full((len(examples), width), padding, dtype=torch.int64)
        mask = torch.zeros_like(ids)
        for row, example in enumerate(examples):
            length = len(example["input_ids"])
            where = slice(width - length, width) if left else slice(0, length)
            ids[row, where] = torch.tensor(example["input_ids"], dtype=torch.int64)
            mask[row, where] = 1
        targets = [example["targets"] or [IGNORED] * len(self.labels) for example in examples]
        labels = torch.tensor(targets, dtype=torch.int64)
        count = int((labels != IGNORED).sum())
        names = [example["id"] for example in examples]
        return Batch({"input_ids": ids, "attention_mask": mask}, labels if count else None, names, count)

    def loss(self, model: Any, batch: Batch) -> Tensor:
        """The summed binary cross-entropy of all records and labels, in nats."""
        from torch.nn import functional

        if batch.labels is None:
            raise DataError(f"the records {', '.join(batch.ids[:10])} have no labels")
        told = batch.labels != IGNORED
        logits = self._logits(model, batch).float()  # [batch, labels]
        return functional.binary_cross_entropy_with_logits(logits[told], batch.labels[told].float(), reduction="sum")

    def predict(
        self, model: Any, batch: Batch, tokenizer: Any, want: Sequence[str]
    ) -> dict[str, tuple[Sequence[Any], Sequence[Any]]]:
        """The labels of each record as one string, predicted and true; None where the record doesn't tell."""
        import torch

        if "labels" not in want:
            return {}
        with torch.no_grad():
            chosen = (self._logits(model, batch).float().sigmoid() > self.threshold).tolist()
        predictions = [self._joined(row) for row in chosen]
        if batch.labels is None:
            return {"labels": (predictions, [None] * len(predictions))}
        true = [None if row[0] == IGNORED else self._joined(row) for row in batch.labels.tolist()]
        return {"labels": (predictions, true)}

    def _given(self, record: Record) -> list[str]:
        labels = record["labels"]
        if isinstance(labels, str):
            return [label.strip() for label in labels.split(self.separator) if label.strip()]
        if isinstance(labels, list) and all(isinstance(label, str) for label in labels):
            return labels
        raise DataError(f"record {record['id']}: labels are a list of strings or a string, not {labels!r}")

    def _targets(self, record: Record) -> list[int]:
        given = set(self._given(record))
        if unknown := given - set(self.labels):
            names = ", ".join(map(repr, sorted(unknown)))
            raise DataError(f"record {record['id']} has {names}, which no training record has")
        return [int(label in given) for label in self.labels]

    def _joined(self, row: Sequence[int | bool]) -> str:
        return ", ".join(label for label, chosen in zip(self.labels, row, strict=True) if chosen)

    def _logits(self, model: Any, batch: Batch) -> Tensor:
        logits = logits_of(model(**batch.inputs))
        wanted = (len(batch.ids), len(self.labels))
        if tuple(logits.shape) != wanted:
            raise ModelError(f"the model gives logits of shape {tuple(logits.shape)}, this task needs {wanted}")
        return logits
