"""Files behind URLs, which fsspec reads: what a URL may be, how it is shown, looked up and opened."""

from __future__ import annotations

import errno
import io
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any

from codex_ml.packed import BUFFER

__all__ = [
    "PROTOCOLS",
    "Url",
    "check_protocols",
    "filesystem",
    "info_of",
    "is_url",
    "open_url",
    "url_error",
    "without_secrets",
]

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
_LINK = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:(?!::)[^\s'\"<>])+")
_WEB = frozenset(("ftp", "http", "https", "webdav", "webdavs"))
_HIDDEN = "***"
_RANGES = "support range requests"
_NUMBERS = ((FileNotFoundError, errno.ENOENT), (PermissionError, errno.EACCES), (TimeoutError, errno.ETIMEDOUT))


class Url(str):
    """The place of a file that fsspec opens; with the parts of a path that its users ask for.

    Its characters are the whole URL. What is made of it for people to read (`str`, `repr`, formatting) hides what may
    be secret: the user and the values behind a `?`, by which URLs are signed.
    """

    __slots__ = ()

    def __str__(self) -> str:
        return self.shown

    def __repr__(self) -> str:
        return repr(self.shown)

    def __format__(self, form: str) -> str:
        return format(self.shown, form)

    @property
    def shown(self) -> str:
        """The URL without its secrets, for messages and records."""
        return "::".join(map(_masked, self.split("::")))

    @property
    def whole(self) -> str:
        """The URL as it is opened."""
        return str.__str__(self)

    @property
    def is_web(self) -> bool:
        """Whether it is read over HTTP, from a server itself."""
        return "::" not in self and self.lower().startswith(("http://", "https://"))

    @property
    def _path(self) -> PurePosixPath:
        link = next((link for link in self.split("::") if "://" in link), "")
        return PurePosixPath(_masked(link).partition("://")[2].partition("?")[0] or self.shown)

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


def _masked(link: str) -> str:
    """A URL without the user and the values of its query; `?` is a letter like others where no value follows."""
    scheme, separator, rest = link.partition("://")
    if not separator:
        return link
    web = scheme.lower() in _WEB
    place, mark, query = rest.partition("?")
    if not web and "=" not in query:
        place, mark, query = rest, "", ""
    host, slash, path = place.partition("/")
    user, at, server = host.rpartition("@")
    # A repository's owner and name stand before GitHub's @, and a container's name before Azure's.
    if at and scheme.lower() != "github" and (web or ":" in user):
        host = f"{_HIDDEN}@{server}"
    values = [each if each in "&;#" else _hidden(each) for each in re.split("([&;#])", query)]
    return f"{scheme}://{host}{slash}{path}{mark}{''.join(values)}"


def _hidden(item: str) -> str:
    key, equals, _ = item.partition("=")
    return f"{key}={_HIDDEN}" if equals else _HIDDEN


def without_secrets(value: Any) -> Any:
    """A component's option, for a record: as it is, but each URL in it as it is shown.

    Args:
        value: A value of JSON's kinds.
    """
    if isinstance(value, str):
        return Url(value).shown if is_url(value) else value
    if isinstance(value, list | tuple):
        return [without_secrets(item) for item in value]
    return {key: without_secrets(item) for key, item in value.items()} if isinstance(value, Mapping) else value


def is_url(text: str) -> bool:
    """Whether a text is a URL, or several that are chained."""
    return _URL.match(text) is not None


def check_protocols(url: Url) -> None:
    """Refuses a URL that is no store of bytes.

    Raises:
        ValueError: A protocol in it is none of `PROTOCOLS`, nor one of the layers in front of these.
    """
    links = url.split("::")
    if len(links) > 1 and "://" not in links[-1] and links[-1].lower() not in PROTOCOLS | _LAYERS:
        # What is in an archive on this machine.
        links.pop()
    for protocol in (link.partition("://")[0].lower() for link in links):
        if protocol not in PROTOCOLS | _LAYERS:
            known = ", ".join(sorted(PROTOCOLS))
            raise ValueError(f"{url}: data are not read by the protocol {protocol!r}; it may be one of {known}")


def filesystem(url: Url) -> tuple[Any, str]:
    """The fsspec file system of a URL, and the path in it.

    Raises:
        ImportError: fsspec, or what it needs for the protocol, is missing.
        OSError: The archive that the URL looks into cannot be read.
    """
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise ImportError(f"{url}: URLs need fsspec: pip install 'codex-ml[data]'") from error
    try:
        return url_to_fs(url.whole)
    except ImportError:
        raise
    except Exception as error:
        raise url_error(url, error) from None


def info_of(url: Url, files: Any, path: str) -> dict[str, Any] | None:
    """What a store tells of a file or a folder; None where there is none.

    Raises:
        OSError: The store does not answer, or refuses to.
    """
    try:
        return files.info(path)
    except Exception as error:
        # fsspec calls whatever an HTTP server answers a missing file.
        cause = error.__cause__ or error
        if isinstance(error, FileNotFoundError) and not _is_refusal(cause):
            return None
        raise url_error(url, cause) from None


def _is_refusal(cause: BaseException) -> bool:
    status = getattr(cause, "status", None)
    silent = isinstance(cause, OSError) and not isinstance(cause, FileNotFoundError)
    return silent or (isinstance(status, int) and status not in {404, 410})


def url_error(url: Url, error: BaseException) -> OSError:
    """What went wrong at a URL, in one line without its secrets; whoever raises it hides the error itself.

    Its number, and with it its type, says whether nothing was there (`FileNotFoundError`), access was refused
    (`PermissionError`) or time ran out (`TimeoutError`).
    """
    told = str(error)
    if isinstance(error, OSError) and error.strerror and told.startswith("[Errno"):
        told = error.strerror
    told = told.strip().partition("\n")[0].replace(url.whole, url.shown)
    told = _LINK.sub(lambda link: _masked(link[0]), told)
    number = getattr(error, "errno", None) or next((n for kind, n in _NUMBERS if isinstance(error, kind)), None)
    if _RANGES in told:
        told = "its server gives whole files alone, and here parts of it are needed; simplecache::URL keeps a copy"
    elif not (isinstance(error, OSError) and error.errno):
        told = f"{type(error).__name__}: {told}".removesuffix(": ")
    return OSError(number if isinstance(number, int) else errno.EIO, told, url.shown)


def open_url(url: Url, info: Mapping[str, Any] | None = None) -> io.BufferedReader:
    """Opens the file at a URL to read its bytes as they are.

    Args:
        url: The URL.
        info: What `info_of` told just now, which saves a server from being asked again.

    Raises:
        OSError: It cannot be opened, or (while it is read) its store fails; the message names the URL.
        ImportError: fsspec, or what it needs for the protocol, is missing.
    """
    return io.BufferedReader(_Remote(url, info or {}), BUFFER)


class _Remote(io.RawIOBase):
    """A file that keeps its file system, as an archive is closed when nobody holds it any more."""

    def __init__(self, url: Url, info: Mapping[str, Any]) -> None:
        self.name = url
        self._files, self._path = filesystem(url)
        self._streams = self._sought = False
        known = url.is_web and info.get("size") and info.get("partial", True)
        self._file: Any = self._told(self._files.open, self._path, "rb", **({"size": info["size"]} if known else {}))

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Whether there are other ways than forward."""
        return not self._streams and self._file.seekable()

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._file.tell()

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Goes elsewhere."""
        if self._streams:
            raise url_error(self.name, ValueError(_RANGES))
        before, after = self.tell(), self._told(self._file.seek, offset, whence)
        self._sought = self._sought or before != after
        return after

    def readinto(self, buffer: Any, /) -> int:
        """Fills the buffer's start."""
        size = len(buffer)
        try:
            piece = self._file.read(size)
        except ValueError as error:
            if self._sought or self._streams or not self.name.is_web or _RANGES not in str(error):
                raise url_error(self.name, error) from None
            self._told(self._stream)
            piece = self._told(self._file.read, size)
        except Exception as error:
            raise url_error(self.name, error) from None
        buffer[: len(piece)] = piece
        return len(piece)

    def _stream(self) -> None:
        """Goes on without asking for parts of the file, which the server has not: what was read comes again."""
        from aiohttp import ClientTimeout

        done = self._file.tell()
        self._file.close()
        # With its size it is not looked up. The time is that for an answer: whoever trains on it may take hours.
        options = {"block_size": 0, "size": 1, "timeout": ClientTimeout(total=None, sock_read=300)}
        self._file, self._streams = self._files.open(self._path, "rb", **options), True
        while done and (piece := self._file.read(min(done, BUFFER))):
            done -= len(piece)

    def _told(self, action: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return action(*arguments, **options)
        except Exception as error:
            raise url_error(self.name, error) from None

    def close(self) -> None:
        """Closes the file."""
        if not self.closed:
            super().close()
            with suppress(AttributeError):
                self._file.close()
