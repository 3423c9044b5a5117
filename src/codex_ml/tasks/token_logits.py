"""Losses and scores of models that give logits of each token, in memory that grows with the labels alone."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from codex_ml.errors import ModelError
from codex_ml.interfaces import Batch, logits_of

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["IGNORED", "count_of", "summed_loss", "token_scores"]

IGNORED = -100
# Logits that a forward pass of an evaluation gives at most, and those of them that are worked on at a time.
_HELD = 2**26
_SLICE = 2**22


def count_of(labels: Tensor) -> int:
    """How many labels are not ignored."""
    return int((labels != IGNORED).sum())


def summed_loss(model: Any, batch: Batch, task: str) -> Tensor:
    """The summed cross-entropy in nats of the labels at their own positions, computed in float32."""
    from torch.nn import functional

    assert batch.labels is not None
    logits = _logits(model, batch.inputs, task)  # [batch, length, vocabulary]
    labels = batch.labels  # [batch, length]
    kept = labels != IGNORED
    # Softmax takes as much memory again as what it is given: where few positions count, these alone.
    if 2 * batch.count < labels.numel():
        logits, labels = logits[kept], labels[kept]
    else:
        logits, labels = logits.flatten(0, 1), labels.flatten()
    return functional.cross_entropy(logits.float(), labels, ignore_index=IGNORED, reduction="sum")


def token_scores(
    model: Any, batch: Batch, want: Sequence[str], *, vocabulary: int, task: str
) -> dict[str, tuple[Sequence[Any], ...]]:
    """`logprobs` and `tokens` of the labels, as `Task.predict` gives them, with the sizes of the batch's examples.

    Args:
        model: The model.
        batch: Its labels stand at the positions whose logits predict them.
        want: Which of the two.
        vocabulary: About how many logits a position has; it decides how many rows go through the model at once.
        task: The task's name, for messages.
    """
    import torch

    wanted = [name for name in ("logprobs", "tokens") if name in want]
    if not wanted:
        return {}
    assert batch.labels is not None
    found = {"logprobs": array("d"), "tokens": array("q")}
    with torch.no_grad():
        for logits, labels in _parts(model, batch, vocabulary, task):
            if "tokens" in wanted:
                found["tokens"].extend(logits.argmax(-1).tolist())
            if "logprobs" in wanted:
                chosen = logits.gather(-1, labels.unsqueeze(-1)).squeeze(-1)
                found["logprobs"].extend((chosen - logits.logsumexp(-1)).tolist())
    kept = batch.labels != IGNORED
    flat, sizes = array("q", batch.labels[kept].tolist()), kept.sum(1).tolist()
    return {name: (found[name], flat, sizes) for name in wanted}


def _parts(model: Any, batch: Batch, vocabulary: int, task: str) -> Iterator[tuple[Tensor, Tensor]]:
    """The logits of the labels in float32, [some, vocabulary], and the labels, [some]; in order."""
    assert batch.labels is not None
    rows, length = batch.labels.shape
    at_once = max(1, _HELD // max(1, length * vocabulary))
    for first in range(0, rows, at_once):
        labels = batch.labels[first : first + at_once]
        kept = labels != IGNORED
        if not kept.any():
            continue
        inputs = {key: value[first : first + at_once] for key, value in batch.inputs.items()}
        logits = _logits(model, inputs, task)
        row, column = kept.nonzero(as_tuple=True)
        few = max(1, _SLICE // logits.shape[-1])
        for start in range(0, len(row), few):
            where = row[start : start + few], column[start : start + few]
            yield logits[where].float(), labels[where]


def _logits(model: Any, inputs: dict[str, Tensor], task: str) -> Tensor:
    logits = logits_of(model(**inputs))
    wanted = tuple(inputs["input_ids"].shape)
    if logits.ndim != 3 or tuple(logits.shape[:2]) != wanted:
        raise ModelError(
            f"the model gives logits of shape {tuple(logits.shape)}, {task} needs {wanted} (records, tokens) and the "
            "vocabulary: use a model with the head that config['head'] asks for"
        )
    return logits
