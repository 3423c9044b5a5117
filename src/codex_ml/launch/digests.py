"""Digests of files, folders and values, of which a run's identity is made. All are sha256, in hex."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from codex_addons.cache import read_json, write_json
from codex_ml.errors import ConfigError
from codex_ml.launch.cache_folder import cache_folder

__all__ = ["file_digest", "text_digest", "tree_digest"]

# A file changed again within the file system's time stamp granularity would look unchanged; 2 s is the coarsest (FAT).
_SETTLED_NS = 2_000_000_000


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


def _entry(path: Path) -> Path | None:
    """The cache file for a path; None where nothing can be remembered."""
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
