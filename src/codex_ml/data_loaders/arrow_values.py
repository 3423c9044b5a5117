"""Python values of Arrow columns: those of `to_pylist`, in less time."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

__all__ = ["values"]


def values(column: Any) -> list[Any]:
    """The values of an Arrow array, equal to its `to_pylist()`.

    Text is `str`, binary `bytes`, a list `list`, a struct `dict`, a map a list of pairs, a decimal `Decimal`, a
    timestamp `datetime` (with its time zone where it has one), a date `date`, a missing value `None`.

    Args:
        column: A `pyarrow.Array`.

    Raises:
        UnicodeDecodeError: Text that is no UTF-8.
        ValueError: A value that Python has none for.
    """
    import pyarrow as pa

    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _texts(column)
    if (pa.types.is_integer(kind) or pa.types.is_float64(kind)) and not column.null_count:
        return column.to_numpy().tolist()
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _lists(column)
    if pa.types.is_dictionary(kind):
        meanings = values(column.dictionary)
        return [None if index is None else meanings[index] for index in values(column.indices)]
    if pa.types.is_struct(kind) and kind.num_fields:
        return _structs(column)
    return column.to_pylist()


def _texts(column: Any) -> list[Any]:
    import pyarrow as pa

    try:
        # Many times as fast as to_pylist before pyarrow 26.
        return column.to_numpy(zero_copy_only=False).tolist()
    except pa.ArrowException:
        # Its message says nothing of UTF-8.
        return column.to_pylist()


def _lists(column: Any) -> list[Any]:
    offsets = column.offsets.to_numpy().tolist()
    # The items of a slice alone: the array behind it may be larger.
    first, last = offsets[0], offsets[-1]
    items = values(column.values.slice(first, last - first))
    found = [items[start - first : end - first] for start, end in pairwise(offsets)]
    return _without_nulls(column, found)


def _structs(column: Any) -> list[Any]:
    names = [field.name for field in column.type]
    if len(set(names)) < len(names):
        raise ValueError(f"a struct with two fields of one name ({', '.join(names)})")
    # `field`, unlike `flatten`, gives the values below a missing struct, which count for nothing.
    columns = [values(part) for part in column.flatten()]
    return _without_nulls(column, [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)])


def _without_nulls(column: Any, found: list[Any]) -> list[Any]:
    if not column.null_count:
        return found
    return [value if valid else None for value, valid in zip(found, column.is_valid().to_pylist(), strict=True)]
