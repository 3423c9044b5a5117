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
from codex_ml.data_loaders.reading import MAX_ROW_BYTES, BadRows, OnBadRows, TextOptions, read, wrong_columns
from codex_ml.interfaces import BadRow
from codex_ml.places import Place

__all__ = ["JsonlConfig", "load_jsonl"]

_ENDINGS = (".jsonl", ".ndjson", ".json")


@dataclass(frozen=True)
class JsonlConfig(TextOptions):
    """The options of the data loader `jsonl`."""

    columns: list[str] | None = field(default=None, metadata={"help": "Keys to keep, in this order; null: all."})

    def wrong(self) -> Iterator[str]:
        """What is wrong with the options, each in a sentence."""
        yield from wrong_columns(self.columns)
        yield from super().wrong()


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
    config = JsonlConfig(
        columns=columns,
        encoding=encoding,
        limit=limit,
        skip=skip,
        on_bad_rows=on_bad_rows,
        max_row_bytes=max_row_bytes,
    )
    return read(path, _ENDINGS, partial(_batches, config), config, on_bad_row)


def _batches(config: JsonlConfig, place: Place, bad: BadRows) -> Generator[Iterable[dict[str, Any]]]:
    columns = config.columns
    file = LineFile(place, config.encoding, bad, config.max_row_bytes)
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
