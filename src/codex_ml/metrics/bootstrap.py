"""Standard errors of metrics, by the bootstrap over records.

Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7 (1979): the spread of a score over
sets of as many records, drawn with replacement from those that there are. Records with the same outcome are one
outcome with a count, so that a resample is one draw for each outcome rather than one for each record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from numpy import ndarray

__all__ = ["RESAMPLES", "has_standard_error", "of_mean", "of_ratio", "of_sums", "spread", "weights"]

RESAMPLES = 1000

# Numbers of one block of resamples, 8 MB of them: memory that doesn't grow with the records, as long as these fit.
_BLOCK = 2**20
# Drawing how often an outcome occurs takes as long as drawing about so many single records (measured, numpy 2.4).
_DRAWS = 20

Metric = TypeVar("Metric")


def has_standard_error(function: Callable[..., float | None]) -> Callable[[Metric], Metric]:
    """Declares which function gives the standard error of the decorated metric.

    A metric itself may do without numpy; its standard error is then an `ImportError` that says what to install.
    """

    @wraps(function)
    def told(*arguments: Any, **options: Any) -> float | None:
        try:
            return function(*arguments, **options)
        except ModuleNotFoundError as error:
            if error.name != "numpy":
                raise
            raise ImportError("a standard error needs numpy: pip install 'codex-ml[metrics]'") from error

    def declare(metric: Metric) -> Metric:
        target: Any = metric
        target.__codex_standard_error__ = told
        return metric

    return declare


def of_mean(values: Sequence[float], *, seed: int) -> float | None:
    """The standard error of the mean of one value a record; None for fewer than two records."""
    import numpy as np

    column = np.asarray(values, dtype=np.float64)[:, None]
    return of_sums(column, lambda sums: sums[:, 0] / len(column), seed=seed)


def of_ratio(
    pairs: Sequence[tuple[float, int]], *, seed: int, transform: Callable[[ndarray], ndarray] | None = None
) -> float | None:
    """The standard error of a sum over a count, such as that of tokens, of which each record has its own.

    Args:
        pairs: Sum and count of each record. A record without count tells nothing and is left out.
        seed: That of the draws.
        transform: What makes the score of the ratios [resamples].

    Returns:
        The standard error; None for fewer than two records.
    """
    import numpy as np

    table = np.asarray([pair for pair in pairs if pair[1]], dtype=np.float64).reshape(-1, 2)

    def ratio(sums: ndarray) -> ndarray:
        return sums[:, 0] / sums[:, 1]

    return of_sums(table, ratio if transform is None else lambda sums: transform(ratio(sums)), seed=seed)


def of_sums(outcomes: ndarray, statistic: Callable[[ndarray], Any], *, seed: int) -> float | None:
    """The standard error of a score that is made of sums over the records.

    Args:
        outcomes: What each record adds to the sums, [records, sums].
        statistic: Makes the scores [resamples] of the sums [resamples, sums].
        seed: That of the draws.

    Returns:
        The standard error; None for fewer than two records, or where a score is not finite.
    """
    import numpy as np

    if len(outcomes) < 2 or not np.isfinite(outcomes).all():
        return None
    rows, counts = np.unique(outcomes, axis=0, return_counts=True)
    with np.errstate(all="ignore"):
        return spread([statistic(block @ rows) for block in weights(counts, seed=seed)])


def spread(scores: Sequence[Any]) -> float | None:
    """The standard deviation over blocks of scores; None where one is not finite."""
    import numpy as np

    joined = np.concatenate([np.asarray(block, dtype=np.float64) for block in scores])
    return float(joined.std(ddof=1)) if np.isfinite(joined).all() else None


def weights(counts: ndarray, *, seed: int) -> Iterator[ndarray]:
    """How often each outcome occurs in each of `RESAMPLES` sets of records drawn with replacement.

    Args:
        counts: How many records have each outcome, [outcomes].
        seed: That of the draws; the same seed draws the same sets.

    Yields:
        Blocks of resamples, float64 [resamples, outcomes]; each row's sum is that of the counts.
    """
    import numpy as np

    generator = np.random.default_rng(seed)
    total, kinds = int(counts.sum()), len(counts)
    few = kinds * _DRAWS < total
    owner = None if few or kinds == total else np.repeat(np.arange(kinds), counts)  # [records]
    size = max(1, _BLOCK // kinds)
    for start in range(0, RESAMPLES, size):
        block = np.empty((min(size, RESAMPLES - start), kinds))
        if few:
            block[:] = generator.multinomial(total, counts / total, size=len(block))
        else:
            for row in block:
                drawn = generator.integers(0, total, total)
                row[:] = np.bincount(drawn if owner is None else owner[drawn], minlength=kinds)
        yield block
