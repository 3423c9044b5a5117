"""Records from JSON Lines files."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from codex_addons.component import component
from codex_ml.data_loaders.json_block import record_of, records_of, records_or_none
from codex_ml.data_loaders.line_file import LineFile
from codex_ml.data_loaders.reading import (
    MAX_ROW_BYTES,
    MAX_ROW_BYTES_HELP,
    BadRows,
    OnBadRows,
    read_batches,
    wrong_columns,
    wrong_encoding,
    wrong_options,
    wrong_row_bytes,
)
from codex_ml.interfaces import BadRow
from codex_ml.places import Place

__all__ = ["JsonlConfig", "load_jsonl"]

_ENDINGS = (".jsonl", ".ndjson", ".json")


@dataclass(frozen=True)
class JsonlConfig:
    """The options of the data loader `jsonl`."""

    columns: list[str] | None = field(default=None, metadata={"help": "Keys to keep, in this order; null: all."})
    encoding: str = field(default="utf-8", metadata={"help": "Any text encoding Python knows; UTF-8 is the fastest."})
    limit: int | None = field(
        default=None, metadata={"help": "Records to read at most, of each file of a run; null: all."}
    )
    skip: int = field(default=0, metadata={"help": "Records to leave out at the start of each file of a run."})
    on_bad_rows: OnBadRows = field(
        default="error", metadata={"help": "What a bad row does: end the run, be left out, or be kept aside."}
    )
    max_row_bytes: int = field(default=MAX_ROW_BYTES, metadata={"help": MAX_ROW_BYTES_HELP})

    def __post_init__(self) -> None:
        common = wrong_options(limit=self.limit, skip=self.skip, on_bad_rows=self.on_bad_rows)
        wrong = [
            *wrong_columns(self.columns),
            *wrong_encoding(self.encoding),
            *common,
            *wrong_row_bytes(self.max_row_bytes),
        ]
        if wrong:
            raise ValueError("; ".join(wrong))


@component(
    config=JsonlConfig,
    bad_rows=True,
    endings=_ENDINGS,
    requires=("msgspec", "orjson"),
    uses=("backports.zstd", "fsspec"),
)
def load_jsonl(
    path: str | Path | Sequence[str | Path],
    *,
    columns: list[str] | None = None,
    encoding: str = "utf-8",
    limit: int | None = None,
    skip: int = 0,
    on_bad_rows: OnBadRows = "error",
    max_row_bytes: int = MAX_ROW_BYTES,
    on_bad_row: Callable[[BadRow], None] | None = None,
) -> Iterator[dict[str, Any]]:
    """Streams the JSON objects of files, one a line.

    Only a newline ends a line, so a string may hold U+2028; CRLF, blank lines and a byte order mark are fine. A value
    is what the JSON says: integers are exact, and what JSON doesn't have (NaN, numbers beyond every float, half a
    surrogate pair) or leaves open (one key twice in an object) makes a bad row.

    Args:
        path: A file, a folder (its files .jsonl, .ndjson and .json, packed or not), a glob or a list of these; local
            paths or URLs, plain or as gz, bz2, xz or zst.
        columns: Keys to keep, in this order; None: all. A record has those of them that its row has; a row that has
            none of them is a bad row.
        encoding: Any text encoding Python knows. UTF-8 is the fastest.
        limit: Records to read at most.
        skip: Records to leave out at the start.
        on_bad_rows: `error` ends the reading with the first bad row; `skip` leaves bad rows out; `quarantine` does so
            and has `on_bad_row` keep them.
        max_row_bytes: How many bytes of UTF-8 a line may have, give or take the 64 KiB that are read at once. A longer
            one is a bad row, of which no more than that is kept.
        on_bad_row: Called with each row that is left out.

    Yields:
        One dict a record.

    Raises:
        FileNotFoundError: There is nothing at the path. This and the others are raised when the first or the bad record
            is asked for, but for options that are wrong.
        ValueError: An option is wrong; a file is of another kind; or a row is bad, which reads `path:line: reason`:
            malformed, not in the encoding, no object, or in a compressed file that is cut short.
        ImportError: A library for the URL or the compression is missing.
    """
    JsonlConfig(columns, encoding, limit, skip, on_bad_rows, max_row_bytes)
    options: dict[str, Any] = {"on_bad_rows": on_bad_rows, "on_bad_row": on_bad_row, "limit": limit, "skip": skip}
    batches = partial(_batches, encoding=encoding, columns=columns, max_row_bytes=max_row_bytes)
    return read_batches(path, _ENDINGS, batches, **options)


def _batches(
    place: Place, bad: BadRows, *, encoding: str, columns: Sequence[str] | None, max_row_bytes: int
) -> Generator[Iterable[dict[str, Any]]]:
    file = LineFile(place, encoding, bad, max_row_bytes)
    for block in file.blocks():
        records = _chosen(records_of(block), columns)
        if records is not None:
            yield records
            file.line += len(records)
            continue
        lines = block.removesuffix(b"\n").split(b"\n")
        filled = [(number, line) for number, line in enumerate(lines, file.line) if line and not line.isspace()]
        if len(filled) < len(lines):
            records = _chosen(records_of(b"\n".join([line for _, line in filled])), columns)
        yield _one_by_one(filled, file, columns) if records is None else records
        file.line += len(lines)


def _one_by_one(
    rows: Sequence[tuple[int, bytes]], file: LineFile, columns: Sequence[str] | None
) -> Iterator[dict[str, Any]]:
    found = records_or_none([line for _, line in rows])
    for (number, line), certain in zip(rows, found, strict=True):
        try:
            record = record_of(line) if certain is None else certain
            kept = _chosen([record], columns)
            if kept is None:
                raise ValueError(f"there is none of the columns {', '.join(columns or ())} ({_has(record)})")
        except ValueError as error:
            file.refuse(number, str(error), line)
        else:
            yield kept[0]


def _has(record: dict[str, Any]) -> str:
    return f"it has: {', '.join(record)}" if record else "the object is empty"


def _chosen(records: list[dict[str, Any]] | None, columns: Sequence[str] | None) -> list[dict[str, Any]] | None:
    """The records with these columns; None where one has none of them."""
    if columns is None or records is None:
        return records
    kept = [{name: record[name] for name in columns if name in record} for record in records]
    return kept if all(kept) else None
