"""F1 of class labels; SQuAD's token overlap is another metric, `squad_f1`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

from codex_addons.component import component

__all__ = ["f1"]

Average = Literal["macro", "micro", "weighted", "binary"]


@component(input="labels", greater_is_better=True, scale="0-1", requires=("scikit-learn",), extra="metrics")
def f1(predictions: Sequence[Any], labels: Sequence[Any], *, average: Average = "macro") -> float:
    """The harmonic mean of precision and recall, 0 to 1; `sklearn.metrics.f1_score` with `zero_division=0`.

    Args:
        predictions: One label a record; a list, tuple, array or numpy array.
        labels: The true labels, as many.
        average: `macro`: the mean over all classes that occur in either; `micro`: over all records; `weighted`: the
            mean by each class's number of labels; `binary`: that of the positive class, which is the larger of the
            two in sorted order (1 of 0 and 1, True of False and True, "yes" of "no" and "yes").

    Raises:
        ValueError: The lengths differ, there is nothing to score, or `average` is `binary` and there are not exactly
            two classes.
        ImportError: scikit-learn is missing.
    """
    if average not in get_args(Average):
        raise ValueError(f"f1: average must be one of {', '.join(get_args(Average))}, not {average!r}")
    if len(predictions) != len(labels):
        raise ValueError(f"f1: {len(predictions)} predictions but {len(labels)} labels")
    if len(labels) == 0:
        raise ValueError("f1: no predictions and no labels to score")
    try:
        from sklearn.metrics import f1_score
    except ImportError as error:
        raise ImportError("f1 needs scikit-learn: pip install 'codex-ml[metrics]'") from error
    index, predicted, true = _indexed(predictions, labels)
    if average == "binary" and len(index) != 2:
        shown = ", ".join(repr(value) for value in list(index)[:5])
        raise ValueError(
            f"f1: average=binary needs exactly two classes, there are {len(index)} ({shown}): use average=macro"
        )
    # scikit-learn's default for zero_division is a string, and pyright takes that for its type.
    return float(f1_score(true, predicted, average=average, zero_division=0))  # pyright: ignore[reportArgumentType]


def _indexed(predictions: Any, labels: Any) -> tuple[dict[Any, int], list[int], list[int]]:
    # scikit-learn refuses strings beside numbers; positions in the sorted classes score the same.
    predicted, true = (values.tolist() if hasattr(values, "tolist") else values for values in (predictions, labels))
    try:
        classes = sorted({*predicted, *true}, key=_order)
    except TypeError as error:
        raise ValueError(f"f1: labels must be strings, numbers or booleans ({error})") from error
    index = {value: position for position, value in enumerate(classes)}
    return index, [index[value] for value in predicted], [index[value] for value in true]


def _order(value: Any) -> tuple[int, float, str]:
    return (0, value, "") if isinstance(value, int | float) else (1, 0, str(value))
