"""Cohen's kappa: agreement beyond what chance alone would give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

__all__ = ["cohen_kappa"]


def cohen_kappa(
    predictions: Sequence[Any], labels: Sequence[Any], *, weights: Literal["linear", "quadratic"] | None = None
) -> float:
    """Cohen's kappa, -1 to 1; `sklearn.metrics.cohen_kappa_score`.

    Args:
        predictions: One label a record.
        labels: The true labels, as many.
        weights: How far apart two labels are, in their sorted order; None: any two different labels are as wrong.

    Raises:
        ValueError: The lengths differ, there is nothing to score, or all predictions and labels are the same one, for
            which kappa is undefined.
        ImportError: scikit-learn is missing.
    """
    if weights not in (None, "linear", "quadratic"):
        raise ValueError(f"cohen_kappa: weights must be linear, quadratic or null, not {weights!r}")
    if len(predictions) != len(labels):
        raise ValueError(f"cohen_kappa: {len(predictions)} predictions but {len(labels)} labels")
    if not len(labels):
        raise ValueError("cohen_kappa: no predictions and no labels to score")
    try:
        from sklearn.metrics import cohen_kappa_score
    except ImportError as error:
        raise ImportError("cohen_kappa needs scikit-learn: pip install 'codex-example-cohen-kappa[sklearn]'") from error
    # scikit-learn refuses some mixtures of types; positions in the sorted labels score the same.
    try:
        position = {label: index for index, label in enumerate(sorted({*predictions, *labels}))}
    except TypeError as error:
        raise ValueError(f"cohen_kappa: labels must be of one type that can be sorted ({error})") from error
    if len(position) < 2:
        raise ValueError(f"cohen_kappa: everything is {labels[0]!r}; kappa needs at least two labels")
    predicted, true = ([position[label] for label in values] for values in (predictions, labels))
    return float(cohen_kappa_score(true, predicted, weights=weights))


cohen_kappa.__codex_api__ = "v1"
cohen_kappa.__codex_meta__ = {
    "input": "labels",
    "greater_is_better": True,
    "scale": "-1-1",
    # What is missing here is told before a run begins.
    "requires": ("scikit-learn",),
}
