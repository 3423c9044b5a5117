"""What every loader does alike: it goes through files, leaves rows out, and says what becomes of bad ones."""

from __future__ import annotations

import codecs
import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal, get_args

from codex_ml.interfaces import BadRow
from codex_ml.places import Place, files_in

__all__ = [
    "MAX_ROW_BYTES",
    "BadRows",
    "BatchesOf",
    "OnBadRows",
    "ReadingOptions",
    "TextOptions",
    "read",
    "wrong_columns",
]

log = logging.getLogger(__name__)

OnBadRows = Literal["error", "skip", "quarantine"]
MAX_ROW_BYTES = 2**26
_LEAST_ROW_BYTES = 2**20


@dataclass(frozen=True)
class ReadingOptions:
    """The options that every loader has. A loader's own class adds to `wrong` what may be wrong with its own."""

    limit: int | None = field(
        default=None, metadata={"help": "Records to read at most, of each file of a run; null: all."}
    )
    skip: int = field(default=0, metadata={"help": "Records to leave out at the start of each file of a run."})
    on_bad_rows: OnBadRows = field(
        default="error", metadata={"help": "What a bad row does: end the run, be left out, or be kept aside."}
    )

    def __post_init__(self) -> None:
        if wrong := [*self.wrong()]:
            raise ValueError("; ".join(wrong))

    def wrong(self) -> Iterator[str]:
        """What is wrong with the options, each in a sentence."""
        if self.limit is not None and (not _is_count(self.limit) or self.limit < 1):
            yield f"data_loader.limit must be a whole number, 1 or more, or null for all records, not {self.limit!r}"
        if not _is_count(self.skip) or self.skip < 0:
            yield f"data_loader.skip must be a whole number, 0 or more, not {self.skip!r}"
        if self.on_bad_rows not in get_args(OnBadRows):
            yield f"data_loader.on_bad_rows must be {_CHOICES}, not {self.on_bad_rows!r}"


@dataclass(frozen=True)
class TextOptions(ReadingOptions):
    """The options of loaders of text as well."""

    encoding: str = field(default="utf-8", metadata={"help": "Any text encoding Python knows; UTF-8 is the fastest."})
    max_row_bytes: int = field(
        default=MAX_ROW_BYTES,
        metadata={"help": "Bytes of UTF-8 a row may have, 1 MiB or more; a longer row is bad."},
    )

    def wrong(self) -> Iterator[str]:
        """What is wrong with the options, each in a sentence."""
        yield from _wrong_encoding(self.encoding)
        yield from super().wrong()
        if not _is_count(self.max_row_bytes) or self.max_row_bytes < _LEAST_ROW_BYTES:
            least = f"data_loader.max_row_bytes must be a whole number, {_LEAST_ROW_BYTES} or more"
            yield f"{least}, not {self.max_row_bytes!r}"


class BadRows:
    """What is done with rows of which no record can be made.

    Args:
        choice: `error`: the first one ends the reading; `skip` and `quarantine`: it is left out, and told.
        tell: Called with each row that is left out. Without it, `skip` logs how many there were.

    Raises:
        ValueError: The choice is no such one, or `quarantine` has nobody to tell.
    """

    def __init__(self, choice: OnBadRows, tell: Callable[[BadRow], None] | None) -> None:
        if choice not in get_args(OnBadRows):
            raise ValueError(f"data_loader.on_bad_rows must be {_CHOICES}, not {choice!r}")
        if choice == "quarantine" and tell is None:
            raise ValueError(
                "data_loader.on_bad_rows=quarantine needs `on_bad_row`, a function that keeps the rows; or take skip"
            )
        self._choice = choice
        self._tell = tell
        self._count = 0
        self._first = ""

    def __call__(self, place: Place, line: int, reason: str, raw: bytes) -> None:
        """Deals with one bad row.

        Args:
            place: Its file.
            line: The line it starts on, or the row's number, from 1.
            reason: What is wrong with it.
            raw: The row as it stands in the file.

        Raises:
            ValueError: The choice is `error`; the message reads `place:line: reason`.
        """
        told = f"{place}:{line}: {reason}"
        if self._choice == "error":
            raise ValueError(told)
        self._first = self._first or told
        self._count += 1
        if self._tell is not None:
            self._tell(BadRow(str(place), line, reason, raw))

    def end(self) -> None:
        """Logs what was left out, where nobody was told."""
        if self._count and self._tell is None:
            rows = "1 bad row was" if self._count == 1 else f"{self._count} bad rows were"
            log.warning("%s left out; the first: %s", rows, self._first)


Record = dict[str, Any]
BatchesOf = Callable[[Place, BadRows], Generator[Iterable[Record]]]


def read(
    path: str | Path | Sequence[str | Path],
    endings: Sequence[str],
    batches_of: BatchesOf,
    options: ReadingOptions,
    on_bad_row: Callable[[BadRow], None] | None,
) -> Iterator[Record]:
    """The records of all files at a path, in order; nothing is opened before the first is asked for.

    Args:
        path: A file, a folder, a glob or a list of these; see `codex_ml.places.files_in`.
        endings: Which files of a folder are meant.
        batches_of: Reads one file, several records at a time. It is closed with the iterator, and closes its file then.
        options: `limit` and `skip` count the records of all files. Bad rows among them are told, and don't count.
        on_bad_row: Called with each bad row that is left out.

    Raises:
        ValueError: Bad rows are to be kept, and there is no `on_bad_row`.
    """
    bad = BadRows(options.on_bad_rows, on_bad_row)
    return _chosen(_of_all(path, endings, batches_of, bad), bad, options.skip, options.limit)


def _of_all(
    path: str | Path | Sequence[str | Path], endings: Sequence[str], batches_of: BatchesOf, bad: BadRows
) -> Generator[Iterable[Record]]:
    for place in files_in(path, endings):
        yield from batches_of(place, bad)


def _chosen(batches: Generator[Iterable[Record]], bad: BadRows, skip: int, limit: int | None) -> Iterator[Record]:
    records = chain.from_iterable(batches)
    try:
        yield from islice(records, skip, None if limit is None else skip + limit) if skip or limit else records
    finally:
        batches.close()
        bad.end()


_CHOICES = ", ".join(get_args(OnBadRows)[:-1]) + f" or {get_args(OnBadRows)[-1]}"


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def wrong_columns(columns: Any) -> Iterator[str]:
    """What is wrong with a projection."""
    if columns is None:
        return
    if isinstance(columns, str) or not isinstance(columns, Sequence) or not all(isinstance(c, str) for c in columns):
        yield f"data_loader.columns must be a list of column names, or null for all, not {columns!r}"
    elif not columns:
        yield "data_loader.columns must name at least one column, or be null for all"
    elif len(set(columns)) < len(columns):
        twice = next(name for name in columns if columns.count(name) > 1)
        yield f"data_loader.columns has {twice!r} twice"


def _wrong_encoding(encoding: Any) -> Iterator[str]:
    """What is wrong with a text encoding."""
    if not isinstance(encoding, str):
        yield f"data_loader.encoding must be the name of a text encoding, not {encoding!r}"
        return
    try:
        # Python has codecs from bytes to bytes as well ("hex"), which `encode` refuses.
        "".encode(codecs.lookup(encoding).name)
    except (LookupError, ValueError):
        yield f"data_loader.encoding: unknown encoding {encoding!r} (utf-8, latin-1 and utf-16 are some)"
