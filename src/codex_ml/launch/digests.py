"""Digests of files, folders and values, of which a run's identity is made. All are sha256, in hex."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import time
from collections.abc import Collection, Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from codex_addons.cache import read_json, write_json
from codex_ml.errors import ConfigError
from codex_ml.launch.cache_folder import cache_folder
from codex_ml.places import Place, Url, filesystem, info_of, open_url

__all__ = ["file_digest", "folder_digest", "place_digest", "text_digest", "tree_digest"]

# A file changed again within the file system's time stamp granularity would look unchanged; 2 s is the coarsest (FAT).
_SETTLED_NS = 2_000_000_000
# By what the stores behind fsspec tell that a file has changed; its size alone doesn't.
_STAMPS = ("etag", "lastmodified", "last_modified", "last-modified", "mtime", "created", "md5hash", "generation")


def file_digest(path: str | Path) -> str:
    """The digest of a file's bytes.

    It is remembered in the cache folder by the file's path, size, times and inode, so that a large file is read once.

    Raises:
        OSError: The file can't be read.
    """
    path = Path(os.path.abspath(path))
    entry = _entry(path)
    with path.open("rb") as file:
        before = _identity(path, os.fstat(file.fileno()))
        known = _read(entry, before)
        if known is not None:
            return known
        started = time.time_ns()
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        settled = started - before["mtime_ns"] > _SETTLED_NS
        if entry is not None and settled and _identity(path, os.fstat(file.fileno())) == before:
            write_json(entry, {**before, "sha256": digest})
    return digest


def place_digest(place: Place) -> str:
    """The digest of what is at a path or a URL: a file's bytes, or the names and bytes of a folder's files.

    Raises:
        OSError: It can't be read.
    """
    if isinstance(place, Url):
        return _url_digest(place)
    return folder_digest(place) if place.is_dir() else file_digest(place)


def _url_digest(url: Url) -> str:
    """The digest of a URL's bytes, remembered where its store tells when they change; its secrets are not."""
    files, path = filesystem(url)
    info = info_of(url, files, path)
    if info is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(url))
    told = {str(key).lower(): str(value) for key, value in info.items()}
    stamps = {key: told[key] for key in _STAMPS if told.get(key, "None") != "None"}
    identity = {"url": str(url), "size": told.get("size"), **stamps}
    entry = _entry(url) if stamps and _is_settled(stamps) else None
    known = _read(entry, identity)
    if known is not None:
        return known
    with open_url(url, info) as file:
        digest = hashlib.sha256()
        while block := file.read1(2**20):
            digest.update(block)
    if entry is not None:
        write_json(entry, {**identity, "sha256": digest.hexdigest()})
    return digest.hexdigest()


def _is_settled(stamps: Mapping[str, str]) -> bool:
    """Whether another change would show; a web server's times are in whole seconds."""
    if set(stamps) != {"last-modified"}:
        return True
    try:
        changed = parsedate_to_datetime(stamps["last-modified"]).timestamp()
    except ValueError:
        return False
    return time.time_ns() - changed * 1e9 > _SETTLED_NS


def folder_digest(folder: Path) -> str:
    """The digest of the relative paths and the contents of a folder's files, each remembered as `file_digest` does.

    Raises:
        OSError: A file can't be read.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return text_digest([[path.relative_to(folder).as_posix(), file_digest(path)] for path in files])


def _identity(path: Path, status: os.stat_result) -> dict[str, Any]:
    """What tells that a file is unchanged. Its change time is part of it as tools that copy files set the other."""
    return {
        "path": os.fsdecode(path),
        "size": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "ctime_ns": status.st_ctime_ns,
        "inode": status.st_ino,
        "device": status.st_dev,
    }


def _entry(path: Path | str) -> Path | None:
    """The cache file for a path or URL; None where nothing can be remembered."""
    try:
        return cache_folder() / "digests" / f"{hashlib.sha256(os.fsencode(path)).hexdigest()[:32]}.json"
    except (OSError, ConfigError):
        return None


def _read(entry: Path | None, identity: dict[str, Any]) -> str | None:
    known = None if entry is None else read_json(entry)
    digest = known.pop("sha256", None) if isinstance(known, dict) else None
    return digest if known == identity and isinstance(digest, str) and len(digest) == 64 else None


def tree_digest(folder: str | Path, suffixes: Collection[str] | None = None) -> str:
    """The digest of the relative paths and the contents of a folder's files.

    Bytecode (`__pycache__`) is left out. A link counts by its target's content where that is a file, else by what it
    says: links to folders aren't followed.

    Args:
        folder: The folder; a file there is an error.
        suffixes: Take only files with these, such as `{".py", ".yaml"}`; None for all.

    Raises:
        OSError: The folder or a file can't be read.
    """
    folder = Path(folder)
    whole = hashlib.sha256()
    for path in sorted(_files(folder), key=lambda path: path.relative_to(folder).as_posix()):
        if suffixes is None or path.suffix in suffixes:
            name = os.fsencode(path.relative_to(folder).as_posix())
            whole.update(len(name).to_bytes(8, "big") + name + _content(path))
    return whole.hexdigest()


def _files(folder: Path) -> list[Path]:
    """The folder's files and links to folders, at any depth; no sockets and pipes."""
    found: list[Path] = []

    def fail(error: OSError) -> None:
        raise error

    for place, folders, names in os.walk(folder, onerror=fail):
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]
        folders[:] = [name for name in folders if name != "__pycache__"]
        found += [Path(place) / name for name in (*names, *links)]
    return [path for path in found if path.is_symlink() or stat.S_ISREG(path.lstat().st_mode)]


def _content(path: Path) -> bytes:
    """32 bytes that stand for a file's content or a link's text."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    return hashlib.sha256(b"link " + os.fsencode(os.readlink(path))).digest()


def text_digest(obj: Any) -> str:
    """The digest of a JSON-able value; the order of a mapping's keys doesn't count, 1 and 1.0 differ.

    Raises:
        TypeError: The value holds something that JSON has no form for.
    """
    text = json.dumps(obj, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
