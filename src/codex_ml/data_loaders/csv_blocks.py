"""The blocks of a CSV file: parts of it that end where a row ends, so that each can be parsed by itself."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from codex_ml.data_loaders.byte_counts import byte_counter, line_counter
from codex_ml.data_loaders.csv_quotes import never_closed, unclosed_quote
from codex_ml.data_loaders.transcoding import Transcoder
from codex_ml.places import Place, is_damage, name_place, reason_of

__all__ = ["Block", "Blocks"]

# The first is small, as whoever looks at a file wants its first records alone. In smaller blocks than these, calling
# pyarrow takes a part of the time; larger ones, and what is made of them, leave a processor's cache.
_FIRST = 2**16
_SIZE = 3 * 2**18


@dataclass(frozen=True)
class Block:
    """Whole rows, as far as counting quotes can tell.

    Attributes:
        buffer: Starts with their bytes, in UTF-8 where the file's text is in its encoding. (A copy of them alone would
            take a tenth of the time of parsing them.)
        size: How many these are.
        line: The line it starts on, from 1.
        last: Whether the file ends with it.
    """

    buffer: bytes
    size: int
    line: int
    last: bool

    @property
    def data(self) -> bytes:
        """The rows' bytes."""
        return self.buffer[: self.size]


class Blocks(Iterator[Block]):
    """Reads a file block by block.

    A row ends with a line that has an even number of quotes before it. That is so in all that RFC 4180 allows; where it
    is not, whoever parses a block finds its last row unfinished, and gives it back.

    Args:
        file: The file's bytes.
        place: Where it is.
        encoding: Its text encoding.
        reading: The arguments of `csv.reader`.
        max_row_bytes: How many bytes of UTF-8 a row may have.

    Attributes:
        place: Where the file is.
        codec: Its encoding.
        line: The line that the next block starts on, from 1.
        failure: Why the file could not be read to its end, once the blocks have ended for that.
    """

    def __init__(
        self, file: BinaryIO, place: Place, encoding: str, reading: dict[str, Any], max_row_bytes: int
    ) -> None:
        self.place = place
        self.codec = Transcoder(encoding)
        self.line = 1
        self.failure: str | None = None
        self._file = file
        self._delimiter = reading["delimiter"].encode()
        self._quote = None if reading["quotechar"] is None else reading["quotechar"].encode()
        self._longest = max_row_bytes
        self._quotes = byte_counter(self._quote or b"")
        self._lines = line_counter()
        # Whoever writes into a pipe may wait for its first row to be read.
        self._live = isinstance(place, Path) and not place.is_file()
        self._pending = b""
        self._given = b""
        self._cut_at = 0
        self._returned = b""
        self._waits = True
        self._ended = False
        self._begun = False
        # Whether all that is pending is a row that a quote makes of it which is never closed.
        self._unclosed = False

    @property
    def rest(self) -> bytes:
        """What stands behind the last whole row, as it is in the file."""
        if self.codec.name == "utf-8":
            return self._pending
        return self.codec.raw(self.codec.text(self._pending))

    def give_back(self, end: str, *, whole: bool) -> None:
        """Has the end of the latest block come again.

        Args:
            end: The end's text.
            whole: Whether it may come by itself; else what stands behind it comes with it.
        """
        self._returned = self.codec.utf8_of(end)
        self._waits = not whole

    def __next__(self) -> Block:
        moves_on = self._settle()
        while not self._unclosed and (not self._ended or (self._pending and moves_on)):
            # A row that is not complete yet grows by as much again, or its start would be looked through too often.
            size = max(_SIZE if self._begun else _FIRST, len(self._pending))
            size = min(size, self._longest + 1 - len(self._pending))
            more = self._read(size) if self._waits else b""
            data, self._waits = self._pending + more, True
            cut = self._cut(data)
            if cut and not self._begun and data.startswith(codecs.BOM_UTF8):
                data, cut = data[len(codecs.BOM_UTF8) :], cut - len(codecs.BOM_UTF8)
            self._given, self._cut_at, self._pending = data, cut, data[cut:]
            if cut:
                self._begun = True
                return Block(data, cut, self.line, self._ended and self.failure is None and not self._unclosed)
            moves_on = False
            self._end_if_long()
        if self._unclosed and self.failure is None:
            lines = self._lines(self._pending, len(self._pending)) + (self._pending[-1:] not in (b"\r", b"\n"))
            self.failure = never_closed(self.line + (self._opens_in() or 0), self.line, self.line + lines - 1)
        raise StopIteration

    def _settle(self) -> bool:
        """Counts the lines of the block that was given; whether anything came of it."""
        done = self._cut_at - len(self._returned)
        moves_on = done > 0 or not self._cut_at
        self.line += self._lines(self._given, done)
        self._pending = self._returned + self._pending
        self._given, self._returned, self._cut_at = b"", b"", 0
        self._end_if_long()
        return moves_on

    def _end_if_long(self) -> None:
        """Ends the reading where the row that is not complete yet is too long for one."""
        if len(self._pending) <= self._longest or self._ended:
            return
        last = self.line + self._pending.count(b"\n") + self._skipped_lines()
        quote = self._opens_in()
        what = "the row that starts here" if quote is None else f"the quote that opens in line {self.line + quote}"
        self.failure = (
            f"{what} does not end within the {self._longest} bytes of data_loader.max_row_bytes; "
            f"lines {self.line} to {last} are lost"
        )
        self._ended = self._unclosed = True

    def _opens_in(self) -> int | None:
        """In which of the pending lines, from 0, the quote opens that is not closed in them."""
        found = self._quote and unclosed_quote(self._pending, self._delimiter, self._quote)
        return self._lines(self._pending, found[1]) if found else None

    def _skipped_lines(self) -> int:
        """How many newlines there are in what was not read yet; one less where the file ends with one."""
        lines, ends_line = 0, self._pending.endswith(b"\n")
        while not self._ended:
            part = self._read(_SIZE)
            lines += part.count(b"\n")
            ends_line = part.endswith(b"\n") if part else ends_line
        return lines - ends_line

    def _read(self, size: int) -> bytes:
        """The next bytes, as UTF-8; about as many as asked for, or as there are."""
        parts: list[bytes] = []
        missing = size
        while missing > 0 and not self._ended:
            try:
                part = self._file.read1(min(missing, _SIZE))  # pyright: ignore[reportAttributeAccessIssue]
            except Exception as error:
                if not is_damage(error):
                    name_place(error, self.place)
                    raise
                self.failure = reason_of(error)
                self._ended = True
                break
            self._ended = not part
            parts.append(part)
            missing = 0 if self._live else missing - len(part)
        read = parts[0] if len(parts) == 1 else b"".join(parts)
        return self.codec.utf8(read, final=self._ended and self.failure is None)

    def _cut(self, data: bytes) -> int:
        """Where the last row ends, as far as can be told without parsing; 0 when none does."""
        if self._ended and self.failure is None:
            row = self._row_unclosed(data)
            self._unclosed = row is not None
            return len(data) if row is None else row
        end = _line_end(data)
        if self._ended or self._quote is None:
            return end
        balanced = self._balanced(data, end)
        if balanced or len(data) < _SIZE:
            return balanced
        # A row of this length may be none: a quote in an unquoted field counts as well.
        row = self._row_unclosed(data)
        return end if row is None else min(row, end)

    def _row_unclosed(self, data: bytes) -> int | None:
        """Where a row starts in a long text that the end cuts within quotes."""
        # To parse it only to find this out takes many times its memory.
        found = len(data) >= _SIZE and self._quote and unclosed_quote(data, self._delimiter, self._quote)
        return found[0] if found else None

    def _balanced(self, data: bytes, end: int) -> int:
        """The last end of a line, from `end` back, that has an even number of quotes before it."""
        quote, newline = self._quote or b"", b"\n" if b"\n" in data else b"\r"
        quotes = self._quotes(data, end)
        while quotes % 2:
            # All lines behind the last quote are in it.
            earlier = data.rfind(newline, 0, data.rfind(quote, 0, end)) + 1
            quotes -= data.count(quote, earlier, end)
            end = earlier
        return end


def _line_end(data: bytes) -> int:
    """Where the last line ends; a newline may follow a final carriage return."""
    return data.rfind(b"\n") + 1 or data.rfind(b"\r", 0, len(data) - 1) + 1
