"""Accuracy: the part of the predictions that equal their labels."""

from __future__ import annotations

from collections.abc import Sequence
from operator import eq
from typing import Any

from codex_addons.component import component
from codex_ml.metrics.bootstrap import has_standard_error, of_mean
from codex_ml.metrics.labels import classes

__all__ = ["accuracy"]


def _standard_error(
    predictions: Sequence[Any], labels: Sequence[Any], *, sizes: Sequence[int] | None = None, seed: int = 0
) -> float | None:
    return of_mean(list(map(eq, *classes("accuracy", predictions, labels))), seed=seed)


@component(input="labels", greater_is_better=True, scale="0-1", version=1)
@has_standard_error(_standard_error)
def accuracy(predictions: Sequence[Any], labels: Sequence[Any]) -> float:
    """The part of the predictions that equal their labels, 0 to 1; `sklearn.metrics.accuracy_score`.

    Args:
        predictions: One label a record; a list, tuple, array, numpy array or tensor.
        labels: The true labels, as many.

    Raises:
        ValueError: The lengths differ, there is nothing to score, a value is None, NaN or several values, or one of
            predictions and labels has only strings and the other none.
    """
    predicted, true = classes("accuracy", predictions, labels)
    return float(sum(map(eq, predicted, true)) / len(true))
