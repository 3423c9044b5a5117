"""Records from CSV files."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from codex_addons.component import component
from codex_ml.data_loaders.csv_blocks import Blocks
from codex_ml.data_loaders.csv_exact import dialect
from codex_ml.data_loaders.csv_header import read_header
from codex_ml.data_loaders.csv_rows import Parser
from codex_ml.data_loaders.csv_types import CONVERTERS, ColumnType
from codex_ml.data_loaders.reading import MAX_ROW_BYTES, BadRows, OnBadRows, TextOptions, read, wrong_columns
from codex_ml.interfaces import BadRow
from codex_ml.places import Place, open_bytes

__all__ = ["CsvConfig", "load_csv"]

ENDINGS = (".csv", ".tsv")


@dataclass(frozen=True)
class CsvConfig(TextOptions):
    """The options of the data loader `csv`."""

    columns: list[str] | None = field(
        default=None, metadata={"help": "The columns that records have, in this order; null: all."}
    )
    delimiter: str = field(default=",", metadata={"help": 'The one character between fields; a tab is "\\t".'})
    quotechar: str | None = field(
        default='"', metadata={"help": "The character around fields; null: there is none, quotes are text."}
    )
    column_names: list[str] | None = field(
        default=None, metadata={"help": "The names of the columns of files without a header; null: the header's."}
    )
    types: dict[str, ColumnType] = field(
        default_factory=dict, metadata={"help": "Column to int, float or bool; the others stay the text they are."}
    )

    def wrong(self) -> Iterator[str]:
        """What is wrong with the options, each in a sentence."""
        yield from wrong_columns(self.columns)
        yield from self._wrong_characters()
        yield from self._wrong_names()
        yield from self._wrong_types()
        yield from super().wrong()

    def _wrong_characters(self) -> Iterator[str]:
        if not _is_character(self.delimiter):
            yield f'data_loader.delimiter must be one character and no newline, not {self.delimiter!r} (a tab: "\\t")'
        if self.quotechar is not None and not _is_character(self.quotechar):
            yield f"data_loader.quotechar must be one character and no newline, or null, not {self.quotechar!r}"
        elif self.quotechar == self.delimiter:
            yield f"data_loader.delimiter must be another character than data_loader.quotechar, {self.quotechar!r}"

    def _wrong_names(self) -> Iterator[str]:
        if self.column_names is not None:
            for told in wrong_columns(self.column_names):
                yield told.replace("data_loader.columns", "data_loader.column_names")

    def _wrong_types(self) -> Iterator[str]:
        if not isinstance(self.types, dict):
            yield f"data_loader.types must be a mapping of columns to types, not {self.types!r}"
            return
        for name, kind in self.types.items():
            if kind not in CONVERTERS:
                yield f"data_loader.types.{name} must be one of {', '.join(CONVERTERS)}, not {kind!r}"


def _is_character(text: Any) -> bool:
    return isinstance(text, str) and len(text) == 1 and text not in "\r\n\0"


@component(config=CsvConfig, bad_rows=True, endings=ENDINGS, uses=("backports.zstd", "fsspec", "pyarrow"))
def load_csv(
    path: str | Path | Sequence[str | Path],
    *,
    columns: list[str] | None = None,
    delimiter: str = ",",
    quotechar: str | None = '"',
    column_names: list[str] | None = None,
    types: dict[str, ColumnType] | None = None,
    encoding: str = "utf-8",
    limit: int | None = None,
    skip: int = 0,
    on_bad_rows: OnBadRows = "error",
    max_row_bytes: int = MAX_ROW_BYTES,
    on_bad_row: Callable[[BadRow], None] | None = None,
) -> Iterator[dict[str, Any]]:
    r"""Streams the rows of CSV files with a header, as RFC 4180 writes them.

    Every value is the text that stands there: `007`, `NA`, `null` and the empty string stay themselves, unless `types`
    asks for something else. Quoted fields may hold newlines, which are kept as they are. Empty lines are skipped; a
    byte order mark is fine.

    A bad row has more or fewer fields than the header, malformed quotes, a NUL, text that is not in the encoding, or a
    value that is not of its type. Behind one with malformed quotes, reading goes on at the next line. A quote that is
    never closed makes one bad row of all that stands behind it, to the file's end: lines of text in it cannot
    be told from rows, and records that nobody wrote would be worse than none. So it is with a row that is longer than
    `max_row_bytes`, of which no more than that is kept. What stands before the cut of a
    compressed file that is cut short is given; the row with the cut is a bad one.

    Where pyarrow is installed (`pip install 'codex-ml[data]'`) it parses the blocks of which it is certain that the
    answer is that of Python's `csv`, faster.

    Args:
        path: A file, a folder (its .csv and .tsv files), a glob or a list of these; local paths or URLs, compressed
            (gz, bz2, xz, zst) or not.
        columns: The columns that records have, in this order; None for all, in the header's.
        delimiter: The one character between fields; a tab is "\t", in double quotes in YAML.
        quotechar: The character around fields that hold a delimiter or a newline; None where quotes are plain text.
        column_names: The names of the columns of files without a header.
        types: Column to `int`, `float` or `bool` (true or false, 1 or 0).
        encoding: Any text encoding Python knows. UTF-8 is the fastest.
        limit: How many records are given at most.
        skip: How many records are left out before.
        on_bad_rows: `error`: the first bad row ends the reading; `skip`: it is left out; `quarantine`: it is left out,
            and `on_bad_row` keeps it.
        max_row_bytes: How many bytes of UTF-8 a row may have. A row takes several times its size in memory.
        on_bad_row: Called with each row that is left out.

    Returns:
        An iterator of one dict a row: the header's names to the row's texts.

    Raises:
        FileNotFoundError: There is nothing at the path. This and the next are raised when the first or the bad record
            is asked for, not by the call.
        ValueError: An option won't do; or, as `path:line: reason`, a row is bad, or the header is: there is none, it
            has a name twice, or lacks one of `columns` or `types`. The line is the row's first.
        ImportError: A URL or a compression needs a library.
    """
    config = CsvConfig(
        columns=columns,
        delimiter=delimiter,
        quotechar=quotechar,
        column_names=column_names,
        types=types or {},
        encoding=encoding,
        limit=limit,
        skip=skip,
        on_bad_rows=on_bad_rows,
        max_row_bytes=max_row_bytes,
    )
    return read(path, ENDINGS, partial(_batches_of, config), config, on_bad_row)


def _batches_of(config: CsvConfig, place: Place, bad: BadRows) -> Generator[Iterable[dict[str, Any]]]:
    with closing(open_bytes(place)) as file:
        reading = dialect(config.delimiter, config.quotechar)
        blocks = Blocks(file, place, config.encoding, reading, config.max_row_bytes)
        header = read_header(blocks, reading, config.column_names, config.columns, config.types)
        parser = Parser(blocks, header, reading, bad)
        for block in blocks:
            yield from parser.batches(block)
        if blocks.failure is not None:
            bad(place, blocks.line, blocks.failure, blocks.rest)
