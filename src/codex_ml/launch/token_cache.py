"""Tokenised examples on disk, memory-mapped: data larger than memory train like small ones.

A cache is a folder. Each key of the examples is a column, see `token_columns`; `manifest.json`, written last, says what
the columns are.
"""

from __future__ import annotations

import errno
import json
import logging
import operator
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from codex_ml.errors import DataError
from codex_ml.launch.cache_folder import cache_folder, publish, staged_folder
from codex_ml.launch.token_columns import StoredColumn, WrittenColumn

if TYPE_CHECKING:
    import numpy as np

__all__ = ["TokenCache", "build", "open_or_build"]

_log = logging.getLogger(__name__)
_FORMAT = 1
_MANIFEST = "manifest.json"
_BLOCK_ROWS = 1024
_BLOCK_ITEMS = 1 << 18  # numbers or characters


class TokenCache(Sequence[dict[str, Any]]):
    """A built cache. `[i]` gives a new dict with the values that were put in, lists as Python lists.

    It may be pickled and forked; each process maps the same files.

    Attributes:
        folder: Where it lies.
    """

    def __init__(self, folder: Path, rows: int, columns: Mapping[str, StoredColumn]) -> None:
        self.folder = folder
        self._rows = rows
        self._columns = columns
        self._getters = [(name, column.get) for name, column in columns.items()]

    @classmethod
    def open(cls, folder: str | Path) -> TokenCache:
        """Opens a cache.

        Raises:
            DataError: There is none, or it is incomplete or corrupt.
        """
        folder = Path(folder).absolute()
        try:
            manifest = json.loads((folder / _MANIFEST).read_bytes())
            if (manifest["format"], manifest["byteorder"]) != (_FORMAT, sys.byteorder):
                raise ValueError("it was written by another version or machine")
            rows, columns = manifest["rows"], manifest["columns"]
            stored = {
                column["name"]: StoredColumn(folder, number, column["kind"], column["code"], rows)
                for number, column in enumerate(columns)
            }
        except (OSError, ValueError, TypeError, LookupError) as error:
            raise DataError(f"{folder} holds no whole token cache: {error}") from error
        return cls(folder, rows, stored)

    def __len__(self) -> int:
        return self._rows

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        if isinstance(index, slice):
            return [self[row] for row in range(*index.indices(self._rows))]
        row = operator.index(index)
        if row < 0:
            row += self._rows
        if not 0 <= row < self._rows:
            raise IndexError(f"example {index} of {self._rows}")
        return {name: get(row) for name, get in self._getters}

    def __reduce__(self) -> tuple[Any, ...]:
        return TokenCache.open, (self.folder,)

    @cached_property
    def lengths(self) -> np.ndarray:
        """The number of `input_ids` of each example, int64 [examples], read-only; the ids aren't read.

        Raises:
            DataError: The examples have no `input_ids`, or not always a list of integers there.
        """
        import numpy as np

        column = self._columns.get("input_ids")
        if self._rows and (column is None or column.kind not in {"ints", "empty"}):
            raise DataError("every example needs `input_ids`, a list of integers")
        ends = np.frombuffer(column.offsets, dtype=np.int64) if column else np.zeros(1, dtype=np.int64)
        lengths = np.diff(ends)
        lengths.setflags(write=False)
        return lengths


def build(folder: str | Path, examples: Iterable[Mapping[str, Any]]) -> TokenCache:
    """Writes a cache in bounded memory; it is there whole or not at all, however the process ends.

    Where several processes build the same folder the first to finish wins. What is there and isn't whole is replaced.

    Args:
        folder: The cache's folder; it may exist if it holds nothing else.
        examples: Dicts with the same keys. Values are what JSON has: numbers, strings, booleans, None, lists and dicts
            with string keys (no tuples, no numpy); NaN and integers of any size are kept. None of them may be changed
            once it was given.

    Raises:
        DataError: The examples don't fit, the folder holds other files, or the disk is full.
    """
    folder = Path(folder).absolute()
    if folder.exists() and not _may_replace(folder):
        raise DataError(f"{folder} holds something that is no token cache; choose another folder")
    with ExitStack() as stack:
        with _writing(folder):
            staged = stack.enter_context(staged_folder(folder))
        writer = _Writer(staged, folder)
        for example in examples:
            writer.add(example)
        writer.finish()
        with _writing(folder):
            publish(staged, folder, _is_whole)
    return TokenCache.open(folder)


def open_or_build(key: str, make: Callable[[], Iterator[dict[str, Any]]]) -> TokenCache:
    """The cache of a key, built where there is none that is whole.

    Args:
        key: Names everything the examples depend on: letters, digits and `._=-`.
        make: Called for the examples, only when they are needed.

    Raises:
        DataError: As `build`.
        ValueError: The key is no file name.
    """
    if not re.fullmatch(r"[A-Za-z0-9_=-][A-Za-z0-9._=-]*", key):
        raise ValueError(f"{key!r} cannot name a token cache")
    folder = cache_folder() / "tokens" / key
    if folder.exists():
        try:
            return TokenCache.open(folder)
        except DataError as error:
            _log.warning("%s; it is built again", error)
    return build(folder, make())


def _may_replace(folder: Path) -> bool:
    """Whether a folder has no files but a cache's."""
    own = re.compile(r"manifest\.json|\d+\.(values|offsets)")
    return folder.is_dir() and all(own.fullmatch(path.name) for path in folder.iterdir())


def _is_whole(folder: Path) -> bool:
    try:
        TokenCache.open(folder)
    except DataError:
        return False
    return True


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Tells what to do when the disk is full or can't be written."""
    try:
        yield
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
        remedy = "free some space there or set" if full else "set"
        raise DataError(
            f"cannot write the token cache {folder}: {error.strerror}; {remedy} CODEX_ML_CACHE_DIR to another folder"
        ) from error


class _Writer:
    """Gathers examples by column and writes them a block at a time."""

    def __init__(self, staged: Path, folder: Path) -> None:
        self._staged, self._folder = staged, folder
        self._columns: dict[str, WrittenColumn] = {}
        self._pending: dict[str, list[Any]] = {}
        self._rows = self._written = self._items = 0

    def add(self, example: Mapping[str, Any]) -> None:
        if self._rows == 0:
            self._start(example)
        if example.keys() != self._pending.keys():
            raise DataError(
                f"example {self._rows} has the keys {sorted(map(str, example))}, those before it have "
                f"{sorted(self._pending)}; all need the same"
            )
        for name, values in self._pending.items():
            value = example[name]
            values.append(value)
            if type(value) in (list, str):
                self._items += len(value)
        self._rows += 1
        if self._rows - self._written == _BLOCK_ROWS or self._items >= _BLOCK_ITEMS:
            self._flush()

    def _start(self, first: Mapping[str, Any]) -> None:
        if not first or not all(isinstance(name, str) for name in first):
            raise DataError(f"an example needs strings for keys, and at least one; the first has {list(first)}")
        self._columns = {name: WrittenColumn(self._staged, number, name) for number, name in enumerate(first)}
        self._pending = {name: [] for name in first}

    def _flush(self) -> None:
        for name, column in self._columns.items():
            try:
                with _writing(self._folder):
                    column.add(self._pending[name])
            except TypeError as error:
                raise DataError(str(error)) from None
            self._pending[name] = []
        self._written, self._items = self._rows, 0

    def finish(self) -> None:
        if self._rows > self._written:
            self._flush()
        columns = [{"name": c.name, "kind": c.kind, "code": c.code} for c in self._columns.values()]
        manifest = {"format": _FORMAT, "byteorder": sys.byteorder, "rows": self._rows, "columns": columns}
        with _writing(self._folder):
            (self._staged / _MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
