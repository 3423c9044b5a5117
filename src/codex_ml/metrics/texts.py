"""Texts and their references, as the metrics of the input `text` score them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from codex_ml.metrics.inputs import paired, record

__all__ = ["Reference", "references", "texts"]

Reference = str | Sequence[str]
"""What a text is held against: one reference, or several."""


def texts(metric: str, predictions: Any, labels: Any) -> tuple[Sequence[str], Sequence[Reference]]:
    """Predicted texts, and for each its reference or its list of references.

    Args:
        metric: Whose inputs they are, for messages.
        predictions: One string a record.
        labels: One string, or a list of one or more, a record.

    Raises:
        ValueError: The lengths differ, there is nothing to score, a prediction is no string, or a label is neither a
            string nor a list of at least one.
    """
    try:
        predicted, true = paired(metric, predictions, labels)
    except ValueError as error:
        if _streams(predictions, labels):
            raise ValueError(
                f"{error}; labels hold one string or list of references a record, not one list a set of references as "
                "sacreBLEU's do: transpose them"
            ) from error
        raise
    if set(map(type, predicted)) != {str}:
        for position, text in enumerate(predicted):
            if not isinstance(text, str):
                raise ValueError(f"{metric}: {record(position, predicted)}: the prediction is {_shown(text)}")
    _check(metric, true)
    return predicted, true


def references(label: Reference) -> Sequence[str]:
    """The references of a record, also where it has one alone."""
    return (label,) if isinstance(label, str) else label


def _check(metric: str, labels: Sequence[Any]) -> None:
    if set(map(type, labels)) == {str}:
        return
    for position, label in enumerate(labels):
        if isinstance(label, str):
            continue
        if not isinstance(label, list | tuple):
            told = f"the label is {_shown(label, 'a string or a list of strings')}"
        elif wrong := [text for text in label if not isinstance(text, str)]:
            told = f"a reference is {_shown(wrong[0])}"
        elif label:
            continue
        else:
            told = 'the list of references is empty: give "" where the right text is none'
        raise ValueError(f"{metric}: {record(position, labels)}: {told}")


def _shown(value: Any, wanted: str = "a string") -> str:
    text = repr(value)
    return f"{text if len(text) <= 40 else text[:37] + '...'} ({type(value).__name__}), not {wanted}"


def _streams(predictions: Any, labels: Any) -> bool:
    """Whether the labels are laid out as sacreBLEU takes them: for each set of references, one text a record."""
    if not isinstance(predictions, list | tuple) or not isinstance(labels, list | tuple) or not labels:
        return False
    return all(isinstance(label, list | tuple) and len(label) == len(predictions) for label in labels)
