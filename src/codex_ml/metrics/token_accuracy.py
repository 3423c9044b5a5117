"""Token accuracy: the part of the predicted tokens that are the right ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import eq
from typing import Any

from codex_addons.component import component
from codex_ml.metrics.bootstrap import has_standard_error, of_ratio
from codex_ml.metrics.positions import IGNORED, check_ids, rows

__all__ = ["token_accuracy"]


def _counts(predictions: Any, labels: Any, sizes: Sequence[int] | None = None) -> Iterator[tuple[int, int]]:
    """Right and scored positions, for each record where they can be told apart."""
    for values, ids, place in rows("token_accuracy", predictions, labels, sizes):
        check_ids("token_accuracy", "predictions", values, place)
        check_ids("token_accuracy", "labels", ids, place)
        ignored = ids.count(IGNORED)
        if ignored:
            # Predictions that were padded with the same number are no hits.
            right = sum(value == label for value, label in zip(values, ids, strict=True) if label != IGNORED)
        else:
            right = sum(map(eq, values, ids))
        yield right, len(ids) - ignored


def _standard_error(
    predictions: Any, labels: Any, *, sizes: Sequence[int] | None = None, seed: int = 0
) -> float | None:
    return of_ratio(list(_counts(predictions, labels, sizes)), seed=seed)


@component(input="tokens", greater_is_better=True, scale="0-1", version=1)
@has_standard_error(_standard_error)
def token_accuracy(predictions: Any, labels: Any) -> float:
    """The part of the label tokens that were predicted, 0 to 1, over all tokens of all records alike.

    Positions whose label is -100 are left out. Predictions and labels are flat or one list a record, in lists, tuples,
    arrays, numpy arrays or tensors.

    Args:
        predictions: Token ids, one a position.
        labels: The right ids, in the same layout; -100 where a position isn't scored.

    Raises:
        ValueError: Lengths or layouts differ, an id is no whole number, or no position is left to score.
    """
    right = scored = 0
    for hits, count in _counts(predictions, labels):
        right += hits
        scored += count
    if not scored:
        raise ValueError(f"token_accuracy: no label to score, as all are {IGNORED}")
    return right / scored
