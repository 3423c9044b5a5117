"""Records from a JSON Lines file."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

__all__ = ["load_jsonl"]

# orjson reads an integer beyond 64 bits as the nearest float; every such float is at least this large.
_FIRST_INEXACT = 2.0**63


def load_jsonl(path: str | Path, *, encoding: str = "utf-8") -> Iterator[dict[str, Any]]:
    """Streams the JSON objects of a file, one a line.

    Only a newline ends a line, so a string may hold U+2028; CRLF, blank lines and a byte order mark are fine. A value
    is what the JSON says: integers of any size are exact, and NaN is refused as JSON has none.

    Args:
        path: The file.
        encoding: Any text encoding Python knows. UTF-8 is the fastest.

    Yields:
        One dict a record.

    Raises:
        FileNotFoundError: There is nothing at the path. This and the others are raised when the first or the bad record
            is asked for, not by the call.
        ValueError: The path is a folder, the encoding is unknown, or a line is malformed, not in the encoding, or no
            object; the last three read `path:line: reason`.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name a JSON Lines file in it")
    try:
        codec = codecs.lookup(encoding).name
    except LookupError:
        raise ValueError(f"{path}: unknown encoding {encoding!r}") from None
    with path.open("rb") as file:
        lines = _utf8_lines(file) if codec in {"utf-8", "utf-8-sig"} else _decoded_lines(file, path, codec)
        for number, line in enumerate(lines, 1):
            if line and not line.isspace():
                yield _record(line, f"{path}:{number}")


load_jsonl.__codex_api__ = "v1"  # pyright: ignore[reportFunctionMemberAccess]


def _utf8_lines(file: Iterable[bytes]) -> Iterator[bytes]:
    """The lines as bytes, which orjson decodes and checks itself; the first without its byte order mark."""
    for number, line in enumerate(file):
        yield line.removeprefix(codecs.BOM_UTF8) if number == 0 else line


def _decoded_lines(file: Iterable[bytes], path: Path, codec: str) -> Iterator[str]:
    """The lines of text in another encoding, which may take a newline to more bytes than one (UTF-16)."""
    decoder = codecs.getincrementaldecoder(codec)()
    number, rest = 1, ""
    try:
        for part in file:
            *whole, rest = (rest + decoder.decode(part)).split("\n")
            yield from whole
            number += len(whole)
        rest += decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        # A newline of several bytes is whole only with the part after it.
        number += error.object[: error.start].decode(error.encoding, "replace").count("\n")
        raise ValueError(f"{path}:{number}: not {codec} text ({error.reason})") from None
    yield rest


def _record(line: bytes | str, where: str) -> dict[str, Any]:
    """The object on a line."""
    try:
        record = orjson.loads(line)
        if _may_be_inexact(record):
            record = json.loads(line)
    except ValueError as error:
        raise ValueError(f"{where}: {_reason(line, error)}") from None
    if not isinstance(record, dict):
        raise ValueError(f"{where}: an object is needed, this is {_KINDS[type(record)]}")
    return record


_KINDS = {list: "a list", str: "a string", int: "a number", float: "a number", bool: "a boolean", type(None): "null"}


def _may_be_inexact(value: Any) -> bool:
    """Whether the value holds a float so large that it may stand for an integer."""
    if isinstance(value, float):
        return abs(value) >= _FIRST_INEXACT
    if isinstance(value, dict):
        return any(_may_be_inexact(item) for item in value.values() if not isinstance(item, str))
    return isinstance(value, list) and any(_may_be_inexact(item) for item in value if not isinstance(item, str))


def _reason(line: bytes | str, error: ValueError) -> str:
    """Why a line is malformed, with its column."""
    if isinstance(line, bytes):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError as problem:
            byte = line[problem.start]
            return f"not UTF-8 text (byte 0x{byte:02x} at position {problem.start + 1}); set `encoding`"
    if isinstance(error, json.JSONDecodeError):
        return f"malformed JSON: {error.msg} (column {error.colno})"
    return f"malformed JSON: {error}"
