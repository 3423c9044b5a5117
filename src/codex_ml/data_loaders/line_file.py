"""Files of lines: whole ones in UTF-8, many at a time, whatever the file is encoded in."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from codex_ml.data_loaders.reading import MAX_ROW_BYTES, BadRows
from codex_ml.places import Place, is_damage, name_place, open_bytes, reason_of

__all__ = ["LineFile"]

# Larger ones, and what is made of them, no longer stay in a processor's cache.
_BLOCK = 2**16
# Undecodable bytes travel as the lone surrogates from here, which no decoder lets through.
_MARK = 0xDC00
_MARKS = re.compile("([\udc00-\udcff]+)")
_ERRORS = "codex_ml.undecodable"
_FORMATS = {
    b"PAR1": "a Parquet file: data_loader=parquet",
    b"ARROW1": "an Arrow file, which no data loader here reads: write it as Parquet",
    b"PK\x03\x04": "a zip archive: name what is in it, as zip://*.jsonl::archive.zip",
    b"SQLite format 3\0": "an SQLite database: export its table",
}


class LineFile:
    r"""A file of lines; only "\n" ends one, so that a text may hold U+2028.

    A byte order mark at the start belongs to no line. Bytes that are not in the encoding spoil their own line alone.

    Args:
        place: The file.
        encoding: Any text encoding Python knows.
        bad: What is done with bad rows.
        max_row_bytes: How many bytes of UTF-8 a line may have, give or take what is read at once.

    Attributes:
        line: The number of the first line of the latest block, from 1. Who takes a block adds its lines.
    """

    def __init__(self, place: Place, encoding: str, bad: BadRows, max_row_bytes: int = MAX_ROW_BYTES) -> None:
        self.line = 1
        self._place = place
        self._codec = codecs.lookup(encoding).name.replace("utf-8-sig", "utf-8")
        self._bad = bad
        self._longest = max_row_bytes

    def blocks(self) -> Iterator[bytes]:
        """Some whole lines each, with their newlines, in UTF-8 unless bytes cannot be decoded; nothing for no lines.

        Where the file cannot be read to its end, the line that it breaks off in is a bad row; so is one that is too
        long, of which no more than it may have is kept.

        Raises:
            OSError: It cannot be opened.
            ValueError: It is another kind of file.
        """
        start, begun, size, skips = codecs.BOM_UTF8, [b""], 0, False
        for piece in self._pieces(begun):
            data = piece
            if skips:
                end = data.find(b"\n") + 1
                if not end:
                    continue
                data, skips = data[end:], False
                self.line += 1
            cut = data.rfind(b"\n") + 1
            if not cut:
                begun.append(data)
                size += len(data)
                if size > self._longest:
                    start, size, skips = b"", 0, True
                    self._refuse_long(b"".join(begun))
                    begun[:] = [b""]
                continue
            block = b"".join((*begun, data[:cut])).removeprefix(start)
            begun[:] = [data[cut:]]
            start, size = b"", len(data) - cut
            yield block
        last = b"".join(begun).removeprefix(start)
        if last:
            yield last

    def refuse(self, number: int, reason: str, line: bytes) -> None:
        """Tells that no record can be made of a line.

        Raises:
            ValueError: Bad rows are errors.
        """
        self._bad(self._place, number, self._undecodable(line) or reason, self._raw(line))

    def _refuse_long(self, line: bytes) -> None:
        told = f"the line is longer than the {self._longest} bytes of data_loader.max_row_bytes"
        self._bad(self._place, self.line, told, self._raw(line[: self._longest]))

    def _pieces(self, begun: list[bytes]) -> Iterator[bytes]:
        """What is read, in UTF-8; where reading fails, `begun` holds the line that is broken off."""
        decoder = None if self._codec == "utf-8" else codecs.getincrementaldecoder(self._codec)(_ERRORS)
        with open_bytes(self._place) as file:
            first = True
            while True:
                try:
                    data = file.read1(_BLOCK)  # pyright: ignore[reportAttributeAccessIssue]
                except Exception as error:
                    if not is_damage(error):
                        name_place(error, self._place)
                        raise
                    self._bad(self._place, self.line, reason_of(error), self._raw(b"".join(begun)))
                    begun.clear()
                    return
                if first:
                    self._refuse_other_format(data)
                    first = False
                text = decoder.decode(data, final=not data) if decoder else ""
                yield text.encode("utf-8", "surrogatepass") if decoder else data
                if not data:
                    return

    def _refuse_other_format(self, start: bytes) -> None:
        found = next((told for magic, told in _FORMATS.items() if start.startswith(magic)), None)
        if start[257:262] == b"ustar":
            found = "a tar archive: unpack it, or name what is in it, as tar://*.jsonl::archive.tar"
        if found:
            raise ValueError(f"{self._place}:1: this is {found}")

    def _undecodable(self, line: bytes) -> str | None:
        """Why a line is no text, if it isn't."""
        try:
            line.decode("utf-8")
        except UnicodeDecodeError as error:
            if self._codec == "utf-8":
                return f"not UTF-8 text (byte 0x{line[error.start]:02x} at position {error.start + 1}); set `encoding`"
            text = line.decode("utf-8", "surrogatepass")
            at = next(at for at, character in enumerate(text) if 0xD800 <= ord(character) < 0xE000)
            return f"not {self._codec} text (byte 0x{ord(text[at]) & 0xFF:02x} after {at} characters); set `encoding`"
        return None

    def _raw(self, line: bytes) -> bytes:
        """A line as it stands in the file."""
        line = line.removesuffix(b"\n")
        if self._codec == "utf-8":
            return line
        pieces = _MARKS.split(line.decode("utf-8", "surrogatepass"))
        # One encoder for all, as that of UTF-16 begins with a byte order mark.
        encoder = codecs.getincrementalencoder(self._codec)("replace")
        return b"".join(
            bytes(ord(mark) - _MARK for mark in piece) if at % 2 else encoder.encode(piece)
            for at, piece in enumerate(pieces)
        )


def _mark(error: UnicodeError) -> tuple[str | bytes, int]:
    """Turns bytes that cannot be decoded into marks."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(_MARK + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(_ERRORS, _mark)
