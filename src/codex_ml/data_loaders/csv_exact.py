"""The rows of a block of a CSV file one by one, each with its lines and what is wrong with it."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from codex_ml.data_loaders.csv_blocks import Block
from codex_ml.data_loaders.transcoding import Transcoder

__all__ = ["ExactRows", "Row", "dialect"]

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


def dialect(delimiter: str, quotechar: str | None) -> dict[str, Any]:
    """The arguments of `csv.reader`."""
    # One limit holds for the whole process: to raise it costs nobody anything, to restore it would race with threads.
    csv.field_size_limit(sys.maxsize)
    quoting = csv.QUOTE_NONE if quotechar is None else csv.QUOTE_MINIMAL
    return {"delimiter": delimiter, "quotechar": quotechar, "quoting": quoting, "strict": True}


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
        # Only these end a line, not U+2028 and others at which `splitlines` does.
        self._lines = list(io.StringIO(codec.text(block.data), newline=""))
        self._reader = csv.reader(self._lines, **reading)
        self._taken = 0

    @property
    def rest(self) -> str:
        """See the class."""
        return "".join(self._lines[self._taken :])

    def __next__(self) -> Row:
        fields: list[str] = []
        reason = ""
        start = self._taken
        while not fields and not reason:
            self._taken = start = self._reader.line_num
            try:
                fields = next(self._reader)
            except csv.Error as error:
                reason = str(error)
        if reason == _UNFINISHED and not self._block.last:
            raise StopIteration
        self._taken = self._reader.line_num
        text = "".join(self._lines[start : self._taken])
        reason = self._wrong_text(text) or (reason and self._wrong_quotes(reason, start))
        return Row(self._block.line + start, text, [] if reason else fields, reason)

    def _wrong_text(self, text: str) -> str:
        if "\0" in text:
            return "a NUL character; is the file in another encoding?"
        return "" if self._codec.is_whole(text) else f"not {self._codec.name} text; set `encoding`"

    def _wrong_quotes(self, reason: str, start: int) -> str:
        if reason == _UNFINISHED:
            last = self._block.line + self._taken - 1
            return f"a quote in the row that starts here is never closed (the file ends on line {last})"
        where = f" on line {self._block.line + self._taken - 1}" if self._taken > start + 1 else ""
        hint = "; is `delimiter` another character here?" if "expected after" in reason else ""
        return f"{reason}{where}{hint}"
