"""The rows of a block of a CSV file one by one, each with its lines and what is wrong with it."""

from __future__ import annotations

import csv
import io
import sys
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from codex_ml.data_loaders.byte_counts import line_counter
from codex_ml.data_loaders.csv_blocks import Block
from codex_ml.data_loaders.csv_quotes import never_closed, unclosed_quote
from codex_ml.data_loaders.transcoding import Transcoder

__all__ = ["ExactRows", "Row", "Run", "dialect"]

_EMPTY = frozenset(("\n", "\r\n", "\r"))
_UNFINISHED = "unexpected end of data"


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        line: The line it starts on, from 1.
        text: Its lines.
        fields: What it holds; nothing where something is wrong with it.
        reason: What is wrong with it; empty where nothing is.
    """

    line: int
    text: str
    fields: list[str]
    reason: str = ""


@dataclass(frozen=True)
class Run:
    """Rows of which nothing is known to be wrong.

    Attributes:
        rows: Their fields.
        start: Which of the block's lines the first may start with, from 0; empty lines may stand before each.
        ends: Of each, which line is the first behind it.
    """

    rows: list[list[str]]
    start: int
    ends: list[int]


def dialect(delimiter: str, quotechar: str | None) -> dict[str, Any]:
    """The arguments of `csv.reader`."""
    # One limit holds for the whole process: to raise it costs nobody anything, to restore it would race with threads.
    csv.field_size_limit(sys.maxsize)
    quoting = csv.QUOTE_NONE if quotechar is None else csv.QUOTE_MINIMAL
    return {"delimiter": delimiter, "quotechar": quotechar, "quoting": quoting, "strict": True}


def _lines(text: str) -> list[str]:
    lines = text.splitlines(keepends=True)
    if len(lines) == text.count("\n") + (not text.endswith("\n")):
        return lines
    # It is at more than newlines that it splits: of these, a return ends a line as well, U+2028 and others do not.
    return list(io.StringIO(text, newline=""))


class ExactRows(Iterator[Row]):
    """The rows that are not empty, as `csv.reader` reads them; behind a malformed one it goes on at the next line.

    Args:
        block: The block.
        codec: The file's encoding.
        reading: The arguments of `csv.reader`.

    Attributes:
        rest: The lines that were not given: those behind the latest row, or those of a row that the block's end cuts.
    """

    def __init__(self, block: Block, codec: Transcoder, reading: dict[str, Any]) -> None:
        self._block = block
        self._codec = codec
        data = block.data
        try:
            text, sound = data.decode("utf-8"), b"\0" not in data
        except UnicodeDecodeError:
            text, sound = codec.text(data), False
        self._lines = _lines(text)
        self._quotes = reading["delimiter"].encode(), (reading["quotechar"] or "").encode()
        self._reader = csv.reader(self._lines, **reading)
        self._taken = 0
        self._held: tuple[int, list[str], str] | None = None
        self._spoilt: list[int] = []
        if not sound:
            self._spoilt = [at for at, line in enumerate(self._lines) if self._wrong_text(line)]

    @property
    def rest(self) -> str:
        """See the class."""
        return "".join(self._lines[self._taken :])

    def run(self, width: int) -> Run:
        """Takes the next rows that have so many fields and sound text; the next of the iterator is the one behind."""
        rows: list[list[str]] = []
        ends: list[int] = []
        reader, start = self._reader, self._taken
        found: tuple[list[str], str] | None = None
        at = bisect_left(self._spoilt, start)
        sound = self._spoilt[at] if at < len(self._spoilt) else len(self._lines)
        try:
            for fields in reader:
                end = reader.line_num
                if len(fields) == width and end <= sound:
                    rows.append(fields)
                    ends.append(end)
                elif fields:
                    found = fields, ""
                    break
        except csv.Error as error:
            found = [], str(error)
        self._taken = reader.line_num
        if found:
            self._taken = self.first(ends[-1] if ends else start)
            self._held = self._taken, found[0], found[1]
        return Run(rows, start, ends)

    def first(self, line: int) -> int:
        """Which line is the first, from one on, that is not empty."""
        while self._lines[line] in _EMPTY:
            line += 1
        return line

    def text(self, span: tuple[int, int]) -> str:
        """The lines of a row."""
        return "".join(self._lines[slice(*span)])

    def __next__(self) -> Row:
        start, fields, reason = self._held or self._read()
        self._held = None
        if reason == _UNFINISHED and not self._block.last:
            raise StopIteration
        self._taken = self._reader.line_num
        text = self.text((start, self._taken))
        reason = self._wrong_text(text) or (reason and self._wrong_quotes(reason, start))
        return Row(self._block.line + start, text, [] if reason else fields, reason)

    def _read(self) -> tuple[int, list[str], str]:
        """The next row that is not empty: its first line, its fields, and what is wrong with it."""
        while True:
            self._taken = start = self._reader.line_num
            try:
                fields = next(self._reader)
            except csv.Error as error:
                return start, [], str(error)
            if fields:
                return start, fields, ""

    def _wrong_text(self, text: str) -> str:
        if "\0" in text:
            return "a NUL character; is the file in another encoding?"
        return "" if self._codec.is_whole(text) else f"not {self._codec.name} text; set `encoding`"

    def _wrong_quotes(self, reason: str, start: int) -> str:
        if reason == _UNFINISHED:
            lines = self._codec.utf8_of(self.text((start, self._taken)))
            found = unclosed_quote(lines, *self._quotes)
            first = self._block.line + start
            opens = first + (line_counter()(lines, found[1]) if found else 0)
            return never_closed(opens, first, self._block.line + self._taken - 1)
        where = f" on line {self._block.line + self._taken - 1}" if self._taken > start + 1 else ""
        hint = "; is `delimiter` another character here?" if "expected after" in reason else ""
        return f"{reason}{where}{hint}"
