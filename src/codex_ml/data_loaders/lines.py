"""Records from text files, one a line."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from codex_addons.component import component
from codex_ml.data_loaders.line_file import LineFile
from codex_ml.data_loaders.reading import MAX_ROW_BYTES, BadRows, OnBadRows, TextOptions, read
from codex_ml.interfaces import BadRow
from codex_ml.places import Place

__all__ = ["LinesConfig", "load_lines"]

_ENDINGS = (".txt", ".text", ".lines")


@dataclass(frozen=True)
class LinesConfig(TextOptions):
    """The options of the data loader `lines`."""

    column: str = field(default="text", metadata={"help": "The name that the line has in its record."})
    keep_empty: bool = field(
        default=False, metadata={"help": "Lines that are empty or blank are records as well, not left out."}
    )

    def wrong(self) -> Iterator[str]:
        """What is wrong with the options, each in a sentence."""
        yield from super().wrong()
        if not isinstance(self.column, str) or not self.column:
            yield f"data_loader.column must be a name, not {self.column!r}"
        if not isinstance(self.keep_empty, bool):
            yield f"data_loader.keep_empty must be true or false, not {self.keep_empty!r}"


@component(config=LinesConfig, bad_rows=True, endings=_ENDINGS, uses=("backports.zstd", "fsspec"))
def load_lines(
    path: str | Path | Sequence[str | Path],
    *,
    column: str = "text",
    keep_empty: bool = False,
    encoding: str = "utf-8",
    limit: int | None = None,
    skip: int = 0,
    on_bad_rows: OnBadRows = "error",
    max_row_bytes: int = MAX_ROW_BYTES,
    on_bad_row: Callable[[BadRow], None] | None = None,
) -> Iterator[dict[str, str]]:
    r"""Streams the lines of text files, each as a record of one column.

    Only "\n" and "\r\n" end a line, and are no part of it; U+2028, a form feed or a "\r" alone are. Nothing else is
    taken off a line: spaces at its ends stay. A byte order mark at the start of the file is fine.

    Args:
        path: A file, a folder (its files .txt, .text and .lines, packed or not), a glob or a list of these; local paths
            or URLs, plain or as gz, bz2, xz or zst.
        column: The name that the line has in its record.
        keep_empty: Lines that are empty, or hold nothing but white space, are records as well, not left out. The end of
            the file begins no line.
        encoding: Any text encoding Python knows. UTF-8 is the fastest.
        limit: Records to read at most.
        skip: Records to leave out at the start.
        on_bad_rows: `error` ends the reading with the first bad row; `skip` leaves bad rows out; `quarantine` does so
            and has `on_bad_row` keep them.
        max_row_bytes: How many bytes of UTF-8 a line may have, give or take the 64 KiB that are read at once. A longer
            one is a bad row, of which no more than that is kept.
        on_bad_row: Called with each row that is left out.

    Yields:
        One dict a line.

    Raises:
        FileNotFoundError: There is nothing at the path. This and the others are raised when the first or the bad record
            is asked for, but for options that are wrong.
        ValueError: An option is wrong; a file is of another kind; or a row is bad, which reads `path:line: reason`: not
            in the encoding, with a NUL character, or in a compressed file that is cut short.
        ImportError: A library for the URL or the compression is missing.
    """
    config = LinesConfig(
        column=column,
        keep_empty=keep_empty,
        encoding=encoding,
        limit=limit,
        skip=skip,
        on_bad_rows=on_bad_rows,
        max_row_bytes=max_row_bytes,
    )
    return read(path, _ENDINGS, partial(_batches, config), config, on_bad_row)


def _batches(config: LinesConfig, place: Place, bad: BadRows) -> Generator[Iterable[dict[str, str]]]:
    column, keep_empty = config.column, config.keep_empty
    file = LineFile(place, config.encoding, bad, config.max_row_bytes)
    for block in file.blocks():
        texts = _texts(block)
        if texts is not None:
            yield [{column: text} for text in texts if keep_empty or (text and not text.isspace())]
            file.line += len(texts)
        else:
            lines = block.removesuffix(b"\n").split(b"\n")
            singly = _texts_singly(lines, file)
            # Not a list: what stands before an error is given.
            yield ({column: text} for text in singly if keep_empty or (text and not text.isspace()))
            file.line += len(lines)


def _texts(block: bytes) -> list[str] | None:
    """The lines of a block; None where one is bad."""
    if b"\0" in block:
        return None
    try:
        lines = block.decode().removesuffix("\n").split("\n")
    except UnicodeDecodeError:
        return None
    return [line.removesuffix("\r") for line in lines] if b"\r" in block else lines


def _texts_singly(lines: Sequence[bytes], file: LineFile) -> Iterator[str]:
    for number, line in enumerate(lines, file.line):
        found = _texts(line)
        if found is None:
            file.refuse(number, "a NUL character; is the file in another encoding?", line)
        else:
            yield from found
