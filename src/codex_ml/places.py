"""Where data are: files, folders and globs, on this machine or behind a URL, compressed or not."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from codex_ml.packed import BUFFER, COMPRESSIONS, is_damage, reason_of, unpacked
from codex_ml.urls import (
    PROTOCOLS,
    Url,
    check_protocols,
    filesystem,
    info_of,
    is_url,
    open_url,
    url_error,
    without_secrets,
)

__all__ = [
    "COMPRESSIONS",
    "PROTOCOLS",
    "Place",
    "Url",
    "files_in",
    "filesystem",
    "info_of",
    "is_damage",
    "name_place",
    "open_bytes",
    "open_url",
    "place_of",
    "reason_of",
    "without_secrets",
]

_GLOB = re.compile(r"[*?\[]")

Place = Path | Url


class _Found(Url):
    """A URL that `files_in` has looked up: one file."""

    __slots__ = ()


def place_of(text: str | Path) -> Place:
    """A path, or a URL where the text is one; `file://` is a path.

    Raises:
        ValueError: The URL's protocol is none of `PROTOCOLS`.
    """
    if isinstance(text, Url):
        return text
    if isinstance(text, Path) or not is_url(text):
        return Path(text).expanduser()
    check_protocols(Url(text))
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
    if isinstance(url, _Found):
        return [url]
    files, path = filesystem(url)
    info = info_of(url, files, path)
    if info is None:
        return list(_matching(url, files, path))
    # To HTTP a folder is a page, which is a file too.
    if info["type"] == "directory" or path.endswith("/"):
        inside = sorted(_asked(url, files.find, path))
        names = [each.removeprefix(path).lstrip("/") for each in inside]
        if inside or info["type"] == "directory":
            return _meant(url, [_url_of(url, files, each) for each in inside], names, endings)
    return [_Found(url.whole)]


def _matching(url: Url, files: Any, path: str) -> list[_Found]:
    if not _GLOB.search(path.partition("?")[0] if url.is_web else path):
        raise FileNotFoundError(f"there is no file {url}")
    matching = _asked(url, files.glob, path, detail=True)
    found = [_url_of(url, files, each) for each in sorted(matching) if matching[each]["type"] != "directory"]
    # As on this machine; fsspec's own globs match them.
    if not PurePosixPath(path).name.startswith("."):
        found = [each for each in found if not each.name.startswith(".")]
    if not found:
        raise FileNotFoundError(f"no file matches {url}")
    return found


def _asked(url: Url, question: Any, path: str, **options: Any) -> Any:
    try:
        return question(path, **options)
    except Exception as error:
        raise url_error(url, error) from None


def _url_of(url: Url, files: Any, path: str) -> _Found:
    """The URL of a path in the file system of a URL; what that is chained to stays."""
    first, chained, rest = url.partition("::")
    if not chained:
        return _Found(files.unstrip_protocol(path))
    if "://" in first:
        return _Found(f"{first.partition('://')[0]}://{path.lstrip('/')}::{rest}")
    return _Found(f"{first}::{_url_of(Url(rest), files.fs, path)}")


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


def open_bytes(place: Place) -> BinaryIO:
    """Opens a file to read its bytes, decompressed; what compressed it is read off its first bytes, not its name.

    Raises:
        OSError: It cannot be opened.
        ImportError: A library for its URL or its compression is missing.
    """
    file: Any = place.open("rb", BUFFER) if isinstance(place, Path) else open_url(place)
    try:
        return unpacked(file)
    except BaseException:
        file.close()
        raise


def name_place(error: BaseException, place: Place) -> None:
    """Has an error of the system's, which names no file where reading one fails, name this one."""
    if isinstance(error, OSError) and error.errno is not None and error.filename is None:
        error.filename = str(place)
