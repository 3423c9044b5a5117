"""Records from a CSV file."""

from __future__ import annotations

import codecs
import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

__all__ = ["load_csv"]


def load_csv(path: str | Path, *, delimiter: str = ",", encoding: str = "utf-8") -> Iterator[dict[str, str]]:
    r"""Streams the rows of a CSV file with a header, as RFC 4180 writes it.

    Every value is the text that stands there: `007`, `NA`, `null` and the empty string stay themselves. Quoted fields
    may hold newlines, which are kept as they are, and may be of any size. Empty lines are skipped; a byte order mark is
    fine.

    Args:
        path: The file.
        delimiter: The one character between fields; a tab is "\t", in double quotes in YAML.
        encoding: Any text encoding Python knows.

    Yields:
        One dict a row: the header's names to the row's texts.

    Raises:
        FileNotFoundError: There is nothing at the path. This and the others are raised when the first or the bad record
            is asked for, not by the call.
        ValueError: The path is a folder, the delimiter or encoding won't do; or, as `path:line: reason`, there is no
            header, a name stands in it twice, a row has more or fewer fields than it, quotes are malformed or unclosed,
            there is a NUL, or the text is not in the encoding.
    """
    path = Path(path)
    codec = _check(path, delimiter, encoding)
    # One limit holds for the whole process: to raise it costs nobody anything, to restore it would race with threads.
    csv.field_size_limit(sys.maxsize)
    with path.open(encoding=codec, newline="") as file:
        rows = _Rows(file, path, delimiter)
        header = next(rows, None)
        if header is None:
            raise ValueError(f"{path}:1: no header; the first line must name the columns")
        repeated = sorted({name for name in header if header.count(name) > 1})
        if repeated:
            raise ValueError(f"{path}:{rows.start}: the header has {repeated[0]!r} twice")
        for row in rows:
            if len(row) != len(header):
                raise ValueError(f"{path}:{rows.start}: {len(row)} fields where the header has {len(header)}")
            yield dict(zip(header, row, strict=True))


load_csv.__codex_api__ = "v1"  # pyright: ignore[reportFunctionMemberAccess]


def _check(path: Path, delimiter: str, encoding: str) -> str:
    """The codec to open the file with."""
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name a CSV file in it")
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '"\r\n\0':
        raise ValueError(
            f'the delimiter must be one character and no quote or newline, not {delimiter!r} (a tab: "\\t")'
        )
    try:
        codec = codecs.lookup(encoding).name
    except LookupError:
        raise ValueError(f"{path}: unknown encoding {encoding!r}") from None
    return "utf-8-sig" if codec == "utf-8" else codec


class _Rows(Iterator[list[str]]):
    """The rows of a file that are not empty.

    Attributes:
        start: The line on which the latest row starts, from 1.
    """

    def __init__(self, file: TextIO, path: Path, delimiter: str) -> None:
        self.start = 0
        self._path = path
        self._file = file
        self._line = 0
        self._reader = csv.reader(self._lines(), delimiter=delimiter, strict=True)

    def __next__(self) -> list[str]:
        while True:
            self.start = self._line + 1
            try:
                row = next(self._reader)
            except csv.Error as error:
                raise ValueError(f"{self._path}:{self._blame(str(error))}{self._hint(str(error))}") from None
            except UnicodeDecodeError:
                line, codec = _undecodable_line(self._path, self._file.encoding), self._file.encoding
                raise ValueError(
                    f"{self._path}:{line}: not {codec.removesuffix('-sig')} text; set `encoding`"
                ) from None
            if row:
                return row

    def _lines(self) -> Iterator[str]:
        """The file's lines, counted."""
        for line in self._file:
            self._line += 1
            if "\0" in line:
                raise csv.Error("a NUL character; is the file in another encoding?")
            yield line

    def _hint(self, reason: str) -> str:
        return "; is `delimiter` another character here?" if "expected after" in reason else ""

    def _blame(self, reason: str) -> str:
        """The line and the reason of an error in the latest row."""
        if reason == "unexpected end of data":
            return f"{self.start}: a quote in the row that starts here is never closed"
        since = f" (the row starts on line {self.start})" if self._line > self.start else ""
        return f"{self._line}: {reason}{since}"


def _undecodable_line(path: Path, encoding: str) -> int:
    """The first line that is not in the encoding; a text file decodes chunks, ahead of the lines it gives."""
    decoder = codecs.getincrementaldecoder(encoding)()
    number = 1
    with path.open("rb") as file:
        try:
            for part in file:
                number += decoder.decode(part).count("\n")
        except UnicodeDecodeError as error:
            # A newline of several bytes is whole only with the part after it.
            number += error.object[: error.start].decode(error.encoding, "replace").count("\n")
    return number
