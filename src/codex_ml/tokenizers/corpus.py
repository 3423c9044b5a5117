"""The texts that a tokenizer is trained on, streamed from files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from codex_ml.places import COMPRESSIONS, Place, Url, files_in, is_damage, name_place, open_bytes, place_of, reason_of
from codex_ml.tokenizers.corpus_formats import LINE_FORMATS
from codex_ml.tokenizers.corpus_parquet import parquet_texts

__all__ = ["ENDINGS", "Corpus", "corpus_of", "wrong_corpus"]

_FORMATS = {
    ".txt": "text",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
}
ENDINGS = tuple(_FORMATS)
"""How the names of a corpus's files end; all but Parquet's may have a compression's ending behind it."""
_BLOCK = 2**20


@dataclass(frozen=True)
class Corpus:
    """Files that a tokenizer is trained on, and what was in them.

    Attributes:
        files: The files.
        columns: Where their texts are, in files that have columns.
        digests: Of each file the format that it is read as, and the sha256, in hex, of its bytes, decompressed; of
            a Parquet file that of its texts.
    """

    files: tuple[Place, ...]
    columns: tuple[str, ...]
    digests: tuple[str, ...]

    @property
    def key(self) -> dict[str, Any]:
        """JSON that tells the corpus from others; the files' paths do not count."""
        whole = hashlib.sha256("\n".join(self.digests).encode()).hexdigest()
        return {"corpus": whole, "columns": list(self.columns)}

    def texts(self) -> Iterator[str]:
        """Yields the texts that aren't blank, one at a time; from the start at each call.

        Raises:
            ValueError: There is no text, as `path:line: reason`, in a line or row, or nowhere; or a file is no longer
                what it was.
        """
        any_text = False
        for file, digest in zip(self.files, self.digests, strict=True):
            seen = hashlib.sha256()
            for text in _texts_of(file, self.columns, seen):
                if text.strip():
                    any_text = True
                    yield text
            if _told(file, seen) != digest:
                raise ValueError(
                    f"tokenizer.train_files: {file} changed while it was read: run again when nothing writes to it"
                )
        if not any_text:
            told = ", ".join(str(file) for file in self.files[:3]) + (", ..." if len(self.files) > 3 else "")
            raise ValueError(f"tokenizer.train_files: there is no text in {told or 'no file at all'}")


def corpus_of(paths: str | Sequence[str], column: str | Sequence[str]) -> Corpus:
    """What `tokenizer.train_files` and `tokenizer.train_column` name; each file is read once.

    Raises:
        ValueError: There is nothing at a path, the protocol of a URL is refused, a file's name ends in none of
            `ENDINGS`, or it cannot be read to its end.
        ImportError: A library for a URL, a compression or Parquet is missing.
    """
    try:
        files = tuple(files_in(paths, ENDINGS))
    except (FileNotFoundError, ValueError) as error:
        raise ValueError(f"tokenizer.train_files: {error}") from error
    for file in files:
        if wrong := _wrong_ending(file):
            raise ValueError(wrong)
    columns = (column,) if isinstance(column, str) else tuple(column)
    return Corpus(files, columns, tuple(_digest(file, columns) for file in files))


def wrong_corpus(paths: str | Sequence[str] | None, column: str | Sequence[str]) -> Iterator[str]:
    """What is wrong with `tokenizer.train_files` and `tokenizer.train_column`, as far as names tell; no file is read.

    Files that aren't there, and URLs, are passed over.
    """
    columns = [column] if isinstance(column, str) else list(column)
    if not columns or not all(isinstance(each, str) and each for each in columns) or len({*columns}) < len(columns):
        yield f"tokenizer.train_column must be a column's name, or a list of different ones, not {column!r}"
    for path in [paths] if isinstance(paths, str) else paths or ():
        try:
            place = place_of(path)
            found = [] if isinstance(place, Url) or place.is_dir() else files_in(place, ENDINGS)
        except (OSError, RuntimeError, ValueError):
            continue
        yield from filter(None, map(_wrong_ending, found))


def _format(file: Place) -> str | None:
    name = PurePosixPath(file.name.lower())
    if name.suffix in COMPRESSIONS:
        inner = _FORMATS.get(PurePosixPath(name.stem).suffix)
        return None if inner == "parquet" else inner
    return _FORMATS.get(name.suffix)


def _wrong_ending(file: Place) -> str:
    if _format(file):
        return ""
    return f"tokenizer.train_files: {file} is not read: a corpus's files end in {', '.join(ENDINGS)}"


def _texts_of(file: Place, columns: Sequence[str], seen: Any) -> Iterator[str]:
    """The texts of a file; the hash `seen` is fed what its digest is of."""
    form = _format(file)
    if form == "parquet":
        return parquet_texts(file, columns, seen)
    return LINE_FORMATS[form or "text"](_lines(file, seen), columns, file)


def _digest(file: Place, columns: Sequence[str]) -> str:
    seen = hashlib.sha256()
    if _format(file) == "parquet":
        for _ in parquet_texts(file, columns, seen):
            pass
    else:
        for block in _blocks(file):
            seen.update(block)
    return _told(file, seen)


def _told(file: Place, seen: Any) -> str:
    return f"{_format(file)} {seen.hexdigest()}"


def _lines(file: Place, seen: Any) -> Iterator[bytes]:
    try:
        with open_bytes(file) as opened:
            for line in opened:
                seen.update(line)
                yield line
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
        name_place(error, file)
        return error
    return ValueError(f"tokenizer.train_files: cannot read {file}: {reason_of(error)}")
