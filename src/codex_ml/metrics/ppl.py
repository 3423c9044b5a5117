"""Perplexity: how many tokens a model hesitates between, on average."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from codex_addons.component import component
from codex_ml.metrics.bootstrap import has_standard_error, of_ratio
from codex_ml.metrics.positions import IGNORED, check_ids, rows

if TYPE_CHECKING:
    from numpy import ndarray

__all__ = ["ppl"]

# A certain token's log-probability may come out a little above 0 where it is computed in single precision.
_ROUNDING = 1e-5


def _losses(predictions: Any, labels: Any, sizes: Sequence[int] | None = None) -> Iterator[tuple[float, int]]:
    """The summed negative log-likelihood in nats and the number of tokens, by record where they can be told apart."""
    for values, ids, place in rows("ppl", predictions, labels, sizes):
        check_ids("ppl", "labels", ids, place)
        if IGNORED in ids:
            scored = [value for value, label in zip(values, ids, strict=True) if label != IGNORED]
        else:
            scored = values
        try:
            fits = all(value <= _ROUNDING for value in scored)
        except TypeError:
            fits = False
        if not fits:
            _refuse(values, ids, place)
        yield _summed(scored), len(scored)


def _summed(logprobs: Sequence[float]) -> float:
    try:
        return -math.fsum(logprobs)
    except OverflowError:  # of the sum: no float is as large
        return math.inf


def _refuse(values: Sequence[Any], ids: Sequence[int], place: str) -> None:
    for position, (value, label) in enumerate(zip(values, ids, strict=True)):
        number = isinstance(value, int | float)
        if label == IGNORED or (number and value <= _ROUNDING):
            continue
        where = f"{place}, " if place else ""
        told = "is NaN" if number and math.isnan(value) else "is above 0" if number else "is no number"
        raise ValueError(
            f"ppl: {where}position {position + 1} of {len(values)}: the prediction {value!r} {told}; give the natural "
            "logarithm of the label token's probability, neither the probability nor the loss"
        )


def _standard_error(
    predictions: Any, labels: Any, *, sizes: Sequence[int] | None = None, seed: int = 0
) -> float | None:
    import numpy as np

    def perplexity(loss: ndarray) -> ndarray:
        return np.exp(np.maximum(loss, 0))

    return of_ratio(list(_losses(predictions, labels, sizes)), seed=seed, transform=perplexity)


@component(input="logprobs", greater_is_better=False, scale="1-inf", version=1)
@has_standard_error(_standard_error)
def ppl(predictions: Any, labels: Any) -> float:
    """Perplexity, 1 or more: `exp(summed negative log-likelihood / number of tokens)`, over all tokens alike.

    It is neither a mean of the records' perplexities nor one of the batches' losses, in which the tokens of short ones
    would count more. Positions whose label is -100 are left out. Both arguments are flat or one list a record, in
    lists, tuples, arrays, numpy arrays or tensors.

    Args:
        predictions: The log-probabilities of the label tokens, in nats, one a position; 0 at most.
        labels: The label ids, in the same layout; -100 where a position isn't scored.

    Returns:
        The perplexity; infinity where a token had no probability, or where it is above the largest float.

    Raises:
        ValueError: Lengths or layouts differ, a log-probability is above 0, NaN or no number, an id is no whole number,
            or no position is left to score.
    """
    losses, tokens = [], 0
    for loss, count in _losses(predictions, labels):
        losses.append(loss)
        tokens += count
    if not tokens:
        raise ValueError(f"ppl: no label to score, as all are {IGNORED}")
    try:
        return math.exp(max(math.fsum(losses), 0.0) / tokens)  # the loss of certain tokens may be rounded below 0
    except OverflowError:
        return math.inf
