"""Text of any encoding as UTF-8, part by part, and back to the bytes that stood in the file."""

from __future__ import annotations

import codecs
import re

__all__ = ["Transcoder"]

# What cannot be decoded goes on as marks, one for each byte, that no text holds and no UTF-8 either.
_MARKED = "codex_ml.marked"
_MARK = 0xDC00
_MARKS = re.compile("([\udc00-\udcff]+)")


def _mark(error: UnicodeError) -> tuple[str, int]:
    """A codec's error handler that goes on behind what it cannot decode."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(_MARK + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(_MARKED, _mark)


class Transcoder:
    """Makes UTF-8 of a file's bytes; that of bytes which are not in its encoding is invalid as well.

    Args:
        encoding: Any text encoding Python knows.

    Attributes:
        name: What the encoding is called.
    """

    def __init__(self, encoding: str) -> None:
        name = codecs.lookup(encoding).name
        self.name = name.removesuffix("-sig")
        self._decoder = None if self.name == "utf-8" else codecs.getincrementaldecoder(name)(_MARKED)

    def utf8(self, data: bytes, *, final: bool) -> bytes:
        """The next part of the file as UTF-8; a character that it cuts in two comes with the part after it."""
        if self._decoder is None:
            return data
        return self._decoder.decode(data, final).encode("utf-8", "surrogatepass")

    def text(self, utf8: bytes) -> str:
        """What `utf8` gave, as text; what is not in the encoding are lone surrogates in it."""
        return utf8.decode("utf-8", "surrogateescape" if self._decoder is None else "surrogatepass")

    def utf8_of(self, text: str) -> bytes:
        """The UTF-8 for a text of `text`."""
        return text.encode("utf-8", "surrogateescape" if self._decoder is None else "surrogatepass")

    def raw(self, text: str) -> bytes:
        """The file's bytes for a text of `text`."""
        if self._decoder is None:
            return text.encode("utf-8", "surrogateescape")
        # A codec that writes two bytes a character takes no single ones from an error handler.
        encoder = codecs.getincrementalencoder(self.name)()
        parts = _MARKS.split(text)
        return b"".join(
            bytes(ord(mark) - _MARK for mark in part) if number % 2 else encoder.encode(part)
            for number, part in enumerate(parts)
        )

    @staticmethod
    def is_whole(text: str) -> bool:
        """Whether all of a text was in the encoding."""
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            return False
        return True
