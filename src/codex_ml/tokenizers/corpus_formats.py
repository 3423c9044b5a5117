"""The texts in the lines of text, JSON and CSV files."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import orjson

from codex_ml.places import Place

__all__ = ["LINE_FORMATS", "missing_column", "texts_in"]

_MARK = b"\xef\xbb\xbf"


def texts_in(value: Any, column: str) -> list[str]:
    """The texts of a row's value: one, several where it is a list, none where it is missing.

    Raises:
        ValueError: It is something else.
    """
    if isinstance(value, str):
        return [value]
    if value is None:
        return []
    if isinstance(value, list):
        texts = [each for each in value if each is not None]
        if all(isinstance(each, str) for each in texts):
            return texts
    raise ValueError(
        f"tokenizer.train_column={column!r} must be a text or a list of texts, and the row has {type(value).__name__}"
    )


def missing_column(column: str, there: Iterable[str]) -> str:
    """What is told of a column that isn't there."""
    return f"there is no column {column!r}, which tokenizer.train_column names; there are: {', '.join(there) or 'none'}"


def _text_lines(lines: Iterable[bytes], _columns: Sequence[str], file: Place) -> Iterator[str]:
    return (line.rstrip("\r\n") for line in _decoded(lines, file))


def _json_lines(lines: Iterable[bytes], columns: Sequence[str], file: Place) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        try:
            row = _row(line.removeprefix(_MARK) if number == 1 else line)
            if row is None:
                continue
            for column in columns:
                if column not in row:
                    raise ValueError(missing_column(column, row))
                yield from texts_in(row[column], column)
        except ValueError as error:
            raise ValueError(f"{file}:{number}: {error}") from error


def _row(line: bytes) -> Any:
    if not line.strip():
        return None
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        _ = _text(line)
        raise ValueError(f"not JSON: {error.msg} at column {error.colno}") from error
    if not isinstance(row, dict):
        raise ValueError("the row is no JSON object")
    return row


def _csv_rows(lines: Iterable[bytes], columns: Sequence[str], file: Place, *, delimiter: str) -> Iterator[str]:
    # One limit holds for the whole process: to raise it costs nobody anything, to restore it would race with threads.
    csv.field_size_limit(sys.maxsize)
    reader = csv.reader(_csv_lines(lines, file), delimiter=delimiter, strict=True)
    header: list[str] = []
    places: list[int] = []
    for first, row in _filled(reader, file):
        try:
            if not header:
                header, places = row, _places(row, columns)
                continue
            if len(row) != len(header):
                raise ValueError(f"the row has {len(row)} fields, and the header {len(header)}")
        except ValueError as error:
            raise ValueError(f"{file}:{first}: {error}") from error
        yield from [row[place] for place in places]


def _filled(reader: Any, file: Place) -> Iterator[tuple[int, list[str]]]:
    """The rows that aren't empty, each with the line that it begins on."""
    first = 1
    try:
        for row in reader:
            if row:
                yield first, row
            first = reader.line_num + 1
    except csv.Error as error:
        unclosed = "a quote in the row that starts here is never closed"
        reason = unclosed if str(error) == "unexpected end of data" else error
        raise ValueError(f"{file}:{first}: {reason}") from error


def _places(header: list[str], columns: Sequence[str]) -> list[int]:
    for column in columns:
        if column not in header:
            raise ValueError(missing_column(column, header))
        if header.count(column) > 1:
            raise ValueError(f"two columns are called {column!r}, which tokenizer.train_column names")
    return [header.index(column) for column in columns]


def _csv_lines(lines: Iterable[bytes], file: Place) -> Iterator[str]:
    for line in _decoded(lines, file):
        # csv wants the line ends of old Macs apart too.
        yield from io.StringIO(line, newline="") if "\r" in line else [line]


def _decoded(lines: Iterable[bytes], file: Place) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        try:
            yield _text(line.removeprefix(_MARK) if number == 1 else line)
        except ValueError as error:
            raise ValueError(f"{file}:{number}: {error}") from error


def _text(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8: {error.reason} at byte {error.start + 1} of the line") from error


LINE_FORMATS: dict[str, Callable[[Iterable[bytes], Sequence[str], Place], Iterator[str]]] = {
    "text": _text_lines,
    "json": _json_lines,
    "csv": partial(_csv_rows, delimiter=","),
    "tsv": partial(_csv_rows, delimiter="\t"),
}
"""What reads the texts from a file's lines, columns' names and its place, for messages.

`text` has one text a line, which only a newline ends; `json` one object a line; `csv` and `tsv` a header. It raises a
ValueError, `path:line: reason`, where a line or row has no text.
"""
