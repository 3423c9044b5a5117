"""Accuracy: the part of the predictions that equal their labels."""

from __future__ import annotations

from collections.abc import Sequence
from operator import eq
from typing import Any

from codex_addons.component import component

__all__ = ["accuracy"]


@component(input="labels", greater_is_better=True, scale="0-1")
def accuracy(predictions: Sequence[Any], labels: Sequence[Any]) -> float:
    """The part of the predictions that equal their labels, 0 to 1; `sklearn.metrics.accuracy_score`.

    Args:
        predictions: One label a record; a list, tuple, array or numpy array.
        labels: The true labels, as many.

    Raises:
        ValueError: The lengths differ, or there is nothing to score.
    """
    if len(predictions) != len(labels):
        raise ValueError(f"accuracy: {len(predictions)} predictions but {len(labels)} labels")
    if len(labels) == 0:
        raise ValueError("accuracy: no predictions and no labels to score")
    return float(sum(map(eq, _plain(predictions), _plain(labels))) / len(labels))


def _plain(values: Any) -> Sequence[Any]:
    # Numpy's own values compare in numpy's ways, and slowly.
    return values.tolist() if hasattr(values, "tolist") else values
