"""Dicts of columns of values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any

__all__ = ["records", "records_of"]

Record = dict[str, Any]
Rows = Iterable[Sequence[Any]]


def records(names: Sequence[str], columns: Sequence[Iterable[Any]]) -> Iterator[Record]:
    """One dict a row.

    Args:
        names: What the columns are called.
        columns: Their values, all as many.
    """
    return records_of(names, zip(*columns, strict=True))


def records_of(names: Sequence[str], rows: Rows) -> Iterator[Record]:
    """One dict a row.

    Args:
        names: What the columns are called.
        rows: Each has as many values.
    """
    make = _MAKERS.get(len(names))
    return make(names, rows) if make else map(dict, map(zip, repeat(names), rows))


# A dict display takes half the time of `dict(zip(names, row))`, and most files have few columns.


def _of_1(names: Sequence[str], rows: Rows) -> Iterator[Record]:
    (a,) = names
    return ({a: v} for (v,) in rows)


def _of_2(names: Sequence[str], rows: Rows) -> Iterator[Record]:
    a, b = names
    return ({a: v, b: w} for v, w in rows)


def _of_3(names: Sequence[str], rows: Rows) -> Iterator[Record]:
    a, b, c = names
    return ({a: v, b: w, c: x} for v, w, x in rows)


def _of_4(names: Sequence[str], rows: Rows) -> Iterator[Record]:
    a, b, c, d = names
    return ({a: v, b: w, c: x, d: y} for v, w, x, y in rows)


def _of_5(names: Sequence[str], rows: Rows) -> Iterator[Record]:
    a, b, c, d, e = names
    return ({a: v, b: w, c: x, d: y, e: z} for v, w, x, y, z in rows)


def _of_6(names: Sequence[str], rows: Rows) -> Iterator[Record]:
    a, b, c, d, e, f = names
    return ({a: u, b: v, c: w, d: x, e: y, f: z} for u, v, w, x, y, z in rows)


_MAKERS: dict[int, Callable[[Sequence[str], Rows], Iterator[Record]]] = {
    1: _of_1,
    2: _of_2,
    3: _of_3,
    4: _of_4,
    5: _of_5,
    6: _of_6,
}
