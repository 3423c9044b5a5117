"""Batches for models that predict each token from those before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from codex_ml.interfaces import Batch, Example
from codex_ml.tasks.padding import padded, padded_inputs
from codex_ml.tasks.special_tokens import padding_token
from codex_ml.tasks.token_logits import IGNORED, count_of

__all__ = ["next_token_batch"]


def next_token_batch(examples: Sequence[Example], tokenizer: Any, extra: Any = None) -> Batch:
    """A batch in which the labels are shifted already: each stands where the model predicts it, from what is before.

    So the model sees an example's tokens but the last, and the labels are its tokens but the first. What is shorter is
    padded at the end, where no token sees it.

    Args:
        examples: `input_ids`, and `context`: how many of them, at the beginning, are no targets; at least 1.
        tokenizer: Whose padding token is taken.
        extra: What the task's predict needs besides.
    """
    # A single token predicts nothing, and a model takes no empty row.
    seen = [example["input_ids"][:-1] or example["input_ids"] for example in examples]
    targets = [
        [IGNORED] * (example["context"] - 1) + example["input_ids"][example["context"] :] or [IGNORED]
        for example in examples
    ]
    labels = padded(targets, IGNORED)  # [batch, length]
    ids = [example["id"] for example in examples]
    return Batch(padded_inputs(seen, padding_token(tokenizer)), labels, ids, count_of(labels), extra)
