"""The texts in a column of a Parquet file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

from codex_ml.places import Place, Url, open_bytes
from codex_ml.tokenizers.corpus_formats import missing_column, texts_in

__all__ = ["parquet_texts"]

_BUFFER = 2**18
_BATCH_BYTES = 2**19
_MOST_ROWS = 1024


def parquet_texts(file: Place, columns: Sequence[str], seen: Any) -> Iterator[str]:
    """Yields the texts of columns row by row.

    Args:
        file: The file.
        columns: The columns' names.
        seen: A hash, which is fed the texts.

    Raises:
        ValueError: The file is no Parquet file, is damaged or lacks a column; or, as `path:row: reason`, a value is no
            text.
        ImportError: pyarrow is missing.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise ImportError(
            f"tokenizer.train_files: {file} needs pyarrow ({error}): pip install 'codex-ml[data]'"
        ) from error
    with ExitStack() as opened:
        source: Any = opened.enter_context(open_bytes(file)) if isinstance(file, Url) else str(file)
        try:
            read: Any = opened.enter_context(
                parquet.ParquetFile(source, buffer_size=_BUFFER, pre_buffer=False, memory_map=False)
            )
            names = read.schema_arrow.names
            for column in columns:
                if names.count(column) != 1:
                    raise ValueError(f"{file}:1: {_wrong_column(column, names)}")
            yield from _texts(read, columns, seen, file)
        except (OSError, pa.ArrowException) as error:
            # Of a store that fails, or of too little memory, the file knows nothing.
            if isinstance(error, MemoryError) or getattr(error, "errno", None) is not None:
                raise
            reason = str(error).partition("\n")[0]
            raise ValueError(f"tokenizer.train_files: {file} is no Parquet file, or damaged ({reason})") from error


def _texts(read: Any, columns: Sequence[str], seen: Any, file: Place) -> Iterator[str]:
    start = 1
    for group in range(read.num_row_groups):
        meta = read.metadata.row_group(group)
        rows = max(1, min(_MOST_ROWS, _BATCH_BYTES // max(1, meta.total_byte_size // max(1, meta.num_rows))))
        for batch in read.iter_batches(rows, row_groups=[group], columns=[*columns], use_threads=False):
            # A column's name may be that of a field in another one ("a.b"): pyarrow reads both.
            values = [_values(batch.column(column), start, file) for column in columns]
            for number, row in enumerate(zip(*values, strict=True), start):
                for text in _texts_of_row(row, columns, f"{file}:{number}"):
                    data = text.encode()
                    seen.update(b"%d:%b" % (len(data), data))
                    yield text
            start += batch.num_rows


def _texts_of_row(row: Sequence[Any], columns: Sequence[str], where: str) -> list[str]:
    try:
        return [text for column, value in zip(columns, row, strict=True) for text in texts_in(value, column)]
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _values(column: Any, start: int, file: Place) -> list[Any]:
    try:
        return column.to_pylist()
    except UnicodeDecodeError:
        for number, scalar in enumerate(column, start):
            try:
                scalar.as_py()
            except UnicodeDecodeError as error:
                raise ValueError(f"{file}:{number}: not UTF-8: {error.reason} at byte {error.start + 1}") from error
        raise


def _wrong_column(column: str, names: Sequence[str]) -> str:
    if column in names:
        return f"two columns are called {column!r}, which tokenizer.train_column names"
    return missing_column(column, names)
