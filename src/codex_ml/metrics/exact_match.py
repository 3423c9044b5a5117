"""Exact match: the part of the texts that equal a reference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import eq
from typing import Literal, get_args

from codex_addons.component import component
from codex_ml.metrics.bootstrap import has_standard_error, of_mean
from codex_ml.metrics.squad import golds, normalised
from codex_ml.metrics.texts import Reference, references, texts

__all__ = ["exact_match"]

Normalize = Literal["none", "squad"]


def _matches(predictions: Sequence[str], labels: Sequence[Reference], normalize: str) -> Iterator[bool]:
    if normalize not in get_args(Normalize):
        known = ", ".join(get_args(Normalize))
        raise ValueError(f"exact_match: normalize must be one of {known}, not {normalize!r}")
    predictions, labels = texts("exact_match", predictions, labels)
    pairs = zip(predictions, labels, strict=True)
    if normalize == "squad":
        return (normalised(text) in golds(references(label)) for text, label in pairs)
    if set(map(type, labels)) == {str}:
        return map(eq, predictions, labels)
    return (text in references(label) for text, label in pairs)


def _standard_error(
    predictions: Sequence[str],
    labels: Sequence[Reference],
    *,
    sizes: Sequence[int] | None = None,
    seed: int = 0,
    normalize: Normalize = "none",
) -> float | None:
    return of_mean(list(_matches(predictions, labels, normalize)), seed=seed)


@component(input="text", greater_is_better=True, scale="0-1", version=1)
@has_standard_error(_standard_error)
def exact_match(predictions: Sequence[str], labels: Sequence[Reference], *, normalize: Normalize = "none") -> float:
    """The part of the texts that equal their reference, or one of their references, 0 to 1.

    Args:
        predictions: One string a record.
        labels: One string, or a list of one or more, a record.
        normalize: `none`: as they are; `squad`: without case, ASCII punctuation, English articles and repeated spaces,
            as SQuAD's evaluation compares them (`exact` of evaluate-v2.0.py, `exact_match` of v1.1; in percent there).

    Raises:
        ValueError: The lengths differ, there is nothing to score, a prediction is no string, or a label is neither a
            string nor a list of at least one.
    """
    return sum(_matches(predictions, labels, normalize)) / len(labels)
