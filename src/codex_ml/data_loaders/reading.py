"""What every loader does alike: it goes through files, leaves rows out, and says what becomes of bad ones."""

from __future__ import annotations

import codecs
import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal, get_args

from codex_ml.interfaces import BadRow
from codex_ml.places import Place, files_in

__all__ = [
    "MAX_ROW_BYTES",
    "MAX_ROW_BYTES_HELP",
    "BadRows",
    "BatchesOf",
    "OnBadRows",
    "RecordsOf",
    "read",
    "read_batches",
    "wrong_columns",
    "wrong_encoding",
    "wrong_options",
    "wrong_row_bytes",
]

log = logging.getLogger(__name__)

OnBadRows = Literal["error", "skip", "quarantine"]
MAX_ROW_BYTES = 2**26
_LEAST_ROW_BYTES = 2**20
MAX_ROW_BYTES_HELP = "Bytes of UTF-8 a row may have, 1 MiB or more; a longer row is bad."


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
RecordsOf = Callable[[Place, BadRows], Generator[Record]]
BatchesOf = Callable[[Place, BadRows], Generator[Iterable[Record]]]


def read(
    path: str | Path | Sequence[str | Path],
    endings: Sequence[str],
    records_of: RecordsOf,
    *,
    on_bad_rows: OnBadRows,
    on_bad_row: Callable[[BadRow], None] | None,
    limit: int | None,
    skip: int,
) -> Iterator[Record]:
    """The records of all files at a path, in order; nothing is opened before the first is asked for.

    Args:
        path: A file, a folder, a glob or a list of these; see `codex_ml.places.files_in`.
        endings: Which files of a folder are meant.
        records_of: Reads one file. It is closed with the iterator, and closes its file then.
        on_bad_rows: What becomes of bad rows.
        on_bad_row: Called with each bad row that is left out.
        limit: How many records are given at most, over all files.
        skip: How many records are left out before, over all files. Bad rows among them are told, and don't count.

    Raises:
        ValueError: An option is wrong.
    """

    def batches_of(place: Place, bad: BadRows) -> Generator[Iterable[Record]]:
        with closing(records_of(place, bad)) as records:
            yield records

    options: dict[str, Any] = {"on_bad_rows": on_bad_rows, "on_bad_row": on_bad_row, "limit": limit, "skip": skip}
    return read_batches(path, endings, batches_of, **options)


def read_batches(
    path: str | Path | Sequence[str | Path],
    endings: Sequence[str],
    batches_of: BatchesOf,
    *,
    on_bad_rows: OnBadRows,
    on_bad_row: Callable[[BadRow], None] | None,
    limit: int | None,
    skip: int,
) -> Iterator[Record]:
    """As `read`, of a reader that gives several records at a time, which takes less time for each."""
    wrong = [*wrong_options(limit=limit, skip=skip, on_bad_rows=on_bad_rows)]
    if wrong:
        raise ValueError("; ".join(wrong))
    bad = BadRows(on_bad_rows, on_bad_row)
    return _chosen(_of_all(path, endings, batches_of, bad), bad, skip, limit)


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


def wrong_options(*, limit: Any, skip: Any, on_bad_rows: Any) -> Iterator[str]:
    """What is wrong with the options that all loaders have, each in a sentence."""
    if limit is not None and (not _is_count(limit) or limit < 1):
        yield f"data_loader.limit must be a whole number, 1 or more, or null for all records, not {limit!r}"
    if not _is_count(skip) or skip < 0:
        yield f"data_loader.skip must be a whole number, 0 or more, not {skip!r}"
    if on_bad_rows not in get_args(OnBadRows):
        yield f"data_loader.on_bad_rows must be {_CHOICES}, not {on_bad_rows!r}"


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def wrong_row_bytes(max_row_bytes: Any) -> Iterator[str]:
    """What is wrong with the size of the longest row."""
    if not _is_count(max_row_bytes) or max_row_bytes < _LEAST_ROW_BYTES:
        yield f"data_loader.max_row_bytes must be a whole number, {_LEAST_ROW_BYTES} or more, not {max_row_bytes!r}"


def wrong_columns(columns: Any) -> Iterator[str]:
    """What is wrong with a projection."""
    if columns is None:
        return
    if isinstance(columns, str) or not isinstance(columns, Sequence) or not all(isinstance(c, str) for c in columns):
        yield f"data_loader.columns must be a list of column names, or null for all, not {columns!r}"
    elif not columns:
        yield "data_loader.columns is empty; name the columns that are wanted, or null for all"
    elif len(set(columns)) < len(columns):
        twice = next(name for name in columns if columns.count(name) > 1)
        yield f"data_loader.columns has {twice!r} twice"


def wrong_encoding(encoding: Any) -> Iterator[str]:
    """What is wrong with a text encoding."""
    if not isinstance(encoding, str):
        yield f"data_loader.encoding must be the name of a text encoding, not {encoding!r}"
        return
    try:
        # Python has codecs from bytes to bytes as well ("hex"), which `encode` refuses.
        "".encode(codecs.lookup(encoding).name)
    except (LookupError, ValueError):
        yield f"data_loader.encoding: unknown encoding {encoding!r}; utf-8, latin-1 and utf-16 are some"
