"""From the blocks of a CSV file to records, each as fast as it can be read for certain."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any

from codex_ml.data_loaders.byte_counts import line_counter
from codex_ml.data_loaders.csv_arrow import arrow_parser
from codex_ml.data_loaders.csv_blocks import Block, Blocks
from codex_ml.data_loaders.csv_exact import ExactRows, Row, Run
from codex_ml.data_loaders.csv_header import Header
from codex_ml.data_loaders.reading import BadRows
from codex_ml.data_loaders.records import records, records_of

__all__ = ["Parser"]

# How many bytes of a block with something unusual are parsed together; a block of more than the most is one long row.
_PART = 2**17
_MOST = 2**21
# For so many blocks pyarrow is not asked where it took less than half of one.
_PAUSE = 16


class Parser:
    """Makes records of blocks.

    A block is parsed by pyarrow, whole, or by `csv.reader`, as many rows at a time as stand between unusual ones.

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
        self._quote = (reading["quotechar"] or "").encode()
        self._lines = line_counter()
        self._pause = 0

    def batches(self, block: Block) -> Iterator[Iterable[dict[str, Any]]]:
        """The records of a block; a row that its end cuts goes back to the blocks."""
        self._pause -= self._pause > 0
        chosen = None if self._pause else self._by_arrow(block)
        if chosen is not None:
            yield records(self._header.wanted, chosen)
            return
        rest, line, taken = "", block.line, 0
        parts = [block.data] if self._pause else [*self._parts(block)]
        for number, part in enumerate(parts, 1):
            data = self._blocks.codec.utf8_of(rest) + part
            piece = Block(data, len(data), line, block.last and number == len(parts))
            chosen, rest = self._by_arrow(piece) if len(parts) > 1 else None, ""
            if chosen is not None:
                taken += 1
                yield records(self._header.wanted, chosen)
            else:
                rest = yield from self._by_csv(piece)
            line += self._lines(data, len(data) - len(self._blocks.codec.utf8_of(rest)))
        if len(parts) > 1 and taken < len(parts) / 2:
            self._pause = _PAUSE
        self._blocks.give_back(rest, whole=False)

    def _parts(self, block: Block) -> Iterator[bytes]:
        """A block in smaller ones, so that a row pyarrow does not take keeps it from few others."""
        data, quote, start = block.data, self._quote, 0
        while self._arrow and len(data) <= _MOST and start + _PART < len(data):
            counted, end = start, data.find(b"\n", start + _PART) + 1
            quotes = 0
            while end:
                quotes += data.count(quote, counted, end) if quote else 0
                if not quotes % 2:
                    break
                counted, end = end, data.find(b"\n", end) + 1
            if not end:
                break
            yield data[start:end]
            start = end
        if start < len(data):
            yield data[start:]

    def _by_arrow(self, block: Block) -> list[Sequence[Any]] | None:
        """The wanted columns as pyarrow reads them; None where it isn't certain that `csv.reader` would."""
        if self._arrow is None or block.buffer.find(b"\0", 0, block.size) >= 0:
            return None
        columns = self._arrow.columns(block)
        return None if columns is None else self._chosen(columns)

    def _by_csv(self, block: Block) -> Generator[Iterable[dict[str, Any]], None, str]:
        """The records as `csv.reader` reads them; returns the row that the block's end cuts."""
        rows = ExactRows(block, self._blocks.codec, self._reading)
        while True:
            run = rows.run(len(self._header.names))
            yield self._of_run(run, rows, block)
            row = next(rows, None)
            if row is None:
                return rows.rest
            yield self._of_row(row)

    def _chosen(self, columns: Sequence[Sequence[str]]) -> list[Sequence[Any]] | None:
        """The wanted columns; None where a value is not of its type, without saying which."""
        header = self._header
        try:
            return [
                columns[index] if convert is None else [convert(text) for text in columns[index]]
                for index, convert in zip(header.indices, header.converters, strict=True)
            ]
        except ValueError:
            return None

    def _of_run(self, run: Run, rows: ExactRows, block: Block) -> Iterable[dict[str, Any]]:
        header = self._header
        if not run.rows:
            return ()
        if header.wanted == header.names and not any(header.converters):
            return records_of(header.wanted, run.rows)
        columns = self._chosen(list(zip(*run.rows, strict=True)))
        if columns is not None:
            return records(header.wanted, columns)
        return self._each(run, rows, block)

    def _each(self, run: Run, rows: ExactRows, block: Block) -> Iterator[dict[str, Any]]:
        start = run.start
        for fields, end in zip(run.rows, run.ends, strict=True):
            start = rows.first(start)
            yield from self._of_row(Row(block.line + start, rows.text((start, end)), fields))
            start = end

    def _of_row(self, row: Row) -> Iterator[dict[str, Any]]:
        """The record of a row, or none and the row is told."""
        values, reason = self._values(row)
        if reason:
            self._bad(self._blocks.place, row.line, reason, self._blocks.codec.raw(row.text))
        else:
            yield dict(zip(self._header.wanted, values, strict=True))

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
