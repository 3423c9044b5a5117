"""Class labels, as `accuracy` and `f1` score them."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import Any

from codex_ml.metrics.inputs import paired, record

__all__ = ["classes"]

_SEVERAL = (list, tuple, set, frozenset, dict, array)


def classes(metric: str, predictions: Any, labels: Any) -> tuple[Sequence[Any], Sequence[Any]]:
    """Predicted and true classes, one a record.

    Args:
        metric: Whose inputs they are, for messages.
        predictions: One label a record; a list, tuple, array, numpy array or tensor.
        labels: The true labels, as many.

    Raises:
        ValueError: The lengths differ, there is nothing to score, a value is None, NaN or several values, or one of
            predictions and labels has only strings and the other none.
    """
    predicted, true = paired(metric, predictions, labels)
    _check(metric, "prediction", predicted)
    _check(metric, "label", true)
    kinds = [{issubclass(kind, str) for kind in set(map(type, values))} for values in (predicted, true)]
    if kinds[0].isdisjoint(kinds[1]):
        told = [f"{value!r} ({type(value).__name__})" for value in (predicted[0], true[0])]
        raise ValueError(
            f"{metric}: a string never equals a number, and only one of the two has strings: the first prediction is "
            f"{told[0]}, the first label {told[1]}"
        )
    return predicted, true


def _check(metric: str, name: str, values: Sequence[Any]) -> None:
    kinds = set(map(type, values))
    wrong = tuple(kind for kind in kinds if issubclass(kind, (*_SEVERAL, type(None))))
    if wrong:
        position, value = next((at, value) for at, value in enumerate(values) if isinstance(value, wrong))
        raise ValueError(
            f"{metric}: {record(position, values)}: the {name} is {value!r}; labels must be strings, numbers or "
            "booleans, one a record"
        )
    if any(issubclass(kind, float) for kind in kinds) and (position := _nan(values)) is not None:
        raise ValueError(f"{metric}: {record(position, values)}: the {name} is NaN, which equals nothing")


def _nan(values: Iterable[Any]) -> int | None:
    return next((position for position, value in enumerate(values) if value != value), None)  # noqa: PLR0124
