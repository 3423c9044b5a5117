"""The columns of a token cache: one key's values on disk, in the narrowest kind that gives them back exactly.

| kind | values | in `<number>.values` |
|---|---|---|
| bool, int, float | that type | flat numbers |
| ints, floats | lists of that type | their numbers, one after the other |
| empty | empty lists only, so far | nothing |
| text | strings | UTF-8 |
| json | all else that JSON has | JSON |

Integers take the narrowest signed type that holds all of them. Where the values' sizes differ, `<number>.offsets` has
the row's start and end in the values, int64 [rows + 1].
"""

from __future__ import annotations

import json
import mmap
import os
from array import array
from collections.abc import Callable
from itertools import accumulate, chain
from math import isfinite
from pathlib import Path
from typing import Any, cast

import orjson

__all__ = ["StoredColumn", "WrittenColumn"]

_INT_CODES = "bhiq"  # array's codes of 8, 16, 32 and 64 bits
_FLAT = {"bool", "int", "float"}
_LISTS = {"empty", "ints", "floats"}
_BLOCK_ROWS = 1024
_BLOCK_ITEMS = 1 << 18


class StoredColumn:
    """A column, read when used.

    Attributes:
        kind: See the module.
        get: The value of a row.
        values: All numbers or bytes.
        offsets: int64 [rows + 1]; empty for flat numbers.
    """

    def __init__(self, folder: Path, number: int, kind: str, code: str, rows: int) -> None:
        """Maps the files.

        Raises:
            OSError: A file is missing.
            ValueError: A file is not as long as it should be.
            LookupError: There is no such kind.
            TypeError: A file doesn't hold whole numbers.
        """
        self.kind = kind
        self.values = _mapped(folder / f"{number}.values", code)
        self.offsets = memoryview(array("q")) if kind in _FLAT else _mapped(folder / f"{number}.offsets", "q")
        if kind in _FLAT:
            whole = len(self.values) == rows
        else:
            whole = len(self.offsets) == rows + 1 and (self.offsets[0], self.offsets[rows]) == (0, len(self.values))
        if not whole:
            raise ValueError(f"column {number} is not complete")
        self.get = _getter(kind, self.values, self.offsets)


def _mapped(path: Path, code: str) -> memoryview:
    with path.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return memoryview(array(code))
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return memoryview(content).cast(cast(Any, code))


def _getter(kind: str, values: memoryview, offsets: memoryview) -> Callable[[int], Any]:
    def part(row: int) -> memoryview:
        return values[offsets[row] : offsets[row + 1]]

    getters: dict[str, Callable[[int], Any]] = {
        "bool": lambda row: bool(values[row]),
        "int": values.__getitem__,
        "float": values.__getitem__,
        "text": lambda row: str(part(row), "utf-8", "surrogatepass"),
        "json": lambda row: _decoded(part(row)),
        **dict.fromkeys(_LISTS, lambda row: values[offsets[row] : offsets[row + 1]].tolist()),
    }
    return getters[kind]


class WrittenColumn:
    """A column being written; it turns to a wider kind when a value doesn't fit.

    Attributes:
        name: The key.
        kind: See the module; empty before the first values.
        code: The array code of the values.
    """

    def __init__(self, folder: Path, number: int, name: str) -> None:
        self.name, self.kind, self.code = name, "", "b"
        self._folder, self._number = folder, number
        self._rows = self._end = 0

    def add(self, values: list[Any]) -> None:
        """Appends values, at least one.

        Raises:
            TypeError: A value is nothing that JSON has.
            OSError: They can't be written.
        """
        kind, code = _fitting(values)
        if not self.kind or (self.kind == "empty" and kind in _LISTS):
            self.kind, self.code = kind, code
        elif kind != self.kind and not (kind == "empty" and self.kind in _LISTS):
            self._to_json()
        elif kind in {"int", "ints"} and _INT_CODES.index(code) > _INT_CODES.index(self.code):
            self._widen(code)
        self._append(values)

    def _to_json(self) -> None:
        if self.kind == "json":
            return
        stored, rows = self._taken("values", "offsets"), self._rows
        self.kind, self.code, self._rows, self._end = "json", "B", 0, 0
        for start in range(0, rows, _BLOCK_ROWS):
            self._append([stored.get(row) for row in range(start, min(start + _BLOCK_ROWS, rows))])

    def _widen(self, code: str) -> None:
        old, self.code = self._taken("values").values, code
        for start in range(0, len(old), _BLOCK_ITEMS):
            self._write("values", array(code, old[start : start + _BLOCK_ITEMS].tolist()))

    def _taken(self, *parts: str) -> StoredColumn:
        """What was written so far, mapped; these files are gone, to be written anew."""
        stored = StoredColumn(self._folder, self._number, self.kind, self.code, self._rows)
        for part in parts:
            (self._folder / f"{self._number}.{part}").unlink(missing_ok=True)
        return stored

    def _append(self, values: list[Any]) -> None:
        parts = values
        if self.kind in _FLAT:
            content: array[Any] | bytes = array(self.code, values)
        elif self.kind in _LISTS:
            content = array(self.code, chain.from_iterable(values))
        else:
            parts = [_text(value) for value in values] if self.kind == "text" else self._json(values)
            content = b"".join(parts)
        self._write("values", content)
        if self.kind not in _FLAT:
            ends = array("q", accumulate(map(len, parts), initial=self._end))
            self._end = ends[-1]
            self._write("offsets", ends if self._rows == 0 else ends[1:])
        self._rows += len(values)

    def _json(self, values: list[Any]) -> list[bytes]:
        parts = []
        for row, value in enumerate(values, self._rows):
            try:
                parts.append(_encoded(value))
            except TypeError as error:
                raise TypeError(f"example {row} has in {self.name!r} {error}") from None
        return parts

    def _write(self, part: str, content: array[Any] | bytes) -> None:
        with (self._folder / f"{self._number}.{part}").open("ab") as file:
            file.write(content)


def _fitting(values: list[Any]) -> tuple[str, str]:
    """The narrowest kind of some values, and the code of its numbers."""
    types = set(map(type, values))
    if len(types) != 1:
        return "json", "B"
    (only,) = types
    if only is list:
        types = set(map(type, chain.from_iterable(values)))
        if not types:
            return "empty", "b"
        if types == {float}:
            return "floats", "d"
        code = _int_code(list(chain.from_iterable(values))) if types == {int} else None
        return ("ints", code) if code else ("json", "B")
    code = _int_code(values) if only is int else None
    if code:
        return "int", code
    return {bool: ("bool", "b"), float: ("float", "d"), str: ("text", "B")}.get(only, ("json", "B"))


def _int_code(values: list[int]) -> str | None:
    """The code of the narrowest integers that hold the values, None where none does."""
    low, high = min(values), max(values)
    bits = max(high, ~low).bit_length()  # a negative number -n fits wherever n - 1 does
    return next((code for code in _INT_CODES if bits < 8 * array(code).itemsize), None)


def _text(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


def _encoded(value: Any) -> bytes:
    """A value as JSON. A space before it marks what only the standard library gives back exactly."""
    if _is_plain(value):
        try:
            return orjson.dumps(value)
        except orjson.JSONEncodeError:  # a lone surrogate, or too deep
            pass
    return b" " + json.dumps(value).encode("ascii")


def _decoded(content: memoryview) -> Any:
    return json.loads(bytes(content)) if content[0] == ord(" ") else orjson.loads(content)


def _is_plain(value: Any) -> bool:
    """Whether orjson gives the value back exactly: it takes NaN for null, and has 64-bit integers only.

    Raises:
        TypeError: The value is nothing that JSON has.
    """
    if value is None or type(value) in (str, bool):
        return True
    if type(value) is int:
        return -(2**63) <= value < 2**64
    if type(value) is float:
        return isfinite(value)
    if type(value) is list:
        return min(map(_is_plain, value), default=True)  # unlike all(), min() looks at every item
    if type(value) is dict and all(type(key) is str for key in value):
        return min(map(_is_plain, value.values()), default=True)
    shown = "a dict whose keys aren't all strings" if type(value) is dict else f"a {type(value).__name__}"
    raise TypeError(f"{shown}; only None, bool, int, float, str, list and dict with string keys can be kept")
