"""Where data are: files, folders and globs, on this machine or behind a URL, compressed or not."""

from __future__ import annotations

import bz2
import glob
import gzip
import io
import lzma
import os
import re
import sys
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

__all__ = [
    "COMPRESSIONS",
    "PROTOCOLS",
    "Place",
    "Url",
    "files_in",
    "filesystem",
    "is_damage",
    "open_bytes",
    "place_of",
    "reason_of",
]

COMPRESSIONS = (".gz", ".bz2", ".xz", ".zst")
"""How the names of compressed files end; what a file is compressed with is read off its first bytes."""

# Stores of bytes alone. fsspec knows others, some of which build a template or start a program to find their files.
# fmt: off
PROTOCOLS = frozenset((
    "abfs", "abfss", "adl", "az", "blob", "box", "dropbox", "file", "ftp", "gcs", "gdrive", "github", "gs", "hdfs",
    "hf", "http", "https", "local", "memory", "oci", "oss", "s3", "s3a", "sftp", "smb", "ssh", "webdav", "webdavs",
    "webhdfs",
))
# fmt: on
_LAYERS = frozenset(("blockcache", "filecache", "simplecache", "tar", "zip"))
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(://|::)")
_GLOB = re.compile(r"[*?\[]")
_MAGIC = {b"\x1f\x8b": "gz", b"BZh": "bz2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zst"}
_BUFFER = 2**18


class Url(str):
    """The place of a file that fsspec opens; with the parts of a path that its users ask for."""

    __slots__ = ()

    @property
    def _path(self) -> PurePosixPath:
        link = next((link for link in self.split("::") if "://" in link), "")
        return PurePosixPath(link.partition("://")[2].partition("?")[0] or self)

    @property
    def name(self) -> str:
        """The last part."""
        return self._path.name

    @property
    def suffix(self) -> str:
        """What the name ends with, from the last dot."""
        return self._path.suffix

    @property
    def parts(self) -> tuple[str, ...]:
        """Host or bucket, folders and name."""
        return self._path.parts


Place = Path | Url


def place_of(text: str | Path) -> Place:
    """A path, or a URL where the text is one; `file://` is a path.

    Raises:
        ValueError: The URL's protocol is none of `PROTOCOLS`.
    """
    if isinstance(text, Url):
        return text
    if isinstance(text, Path) or not _URL.match(text):
        return Path(text).expanduser()
    links = text.split("::")
    if len(links) > 1 and "://" not in links[-1] and links[-1].lower() not in PROTOCOLS | _LAYERS:
        # What is in an archive on this machine.
        links[-1] = "file://"
    for link in links:
        protocol = link.partition("://")[0].lower()
        allowed = PROTOCOLS if "://" in link else PROTOCOLS | _LAYERS
        if protocol not in allowed and not ("://" in link and protocol in _LAYERS):
            known = ", ".join(sorted(PROTOCOLS))
            raise ValueError(f"{text}: data are not read by the protocol {protocol!r}; it may be one of {known}")
    scheme, _, rest = text.partition("://")
    return Path(rest) if scheme.lower() in {"file", "local"} and "::" not in text else Url(text)


def files_in(path: str | Path | Sequence[str | Path], endings: Sequence[str]) -> list[Place]:
    """The files at a path: itself, those of a folder or a glob, or all those of a list; each in sorted order.

    Args:
        path: A file, a folder, a glob (`**` goes through folders) or a list of these; each a local path or a URL. A
            name that exists is itself, whatever characters are in it.
        endings: Which files of a folder are meant (".csv"); those with a compression's ending behind it too, hidden
            ones never.

    Raises:
        FileNotFoundError: There is nothing at a path; nothing matches a glob; a folder holds no such file.
        ValueError: The protocol of a URL is refused.
        ImportError: fsspec, or what it needs for a protocol, is missing.
    """
    if not isinstance(path, str | Path):
        return [place for each in path for place in files_in(each, endings)]
    place = place_of(path)
    return _remote(place, endings) if isinstance(place, Url) else _local(place, endings)


def _local(path: Path, endings: Sequence[str]) -> list[Place]:
    if path.is_dir():
        inside = sorted(each for each in path.rglob("*") if each.is_file())
        return _meant(path, inside, [str(each.relative_to(path)) for each in inside], endings)
    if not os.path.lexists(path) and _GLOB.search(str(path)):
        found = sorted(each for each in map(Path, glob.iglob(str(path), recursive=True)) if each.is_file())
        if not found:
            raise FileNotFoundError(f"no file matches {path}")
        return list(found)
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}")
    return [path]


def _remote(url: Url, endings: Sequence[str]) -> list[Place]:
    files, path = filesystem(url)
    if _GLOB.search(path) and not files.exists(path):
        hidden = PurePosixPath(path).name.startswith(".")
        found = [_url_of(url, files, each) for each in sorted(files.glob(path)) if not files.isdir(each)]
        # As on this machine; fsspec's own globs match them.
        found = [each for each in found if hidden or not each.name.startswith(".")]
        if not found:
            raise FileNotFoundError(f"no file matches {url}")
        return list(found)
    # To HTTP a folder is a page, which is a file too.
    if files.isdir(path) and (url.endswith("/") or not files.isfile(path)):
        inside = sorted(files.find(path))
        names = [each.removeprefix(path).lstrip("/") for each in inside]
        return _meant(url, [_url_of(url, files, each) for each in inside], names, endings)
    if not files.exists(path):
        raise FileNotFoundError(f"there is no file {url}")
    return [url]


def _url_of(url: Url, files: Any, path: str) -> Url:
    """The URL of a path in the file system of a URL; what that is chained to stays."""
    first, chained, rest = url.partition("::")
    if not chained:
        return Url(files.unstrip_protocol(path))
    if "://" in first:
        return Url(f"{first.partition('://')[0]}://{path.lstrip('/')}::{rest}")
    return Url(f"{first}::{_url_of(Url(rest), files.fs, path)}")


def _meant(folder: Place, places: Sequence[Place], names: Sequence[str], endings: Sequence[str]) -> list[Place]:
    wanted = tuple(f"{ending}{packed}" for ending in endings for packed in ("", *COMPRESSIONS))
    found = [
        place
        for place, name in zip(places, names, strict=True)
        if name.lower().endswith(wanted) and not any(part.startswith(".") for part in PurePosixPath(name).parts)
    ]
    if not found:
        raise FileNotFoundError(f"the folder {folder} holds no file whose name ends in {' or '.join(endings)}")
    return found


def filesystem(url: Url) -> tuple[Any, str]:
    """The fsspec file system of a URL, and the path in it.

    Raises:
        ImportError: fsspec, or what it needs for the protocol, is missing.
    """
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise ImportError(f"{url}: URLs need fsspec: pip install 'codex-ml[data]'") from error
    return url_to_fs(str(url))


def open_bytes(place: Place) -> BinaryIO:
    """Opens a file to read its bytes, decompressed; what compressed it is read off its first bytes, not its name.

    Raises:
        OSError: It cannot be opened.
        ImportError: A library for its URL or its compression is missing.
    """
    file: Any = place.open("rb", _BUFFER) if isinstance(place, Path) else _Remote(place)
    try:
        start = file.peek(8)[:8]
        packed = next((name for magic, name in _MAGIC.items() if start.startswith(magic)), None)
        return cast("BinaryIO", _Unpacked(_OPENERS[packed](file), file) if packed else file)
    except BaseException:
        file.close()
        raise


class _Remote(io.BufferedReader):
    """A file that keeps its file system, as an archive is closed when nobody holds it any more."""

    def __init__(self, url: Url) -> None:
        self._files, path = filesystem(url)
        super().__init__(self._files.open(path, "rb"), _BUFFER)


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
        super().__init__(_Pieces(reader), _BUFFER)
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
    return zstd.ZstdFile(file)


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
    if isinstance(error, OSError):
        # The system's own have a number.
        return error.errno is None
    # zstd's own is only there with its library.
    return isinstance(error, EOFError | zlib.error | lzma.LZMAError) or type(error).__name__ == "ZstdError"
