"""What every metric asks of its inputs first: two lists of one length, with something in them."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence, Set
from typing import Any

__all__ = ["listed", "paired", "record"]


def paired(metric: str, predictions: Any, labels: Any) -> tuple[Sequence[Any], Sequence[Any]]:
    """Predictions and labels as plain Python sequences; numpy arrays and tensors become lists.

    Args:
        metric: Whose inputs they are, for messages.
        predictions: A list, tuple, array, numpy array, tensor or the like.
        labels: The same, as many.

    Raises:
        ValueError: One of them is no such thing, the lengths differ, or there is nothing to score.
    """
    predicted, true = listed(metric, "predictions", predictions), listed(metric, "labels", labels)
    if len(predicted) != len(true):
        raise ValueError(f"{metric}: {len(predicted)} predictions but {len(true)} labels")
    if len(true) == 0:
        raise ValueError(f"{metric}: no predictions and no labels to score")
    return predicted, true


def listed(metric: str, name: str, values: Any) -> Sequence[Any]:
    """One of the two as a plain sequence of plain values.

    Raises:
        ValueError: It is none: a string, a mapping, a set, a number, an iterator.
    """
    # A list of the same numbers takes five times an array's memory.
    if isinstance(values, array):
        return values
    plain = _plain(values)
    if isinstance(plain, str | bytes | bytearray | Mapping | Set) or not hasattr(plain, "__len__"):
        raise ValueError(f"{metric}: {name} must be a list, not a {type(values).__name__}")
    if not isinstance(plain, list | tuple):
        plain = list(plain)
    if any(hasattr(kind, "tolist") for kind in set(map(type, plain))):
        return [_plain(value) for value in plain]
    return plain


def _plain(value: Any) -> Any:
    """What numpy and torch hold, in Python's own types."""
    return value.tolist() if hasattr(value, "tolist") and not isinstance(value, array) else value


def record(position: int, values: Sequence[Any]) -> str:
    """How a message names one of the records, which are counted from 1."""
    return f"record {position + 1} of {len(values)}"
