"""Records as paragraphs of `key: value` lines, as Debian's control files and mail headers have them.

# Lines that begin with the comment mark are skipped.
text: A value goes on
  on the lines that are indented.
label: sport

text: An empty line ends a record.
label: tech
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path

__all__ = ["load_custom_format"]


def load_custom_format(path: str | Path, *, comment: str = "#") -> Iterator[dict[str, str]]:
    """Streams the records of a UTF-8 file.

    Args:
        path: The file.
        comment: What a comment line begins with; empty: there are no comments.

    Yields:
        One dict a record; the values are strings, their lines joined by newlines.

    Raises:
        FileNotFoundError: There is nothing at the path; like the others, raised when the first record is asked for.
        ValueError: The path is a folder, or a line is malformed; the latter reads `path:line: reason`.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name a file in it")
    record: dict[str, str] = {}
    key = ""
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            line = _decoded(raw, f"{path}:{number}")
            if comment and line.startswith(comment):
                continue
            if not line.strip():
                if record:
                    yield record
                record, key = {}, ""
            elif line[0].isspace():
                if not key:
                    raise ValueError(f"{path}:{number}: an indented line, and no value before it to continue")
                record[key] += "\n" + line.strip()
            else:
                key, value = _pair(line, record, f"{path}:{number}")
                record[key] = value
    if record:
        yield record


load_custom_format.__codex_api__ = "v1"


def _decoded(raw: bytes, where: str) -> str:
    try:
        line = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{where}: not UTF-8 text (byte 0x{raw[error.start]:02x} at position {error.start + 1})"
        ) from None
    # A byte order mark at the start of a file, as some editors write it.
    return line.removeprefix(codecs.BOM_UTF8.decode()).rstrip("\r\n")


def _pair(line: str, record: dict[str, str], where: str) -> tuple[str, str]:
    key, colon, value = line.partition(":")
    key = key.strip()
    if not colon or not key:
        raise ValueError(f"{where}: a line reads `key: value`, this one {line[:40]!r}")
    if key in record:
        raise ValueError(f"{where}: the record has a {key!r} already; an empty line ends a record")
    return key, value.strip()
