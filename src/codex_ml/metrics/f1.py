"""F1 of class labels; SQuAD's token overlap is another metric, `squad_f1`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

from codex_addons.component import component
from codex_ml.metrics.bootstrap import has_standard_error, spread, weights
from codex_ml.metrics.labels import classes

if TYPE_CHECKING:
    from numpy import ndarray

__all__ = ["f1"]

Average = Literal["macro", "micro", "weighted", "binary"]


def _standard_error(
    predictions: Sequence[Any],
    labels: Sequence[Any],
    *,
    sizes: Sequence[int] | None = None,
    seed: int = 0,
    average: Average = "macro",
) -> float | None:
    import numpy as np

    index, predicted, true = _indexed(predictions, labels, average)
    if len(true) < 2:
        return None
    # A record is told by its pair of classes, and there are few of these.
    pairs, counts = np.unique(np.asarray(true) * len(index) + np.asarray(predicted), return_counts=True)
    rows, columns = pairs // len(index), pairs % len(index)
    scores: list[ndarray] = []
    for block in weights(counts, seed=seed):
        hits = np.zeros((len(block), len(index)))
        hits[:, rows[rows == columns]] = block[:, rows == columns]
        scores.append(_averaged(hits, _summed(block, rows, hits), _summed(block, columns, hits), average))
    return spread(scores)


def _summed(block: ndarray, owners: ndarray, like: ndarray) -> ndarray:
    """The draws of each class [resamples, classes], from those of each pair and the pairs' classes."""
    import numpy as np

    order = np.argsort(owners, kind="stable")
    present, starts = np.unique(owners[order], return_index=True)
    sums = np.zeros_like(like)
    sums[:, present] = np.add.reduceat(block[:, order], starts, axis=1)
    return sums


def _averaged(hits: ndarray, true: ndarray, predicted: ndarray, average: Average) -> ndarray:
    """The scores [resamples] of counts by class [resamples, classes]; a class that isn't drawn doesn't count."""
    import numpy as np

    if average == "micro":
        return hits.sum(axis=1) / true.sum(axis=1)
    drawn = true + predicted
    single = 2 * hits / np.maximum(drawn, 1)
    if average == "binary":
        return single[:, 1]
    share = true if average == "weighted" else drawn > 0
    return (single * share).sum(axis=1) / share.sum(axis=1)


@component(input="labels", greater_is_better=True, scale="0-1", version=1, requires=("scikit-learn",), extra="metrics")
@has_standard_error(_standard_error)
def f1(predictions: Sequence[Any], labels: Sequence[Any], *, average: Average = "macro") -> float:
    """The harmonic mean of precision and recall, 0 to 1; `sklearn.metrics.f1_score` with `zero_division=0`.

    Args:
        predictions: One label a record; a list, tuple, array, numpy array or tensor.
        labels: The true labels, as many.
        average: `macro`: the mean over all classes that occur in either; `micro`: over all records; `weighted`: the
            mean by each class's number of labels; `binary`: that of the positive class, which is the larger of the
            two in sorted order (1 of 0 and 1, True of False and True, "yes" of "no" and "yes").

    Raises:
        ValueError: The lengths differ, there is nothing to score, a value is None, NaN or several values, one of
            predictions and labels has only strings and the other none, or `average` is `binary` and there are not
            exactly two classes.
        ImportError: scikit-learn is missing.
    """
    _, predicted, true = _indexed(predictions, labels, average)
    try:
        from sklearn.metrics import f1_score
    except ImportError as error:
        raise ImportError("f1 needs scikit-learn: pip install 'codex-ml[metrics]'") from error
    # scikit-learn's default for zero_division is a string, and pyright takes that for its type.
    return float(f1_score(true, predicted, average=average, zero_division=0))  # pyright: ignore[reportArgumentType]


def _indexed(predictions: Any, labels: Any, average: str) -> tuple[dict[Any, int], list[int], list[int]]:
    if average not in get_args(Average):
        raise ValueError(f"f1: average must be one of {', '.join(get_args(Average))}, not {average!r}")
    predicted, true = classes("f1", predictions, labels)
    # scikit-learn refuses strings beside numbers; positions in the sorted classes score the same.
    try:
        found = sorted({*predicted, *true}, key=_order)
    except TypeError as error:
        raise ValueError(f"f1: labels must be strings, numbers or booleans ({error})") from error
    index = {value: position for position, value in enumerate(found)}
    if average == "binary" and len(index) != 2:
        shown = ", ".join(repr(value) for value in found[:5])
        raise ValueError(
            f"f1: average=binary needs exactly two classes, there are {len(index)} ({shown}): use average=macro"
        )
    return index, [index[value] for value in predicted], [index[value] for value in true]


def _order(value: Any) -> tuple[int, float, str]:
    return (0, value, "") if isinstance(value, int | float) else (1, 0, str(value))
