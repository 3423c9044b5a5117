"""An open Parquet file, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from codex_ml.data_loaders.reading import BadRows
from codex_ml.places import Place, Url, open_bytes

__all__ = ["ParquetBatches"]

_MAGIC = b"PAR1"
_ENCRYPTED = b"PARE"
_KNOWN = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
# Pages are read through a buffer of this size, instead of a row group's column at once.
_BUFFER = 2**18
_BATCH_BYTES = 2**19
_MOST_ROWS = 1024


class ParquetBatches:
    """Opens a file and checks its columns.

    Args:
        place: The file.
        columns: Those that are read; None for all.

    Raises:
        FileNotFoundError: There is none.
        ValueError: It is no Parquet file, has two columns of one name or lacks a wanted one.
        ImportError: pyarrow is missing.
    """

    def __init__(self, place: Place, columns: Sequence[str] | None) -> None:
        try:
            import numpy  # noqa: F401 (pyarrow needs it for some conversions, and does not depend on it)
            import pyarrow as pa
            from pyarrow import parquet
        except ImportError as error:
            raise ImportError(
                f"the data loader parquet needs {error.name}: pip install 'codex-ml[data]'", name=error.name
            ) from error
        self._place = place
        self._damaged = (OSError, pa.ArrowException)
        self._open = ExitStack()
        try:
            file: Any = self._source()
            options: dict[str, Any] = {"buffer_size": _BUFFER, "pre_buffer": False, "memory_map": False}
            try:
                self._file = self._open.enter_context(parquet.ParquetFile(file, **options))
                names = self._file.schema_arrow.names
            except (pa.ArrowException, OSError) as error:
                raise ValueError(f"{place}: no Parquet file, or cut short ({_first_line(error)})") from error
            self._columns = self._checked(names, columns)
        except BaseException:
            self._open.close()
            raise

    def close(self) -> None:
        """Closes the file."""
        self._open.close()

    def batches(self, bad: BadRows) -> Iterator[tuple[int, Any]]:
        """The file's record batches, each with the number of its first row, from 1."""
        start = 1
        for group in range(self._file.num_row_groups):
            meta = self._file.metadata.row_group(group)
            done = 0
            try:
                for batch in self._file.iter_batches(
                    self._batch_rows(meta), row_groups=[group], columns=self._columns, use_threads=False
                ):
                    # A column's name may be that of a field in another one ("a.b"): pyarrow reads both.
                    yield start + done, batch if self._columns is None else batch.select(self._columns)
                    done += batch.num_rows
            except self._damaged as error:
                # Of a store that fails, or of too little memory, the file knows nothing.
                if isinstance(error, MemoryError) or getattr(error, "errno", None) is not None:
                    raise
                told = f"the data from this row to row {start + meta.num_rows - 1} are damaged ({_first_line(error)})"
                bad(self._place, start + done, told, b"")
            start += meta.num_rows

    def _source(self) -> Any:
        """What pyarrow reads: a local path, which it opens itself, or a file."""
        remote: Any = self._open.enter_context(open_bytes(self._place)) if isinstance(self._place, Url) else None
        if remote is None:
            with Path(self._place).open("rb") as file:
                start = file.read(8)
        else:
            start = remote.read(8)
            remote.seek(0)
        if not start.startswith(_MAGIC):
            raise ValueError(f"{self._place}: {_what_it_is(start)}")
        return str(self._place) if remote is None else remote

    def _checked(self, names: Sequence[str], columns: Sequence[str] | None) -> list[str] | None:
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"{self._place}: two columns are called {repeated[0]!r}")
        for name in columns or ():
            if name not in names:
                raise ValueError(
                    f"{self._place}: there is no column {name!r}, which data_loader.columns names; "
                    f"it has: {', '.join(names)}"
                )
        return None if columns is None else list(columns)

    def _batch_rows(self, meta: Any) -> int:
        """So many rows that a batch has about `_BATCH_BYTES`."""
        size = max(1, meta.total_byte_size // max(1, meta.num_rows))
        return max(1, min(_MOST_ROWS, _BATCH_BYTES // size))


def _what_it_is(start: bytes) -> str:
    if start.startswith(_ENCRYPTED):
        return "an encrypted Parquet file, which is not read; decrypt it first"
    packed = next((name for magic, name in _KNOWN.items() if start.startswith(magic)), None)
    if packed:
        return f"the file is compressed by {packed}; Parquet compresses its own columns: unpack it first"
    return "no Parquet file" if start else "an empty file is no Parquet file"


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")
