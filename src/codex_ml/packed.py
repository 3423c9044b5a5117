"""Compressed files: what they are packed with, their bytes unpacked, and what their damage looks like."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO, cast

__all__ = ["BUFFER", "COMPRESSIONS", "is_damage", "reason_of", "unpacked"]

COMPRESSIONS = (".gz", ".bz2", ".xz", ".zst")
"""How the names of compressed files end; what a file is compressed with is read off its first bytes."""

BUFFER = 2**18
"""How many bytes are read at a time."""

_MAGIC = {b"\x1f\x8b": "gz", b"BZh": "bz2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zst"}


def unpacked(file: io.BufferedReader) -> BinaryIO:
    """A reader of a file's bytes, decompressed; the file itself where it is not packed.

    Raises:
        OSError: It cannot be read.
        ImportError: A library for its compression is missing.
    """
    start = file.peek(8)[:8]
    packed = next((name for magic, name in _MAGIC.items() if start.startswith(magic)), None)
    return cast("BinaryIO", _Unpacked(_OPENERS[packed](file), file) if packed else file)


class _Pieces(io.RawIOBase):
    """What a decompressing reader gives, in such pieces as it comes in.

    Its own `read` collects what was asked for, and drops all that it has where the data then turn out to be cut short.
    """

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fills the buffer's start."""
        piece = self._reader.read1(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        """Closes the reader."""
        super().close()
        self._reader.close()


class _Unpacked(io.BufferedReader):
    """A decompressing reader that closes the file below as well, which Python's own leave open."""

    def __init__(self, reader: Any, below: io.BufferedReader) -> None:
        super().__init__(_Pieces(reader), BUFFER)
        self._below = below

    def close(self) -> None:
        """Closes both."""
        super().close()
        self._below.close()


def _open_zstd(file: io.BufferedReader) -> Any:
    try:
        zstd = _zstd()
    except ImportError as error:
        raise ImportError(f"{file.name}: zst files need backports.zstd: pip install 'codex-ml[data]'") from error
    # By default a window of more than 128 MiB is refused (`zstd --long=28` and more write such).
    longest = zstd.DecompressionParameter.window_log_max
    return zstd.ZstdFile(file, options={longest: longest.bounds()[1]})


def _zstd() -> Any:
    if sys.version_info >= (3, 14):
        from compression import zstd  # pyright: ignore[reportMissingImports]
    else:
        from backports import zstd
    return zstd


_OPENERS: dict[str, Callable[[io.BufferedReader], Any]] = {
    "gz": lambda file: gzip.GzipFile(fileobj=file),
    "bz2": bz2.BZ2File,
    "xz": lzma.LZMAFile,
    "zst": _open_zstd,
}


def reason_of(error: Exception) -> str:
    """Why compressed data could not be read to their end, for a message that names the file."""
    if isinstance(error, EOFError):
        return "the compressed data end too early; the file was cut short"
    return f"the compressed data are damaged ({error})"


def is_damage(error: BaseException) -> bool:
    """Whether an exception says that compressed data are cut short or spoilt, not that a disk or a store failed."""
    if isinstance(error, gzip.BadGzipFile | EOFError | zlib.error | lzma.LZMAError):
        return True
    # bz2 has no type of its own, and zstd's is only there with its library.
    bz2_damage = type(error) is OSError and error.args == ("Invalid data stream",)
    return bz2_damage or type(error).__name__ == "ZstdError"
