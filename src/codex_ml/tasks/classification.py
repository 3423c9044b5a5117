"""Single-label text classification."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from codex_addons.component import component
from codex_ml.errors import DataError, ModelError
from codex_ml.interfaces import Batch, Example, Record, logits_of
from codex_ml.tasks.limits import check_tokenizer_length
from codex_ml.tasks.options import check_whole
from codex_ml.tasks.padding import padded, padded_inputs
from codex_ml.tasks.special_tokens import padding_token
from codex_ml.tasks.texts import chunks, no_token, text_of
from codex_ml.tasks.token_logits import IGNORED

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Classification"]

Label = str | int | bool

SHOWN = 10


@component(requires=("torch",), extra="train", head="sequence_classification")
class Classification:
    """Gives each text, or pair of texts, one of the labels of the training records.

    Labels are strings, whole numbers or booleans, all of one type, in sorted order. Records may have `text_pair`
    beside `text`; then all of them must.

    Attributes:
        labels: The known labels, in the order of the model's logits; empty before `fit`.
    """

    feeds: tuple[str, ...] = ("labels",)
    columns: tuple[str, ...] = ("text", "label")
    targets: tuple[str, ...] = ("label",)

    def __init__(self, *, max_length: int = 128) -> None:
        check_whole("max_length", max_length, of=" of tokens")
        self.max_length = max_length
        self.labels: list[Label] = []

    def fit(self, records: Iterable[Record]) -> dict[str, Any]:
        """Collects the training records' labels.

        Returns:
            `{"labels": [...]}`, sorted.

        Raises:
            DataError: A label is missing or of an unusable type, labels are of several types, or fewer than two.
        """
        seen: dict[Label, str] = {}
        for record in records:
            label = _label(record)
            if label is None:
                raise DataError(f"record {record['id']} has no label; {_COLUMN_HINT}")
            if label not in seen:
                seen[label] = str(record["id"])
            first = next(iter(seen))
            if type(label) is not type(first):
                raise DataError(
                    f"labels of two types: {first!r} ({type(first).__name__}) in record {seen[first]}, {label!r} "
                    f"({type(label).__name__}) in record {record['id']}; write all labels as one type"
                )
        if len(seen) < 2:
            found = f"only the label {next(iter(seen))!r}" if seen else "no record"
            raise DataError(f"the training records hold {found}; classification needs at least two labels")
        self.labels = sorted(seen)
        return {"labels": list(self.labels)}

    def load(self, state: Mapping[str, Any]) -> None:
        """Takes up what `fit` returned, in place of the training records."""
        self.labels = list(state["labels"])

    def head(self) -> dict[str, Any]:
        """A classifier over the labels."""
        self._fitted()
        return {"kind": "sequence_classification", "labels": list(self.labels), "num_labels": len(self.labels)}

    def examples(self, records: Iterable[Record], tokenizer: Any, *, train: bool) -> Iterator[Example]:
        """Tokenises the records, truncated to `max_length` tokens.

        Yields:
            `id`, `input_ids`, `label` (the index of the label; None where a record has none and `train` is false)
            and `token_type_ids` where the tokenizer gives one that is not zero.

        Raises:
            DataError: A text is no string, or a label is missing or unknown.
            ModelError: `max_length` is more than the tokenizer allows.
        """
        self._fitted()
        check_tokenizer_length(tokenizer, self.max_length, "max_length")
        index = {label: position for position, label in enumerate(self.labels)}
        paired = None
        for chunk in chunks(records, ("text", "text_pair")):
            if paired is None:
                paired = chunk[0].get("text_pair") is not None
            targets = [self._target(record, index, train) for record in chunk]
            texts = [[text_of(record, "text") for record in chunk]]
            if paired:
                texts.append([text_of(record, "text_pair") for record in chunk])
            elif extra := next((record for record in chunk if record.get("text_pair") is not None), None):
                raise DataError(f"record {extra['id']} has a text_pair, the records before it have none")
            encoded = tokenizer(*texts, truncation=True, max_length=self.max_length)
            yield from _unpack(chunk, encoded, targets)

    def collate(self, examples: Sequence[Example], tokenizer: Any, *, train: bool) -> Batch:
        """Pads the examples at the end: `input_ids` and `attention_mask`, int64 [batch, length]."""
        import torch

        # Whatever the tokenizer's side is: an encoder counts its positions from the row's beginning, and classifies by
        # the token there.
        rows = [example["input_ids"] for example in examples]
        inputs = padded_inputs(rows, padding_token(tokenizer))
        if any("token_type_ids" in example for example in examples):
            types = [example.get("token_type_ids") or [0] * len(example["input_ids"]) for example in examples]
            inputs["token_type_ids"] = padded(types, getattr(tokenizer, "pad_token_type_id", 0) or 0)
        targets = [IGNORED if example["label"] is None else example["label"] for example in examples]
        count = len(targets) - targets.count(IGNORED)
        labels = torch.tensor(targets, dtype=torch.int64) if count else None  # [batch]
        return Batch(inputs, labels, [example["id"] for example in examples], count)

    def loss(self, model: Any, batch: Batch) -> Tensor:
        """The summed cross-entropy in nats, computed in float32."""
        from torch.nn import functional

        if batch.labels is None:
            raise DataError(f"records {', '.join(batch.ids[:SHOWN])} have no label; {_COLUMN_HINT}")
        logits = self._logits(model, batch).float()  # [batch, labels]
        return functional.cross_entropy(logits, batch.labels, ignore_index=IGNORED, reduction="sum")

    def predict(
        self, model: Any, batch: Batch, tokenizer: Any, want: Sequence[str]
    ) -> dict[str, tuple[Sequence[Any], Sequence[Any]]]:
        """The most likely label of each record, and the record's own (None where it has none)."""
        import torch

        if "labels" not in want:
            return {}
        with torch.no_grad():
            best = self._logits(model, batch).argmax(dim=-1).tolist()
        targets = [IGNORED] * len(best) if batch.labels is None else batch.labels.tolist()
        predictions = [self.labels[position] for position in best]
        labels = [None if position == IGNORED else self.labels[position] for position in targets]
        return {"labels": (_packed(predictions), _packed(labels))}

    def answers(self, model: Any, batch: Batch, tokenizer: Any) -> list[dict[str, Any]]:
        """The most likely label of each record as `prediction`, and its probability, 0 to 1, as `score`."""
        import torch

        with torch.no_grad():
            best = self._logits(model, batch).float().softmax(dim=-1).max(dim=-1)
        pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        return [{"prediction": self.labels[position], "score": score} for position, score in pairs]

    def _fitted(self) -> None:
        if not self.labels:
            raise ValueError("the task knows no labels yet: call fit with the training records first")

    def _logits(self, model: Any, batch: Batch) -> Tensor:
        logits = logits_of(model(**batch.inputs))
        wanted = (len(batch.ids), len(self.labels))
        if tuple(logits.shape) != wanted:
            raise ModelError(
                f"the model gives logits of shape {tuple(logits.shape)}, classification needs {wanted} (records, "
                "labels): use a model with a classifier over the labels in config['head']"
            )
        return logits

    def _target(self, record: Record, index: dict[Label, int], train: bool) -> int | None:
        label = _label(record)
        if label is None:
            if train:
                raise DataError(f"record {record['id']} has no label; {_COLUMN_HINT}")
            return None
        # True == 1 in Python, so that a dict would find one for the other.
        if label not in index or type(label) is not type(self.labels[0]):
            known = ", ".join(repr(each) for each in self.labels[:SHOWN])
            more = f" and {len(self.labels) - SHOWN} more" if len(self.labels) > SHOWN else ""
            raise DataError(
                f"record {record['id']} has the label {label!r}, which no training record has; known are "
                f"{known}{more}: correct the record, leave it out, or add training records with this label"
            )
        return index[label]


_COLUMN_HINT = "name the column that holds it with data.columns.label, or leave the record out"


def _label(record: Record) -> Label | None:
    label = record.get("label")
    if label is None or isinstance(label, str | int):
        return label
    raise DataError(
        f"record {record['id']}: the label {label!r} is a {type(label).__name__}; a label is a string, a whole number "
        "or a boolean"
    )


def _unpack(chunk: Sequence[Record], encoded: Any, targets: Sequence[int | None]) -> Iterator[Example]:
    types = encoded.get("token_type_ids")
    for row, (record, target) in enumerate(zip(chunk, targets, strict=True)):
        ids = list(encoded["input_ids"][row])
        if not ids:
            raise no_token(record, "text", record["text"])
        example: Example = {"id": str(record["id"]), "input_ids": ids, "label": target}
        if types is not None and any(types[row]):
            example["token_type_ids"] = list(types[row])
        yield example


def _packed(values: list[Any]) -> Sequence[Any]:
    if all(type(value) is int and -(2**63) <= value < 2**63 for value in values):
        return array("q", values)
    return values
