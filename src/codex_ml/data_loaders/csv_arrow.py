"""Blocks of a CSV file by pyarrow, where its answer is certain to be that of Python's `csv`."""

from __future__ import annotations

import codecs
from typing import Any

from codex_ml.data_loaders.csv_blocks import Block

__all__ = ["ArrowParser", "arrow_parser"]


def arrow_parser(delimiter: str, quotechar: str | None, width: int) -> ArrowParser | None:
    """A parser for rows of so many fields; None where pyarrow or numpy is missing, or takes no such characters."""
    if not (delimiter.isascii() and (quotechar is None or quotechar.isascii())):
        return None
    try:
        return ArrowParser(delimiter, quotechar, width)
    except ImportError:
        return None


class ArrowParser:
    """Parses whole blocks.

    pyarrow takes what a strict `csv.reader` refuses: text behind a closing quote, and a quote that is never closed. So
    it gets only blocks whose quotes stand where RFC 4180 has them. Counted from the block's start, each first of two
    stands at the start of a field or behind a quote, each second at the end of a field or before one: by
    induction from the first on, both are then in a quoted field at the same bytes, and on all else they agree.

    Args:
        delimiter: The ASCII character between fields.
        quotechar: The ASCII character around fields; None where there is none.
        width: The fields of a row.

    Raises:
        ImportError: pyarrow or numpy is missing.
    """

    def __init__(self, delimiter: str, quotechar: str | None, width: int) -> None:
        import numpy as np
        import pyarrow as pa
        from pyarrow import csv

        self._np, self._buffer, self._read_csv = np, pa.py_buffer, csv.read_csv
        self._reader_of, self._invalid = pa.BufferReader, pa.ArrowInvalid
        names = [str(number) for number in range(width)]
        self._options: dict[str, Any] = {
            # A block is to be parsed in one go, and by this thread alone.
            "read_options": csv.ReadOptions(use_threads=False, block_size=2**31 - 1, column_names=names),
            "parse_options": csv.ParseOptions(
                delimiter=delimiter, quote_char=quotechar or False, double_quote=True, newlines_in_values=True
            ),
            "convert_options": csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), null_values=[], strings_can_be_null=False
            ),
        }
        self._quote = None if quotechar is None else ord(quotechar)
        around = np.zeros(256, dtype=bool)
        around[[ord(each) for each in (delimiter, quotechar or delimiter, "\r", "\n")]] = True
        self._around = around

    def columns(self, block: Block) -> list[list[str]] | None:
        """The columns of a block; None where it is for `csv.reader` to say what they are, or what is wrong."""
        # pyarrow would take the first character of a block for a byte order mark.
        if block.buffer.startswith(codecs.BOM_UTF8) or not self._is_certain(block):
            return None
        try:
            table = self._read_csv(self._reader_of(self._buffer(block.buffer).slice(0, block.size)), **self._options)
            return [column.to_pylist() for column in table.columns]
        except (self._invalid, UnicodeDecodeError):
            return None

    def _is_certain(self, block: Block) -> bool:
        if self._quote is None:
            return True
        text = self._np.frombuffer(block.buffer, dtype=self._np.uint8, count=block.size)
        quotes = self._np.flatnonzero(text == self._quote)
        if len(quotes) % 2:
            return False
        before, after = quotes[0::2] - 1, quotes[1::2] + 1
        # The block's own start and end are those of a field.
        before = before[before >= 0]
        after = after[after < len(text)]
        return bool(self._around[text[before]].all() and self._around[text[after]].all())
