"""The header of a CSV file: what its columns are called, and which of them are wanted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from codex_ml.data_loaders.csv_blocks import Blocks
from codex_ml.data_loaders.csv_exact import ExactRows, Row
from codex_ml.data_loaders.csv_types import CONVERTERS, ColumnType

__all__ = ["Header", "read_header"]


@dataclass(frozen=True)
class Header:
    """The columns of a file.

    Attributes:
        names: All, in the file's order.
        wanted: Those that records have, in theirs.
        indices: Where each of these stands.
        converters: What makes a value of each one's text; None where it stays.
    """

    names: tuple[str, ...]
    wanted: tuple[str, ...]
    indices: tuple[int, ...]
    converters: tuple[Callable[[str], Any] | None, ...]


def read_header(
    blocks: Blocks,
    reading: dict[str, Any],
    names: Sequence[str] | None,
    columns: Sequence[str] | None,
    types: Mapping[str, ColumnType],
) -> Header:
    """Takes the header off the blocks.

    Args:
        blocks: The file.
        reading: The arguments of `csv.reader`.
        names: The columns' names where the file has no header.
        columns: Those that are wanted; None for all.
        types: Column to type.

    Raises:
        ValueError: `path:line: reason`: there is none, it is malformed, has a name twice or lacks one that is wanted.
    """
    line = 1
    if names is None:
        row = _first_row(blocks, reading)
        line, names = row.line, row.fields
        repeated = sorted({name for name in names if names.count(name) > 1})
        if row.reason or repeated:
            raise ValueError(f"{blocks.place}:{line}: {row.reason or f'the header has {repeated[0]!r} twice'}")
    wanted = tuple(names if columns is None else columns)
    for name in (*wanted, *types):
        if name not in names:
            option, has = "columns" if name in wanted else "types", ", ".join(names)
            raise ValueError(
                f"{blocks.place}:{line}: there is no column {name!r}, which data_loader.{option} names; it has: {has}"
            )
    converters = tuple(CONVERTERS[types.get(name, "str")] for name in wanted)
    return Header(tuple(names), wanted, tuple(names.index(name) for name in wanted), converters)


def _first_row(blocks: Blocks, reading: dict[str, Any]) -> Row:
    """The first row that is not empty; what stands behind it comes with the next block."""
    for block in blocks:
        if block.line == 1 and block.data.startswith(b"PAR1"):
            raise ValueError(f"{blocks.place}:1: this is a Parquet file; read it with data_loader=parquet")
        rows = ExactRows(block, blocks.codec, reading)
        row = next(rows, None)
        blocks.give_back(rows.rest, whole=row is not None)
        if row is not None:
            return row
    if blocks.failure is not None:
        raise ValueError(f"{blocks.place}:{blocks.line}: {blocks.failure}")
    raise ValueError(f"{blocks.place}:1: no header; the first line must name the columns")
