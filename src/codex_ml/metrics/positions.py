"""Values of single tokens, as the metrics of the inputs `tokens` and `logprobs` score them."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from codex_ml.metrics.inputs import listed, paired, record

__all__ = ["IGNORED", "Row", "check_ids", "rows"]

IGNORED = -100
"""The label of a position that isn't scored: padding, a prompt; torch's `ignore_index`."""


class Row(NamedTuple):
    """The positions of one record, or of all records where nobody says which is whose.

    Attributes:
        values: What was predicted, one a position.
        labels: The label ids, as many; `IGNORED` where a position isn't scored.
        place: How a message names the row; empty for all records.
    """

    values: Sequence[Any]
    labels: Sequence[int]
    place: str


def rows(metric: str, predictions: Any, labels: Any, sizes: Sequence[int] | None = None) -> Iterator[Row]:
    """The records' positions, record by record where they can be told apart.

    Args:
        metric: Whose inputs they are, for messages.
        predictions: One value a position, flat or one list (array, tensor) a record.
        labels: Label ids, in the same layout.
        sizes: How many of the flat positions each record has; not needed where there is one list a record.

    Raises:
        ValueError: Lengths or layouts differ, or there is nothing to score.
    """
    values, ids = paired(metric, predictions, labels)
    nested = [_nested(metric, name, each) for name, each in (("predictions", values), ("labels", ids))]
    if nested[0] != nested[1]:
        which = "predictions are" if nested[0] else "labels are"
        raise ValueError(f"{metric}: only the {which} one list a record; give both alike")
    if nested[0]:
        yield from _rows_of_records(metric, values, ids)
    elif sizes is None:
        yield Row(values, ids, "")
    else:
        if sum(sizes) != len(ids):
            raise ValueError(f"{metric}: {len(ids)} labels, and sizes of {sum(sizes)} in all")
        for position, (start, end) in enumerate(pairwise(accumulate(sizes, initial=0))):
            yield Row(values[start:end], ids[start:end], record(position, sizes))


def _rows_of_records(metric: str, values: Sequence[Any], ids: Sequence[Any]) -> Iterator[Row]:
    for position, pair in enumerate(zip(values, ids, strict=True)):
        place = record(position, ids)
        own = [
            listed(metric, f"{place}: {name}", each) for name, each in zip(("predictions", "labels"), pair, strict=True)
        ]
        if len(own[0]) != len(own[1]):
            raise ValueError(f"{metric}: {place}: {len(own[0])} predictions but {len(own[1])} labels")
        for name, each in zip(("predictions", "labels"), own, strict=True):
            if not isinstance(each, array) and any(_is_list(value) for value in each):
                raise ValueError(f"{metric}: {place}: {name} hold lists; give one value a position")
        yield Row(own[0], own[1], place)


def _nested(metric: str, name: str, values: Sequence[Any]) -> bool:
    if isinstance(values, array):
        return False
    lists = [_is_list(value) for value in values]
    if any(lists) and not all(lists):
        position = lists.index(not lists[0])
        raise ValueError(
            f"{metric}: {record(position, values)}: {name} are one list a record in part, and flat in part"
        )
    return lists[0]


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple | array)


def check_ids(metric: str, name: str, ids: Sequence[Any], place: str) -> None:
    """Refuses what are no token ids.

    Raises:
        ValueError: One is no whole number.
    """
    if isinstance(ids, array) and ids.typecode not in "fdu":
        return
    if set(map(type, ids)) <= {int}:
        return
    for position, value in enumerate(ids):
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            where = f"{place}, " if place else ""
            raise ValueError(
                f"{metric}: {where}position {position + 1} of {len(ids)}: {name} are token ids, which are whole "
                f"numbers, not {value!r} ({type(value).__name__})"
            )
