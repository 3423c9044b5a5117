"""Records from Parquet files."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from codex_addons.component import component
from codex_ml.data_loaders.arrow_values import values
from codex_ml.data_loaders.parquet_file import ParquetBatches
from codex_ml.data_loaders.reading import BadRows, OnBadRows, ReadingOptions, read, wrong_columns
from codex_ml.data_loaders.records import records
from codex_ml.interfaces import BadRow
from codex_ml.places import Place

__all__ = ["ParquetConfig", "load_parquet"]

ENDINGS = (".parquet", ".pq")


@dataclass(frozen=True)
class ParquetConfig(ReadingOptions):
    """The options of the data loader `parquet`."""

    columns: list[str] | None = field(
        default=None, metadata={"help": "The columns that are read, in this order; null: all."}
    )

    def wrong(self) -> Iterator[str]:
        """What is wrong with the options, each in a sentence."""
        yield from wrong_columns(self.columns)
        yield from super().wrong()


@component(
    config=ParquetConfig, bad_rows=True, endings=ENDINGS, requires=("numpy", "pyarrow"), uses=("fsspec",), extra="data"
)
def load_parquet(
    path: str | Path | Sequence[str | Path],
    *,
    columns: list[str] | None = None,
    limit: int | None = None,
    skip: int = 0,
    on_bad_rows: OnBadRows = "error",
    on_bad_row: Callable[[BadRow], None] | None = None,
) -> Iterator[dict[str, Any]]:
    """Streams the rows of Parquet files.

    The values are those of pyarrow's `to_pylist`: text is `str`, binary `bytes`, a list `list`, a struct `dict`, a map
    a list of pairs, a decimal `Decimal`, a timestamp `datetime`, a date `date`, a missing value `None`. (A timestamp
    finer than a microsecond needs pandas, whose `Timestamp` it is then.) Dictionary-encoded columns give their values.

    A row group is read page by page, a few thousand rows at a time, so that memory does not grow with it; one page of
    each column, about 1 MB as files are usually written, its dictionary and one batch of rows are held. pyarrow uses
    no threads of its own.

    A bad row holds text that is not UTF-8, or a value that Python has none for. Where data are damaged, the rest
    of the row group is one bad row, as nothing in it can be found any more; reading goes on at the next.

    Args:
        path: A file, a folder (its .parquet and .pq files), a glob or a list of these; local paths or URLs.
        columns: The columns that are read, in this order; the others are not touched. None for all.
        limit: How many records are given at most.
        skip: How many records are left out before.
        on_bad_rows: `error`: the first bad row ends the reading; `skip`: it is left out; `quarantine`: it is left out,
            and `on_bad_row` keeps it.
        on_bad_row: Called with each row that is left out. Its line is the row's number, its raw form JSON in which
            bytes that are no UTF-8 stand as escapes from udc80 to udcff; empty where the data are damaged.

    Returns:
        An iterator of one dict a row: the columns' names to the row's values.

    Raises:
        FileNotFoundError: There is nothing at the path. This and the next are raised when the first or the bad record
            is asked for, not by the call.
        ValueError: An option won't do; a file is no Parquet file, has two columns of one name or lacks one of
            `columns`; or, as `path:row: reason`, a row is bad.
        ImportError: pyarrow, or what a URL needs, is missing.
    """
    config = ParquetConfig(columns=columns, limit=limit, skip=skip, on_bad_rows=on_bad_rows)
    return read(path, ENDINGS, partial(_batches_of, config.columns), config, on_bad_row)


def _batches_of(columns: list[str] | None, place: Place, bad: BadRows) -> Generator[Iterable[dict[str, Any]]]:
    with closing(ParquetBatches(place, columns)) as file:
        for start, batch in file.batches(bad):
            yield _records(batch, start, place, bad)


def _records(batch: Any, start: int, place: Place, bad: BadRows) -> Iterable[dict[str, Any]]:
    """The records of a batch whose first row has this number."""
    try:
        return records(batch.schema.names, [values(column) for column in batch.columns])
    except (ValueError, OverflowError):
        return _good_records(batch, start, place, bad)


def _good_records(batch: Any, start: int, place: Place, bad: BadRows) -> Iterator[dict[str, Any]]:
    for index in range(batch.num_rows):
        row: dict[str, Any] = {}
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            try:
                row[name] = column[index].as_py()
            except (ValueError, OverflowError) as error:
                bad(place, start + index, f"{name}: {_reason(error)}", _raw(batch, index))
                break
        else:
            yield row


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 text (byte 0x{error.object[error.start]:02x} at position {error.start + 1})"
    return str(error)


def _raw(batch: Any, index: int) -> bytes:
    """A row that has no Python value, as JSON."""
    shown = {name: _shown(column[index]) for name, column in zip(batch.schema.names, batch.columns, strict=True)}
    return json.dumps(shown).encode()


def _shown(scalar: Any) -> Any:
    import pyarrow as pa

    try:
        value = scalar.as_py()
    except UnicodeDecodeError:
        if not isinstance(scalar, pa.StringScalar | pa.LargeStringScalar):
            return str(scalar.type)
        return scalar.as_buffer().to_pybytes().decode("utf-8", "surrogateescape")
    except (ValueError, OverflowError):
        return str(scalar.type)
    return value if value is None or isinstance(value, str | int | float) else repr(value)
