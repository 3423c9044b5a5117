"""The texts that a tokenizer is trained on, streamed from files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

import orjson

from codex_ml.places import COMPRESSIONS, Place, files_in, is_damage, open_bytes, reason_of

__all__ = ["corpus_digest", "corpus_files", "training_texts"]

_JSON = (".jsonl", ".ndjson", ".json")
ENDINGS = (".txt", *_JSON)
_BLOCK = 2**20


def corpus_files(paths: str | Sequence[str]) -> list[Place]:
    """The files that `tokenizer.train_files` names.

    Raises:
        ValueError: There is nothing at a path, or the protocol of a URL is refused.
        ImportError: fsspec is missing and a path is a URL.
    """
    try:
        return files_in(paths, ENDINGS)
    except (FileNotFoundError, ValueError) as error:
        raise ValueError(f"tokenizer.train_files: {error}") from error


def corpus_digest(files: Sequence[Place]) -> str:
    """The sha256 of what the files hold, decompressed, in hex; how each is read counts, its path does not.

    Raises:
        ValueError: A file cannot be read to its end.
    """
    whole = hashlib.sha256()
    for file in files:
        one = hashlib.sha256()
        for block in _blocks(file):
            one.update(block)
        whole.update(f"{'json' if _is_json(file) else 'text'} {one.hexdigest()}\n".encode())
    return whole.hexdigest()


def training_texts(files: Sequence[Place], column: str) -> Iterator[str]:
    """Yields the texts of files that aren't blank, one at a time.

    A file whose name ends in .jsonl (.ndjson, .json; a compression's ending may follow) has one JSON object a line, and
    `column` names its text; any other file has one text a line. Only a newline ends a line.

    Raises:
        ValueError: A line is no text; the message reads `path:line: reason`. There is no text at all.
    """
    any_text = False
    for file in files:
        read = _from_json if _is_json(file) else _from_text
        for number, line in enumerate(_lines(file), 1):
            try:
                text = read(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line, column)
            except ValueError as error:
                raise ValueError(f"{file}:{number}: {error}") from error
            if text.strip():
                any_text = True
                yield text
    if not any_text:
        told = ", ".join(str(file) for file in files[:3]) + (", ..." if len(files) > 3 else "")
        raise ValueError(f"tokenizer.train_files: there is no text in {told or 'no file at all'}")


def _is_json(file: Place) -> bool:
    name = file.name.lower()
    if name.endswith(COMPRESSIONS):
        name = name[: -len(PurePosixPath(name).suffix)]
    return name.endswith(_JSON)


def _from_text(line: bytes, _column: str) -> str:
    try:
        return line.rstrip(b"\r\n").decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8: {error.reason} at byte {error.start + 1} of the line") from error


def _from_json(line: bytes, column: str) -> str:
    if not line.strip():
        return ""
    _ = _from_text(line, column)
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at column {error.colno}") from error
    if not isinstance(row, dict):
        raise ValueError("the row is no JSON object")
    text = row.get(column)
    if not isinstance(text, str):
        found = f"has {type(text).__name__}" if column in row else f"has only {', '.join(row) or 'no key'}"
        raise ValueError(f"tokenizer.train_column={column!r} must be a text, and the row {found}")
    return text


def _lines(file: Place) -> Iterator[bytes]:
    try:
        with open_bytes(file) as opened:
            yield from opened
    except Exception as error:
        raise _unreadable(file, error) from error


def _blocks(file: Place) -> Iterator[bytes]:
    try:
        with open_bytes(file) as opened:
            while block := opened.read(_BLOCK):
                yield block
    except Exception as error:
        raise _unreadable(file, error) from error


def _unreadable(file: Place, error: Exception) -> Exception:
    if isinstance(error, ImportError) or not is_damage(error):
        return error
    return ValueError(f"tokenizer.train_files: cannot read {file}: {reason_of(error)}")
