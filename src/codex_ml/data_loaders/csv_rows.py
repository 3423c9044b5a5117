"""From the blocks of a CSV file to records, each as fast as it can be read for certain."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from codex_ml.data_loaders.csv_arrow import arrow_parser
from codex_ml.data_loaders.csv_blocks import Block, Blocks
from codex_ml.data_loaders.csv_exact import ExactRows, Row
from codex_ml.data_loaders.csv_header import Header
from codex_ml.data_loaders.reading import BadRows
from codex_ml.data_loaders.records import records

__all__ = ["Parser"]


class Parser:
    """Makes records of blocks.

    A block is parsed by pyarrow or by `csv.reader`, whole; where that shows anything unusual, row by row.

    Args:
        blocks: Where the blocks come from.
        header: The columns.
        reading: The arguments of `csv.reader`.
        bad: What is done with bad rows.
    """

    def __init__(self, blocks: Blocks, header: Header, reading: dict[str, Any], bad: BadRows) -> None:
        self._blocks = blocks
        self._header = header
        self._reading = reading
        self._bad = bad
        self._arrow = arrow_parser(reading["delimiter"], reading["quotechar"], len(header.names))

    def records(self, block: Block) -> Iterator[dict[str, Any]]:
        """The records of a block; a row that its end cuts goes back to the blocks."""
        columns = None if block.buffer.find(b"\0", 0, block.size) >= 0 else self._columns(block)
        return self._exact(block) if columns is None else records(self._header.wanted, columns)

    def _columns(self, block: Block) -> list[Sequence[Any]] | None:
        """The wanted columns; None where a row is bad or unfinished, without saying which."""
        try:
            parsed = self._arrow.columns(block) if self._arrow else None
            columns = self._parsed(block.data) if parsed is None else parsed
            header = self._header
            return [
                columns[index] if convert is None else [convert(text) for text in columns[index]]
                for index, convert in zip(header.indices, header.converters, strict=True)
            ]
        except (ValueError, csv.Error):
            return None

    def _parsed(self, data: bytes) -> Sequence[Sequence[str]]:
        text = io.StringIO(data.decode("utf-8"), newline="")
        rows = [row for row in csv.reader(text, **self._reading) if row]
        width = len(self._header.names)
        if any(len(row) != width for row in rows):
            raise ValueError
        return list(zip(*rows, strict=True)) or [()] * width

    def _exact(self, block: Block) -> Iterator[dict[str, Any]]:
        rows = ExactRows(block, self._blocks.codec, self._reading)
        for row in rows:
            values, reason = self._values(row)
            if reason:
                self._bad(self._blocks.place, row.line, reason, self._blocks.codec.raw(row.text))
            else:
                yield dict(zip(self._header.wanted, values, strict=True))
        self._blocks.give_back(rows.rest, whole=False)

    def _values(self, row: Row) -> tuple[list[Any], str]:
        """A row's values, and what is wrong with it."""
        header = self._header
        if row.reason:
            return [], row.reason
        if len(row.fields) != len(header.names):
            return [], f"{len(row.fields)} fields where the header has {len(header.names)}"
        values: list[Any] = []
        for name, index, convert in zip(header.wanted, header.indices, header.converters, strict=True):
            try:
                values.append(convert(row.fields[index]) if convert else row.fields[index])
            except ValueError as error:
                return [], f"{name}: {error}"
        return values, ""
