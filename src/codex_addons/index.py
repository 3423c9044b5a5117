"""The distributions of a folder on the import path, kept on disk for the next process.

The kept ones count only as long as nothing changed: neither the folder, nor one of the metadata folders or files that
they were read from. That takes one `stat` a distribution, which is a small part of reading it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

from codex_addons.cache import cache_home, read_json, write_json
from codex_addons.metadata_folders import Distribution, Identity, is_metadata_folder, read, read_identity

__all__ = ["distributions_in", "is_settled", "stamp_of"]

_FORMAT = 1
# Commands are not what anybody looks for here, and most of what is installed offers nothing else.
_SCRIPTS = frozenset({"console_scripts", "gui_scripts"})
# What changed this recently may change again without another time stamp: file systems' clocks are coarse, and an
# installer is still writing into the metadata folders whose creation shows already.
_SETTLED_NS = 2_000_000_000

Stamp = tuple[int, ...]


def stamp_of(path: str) -> Stamp:
    """What changes when a folder or file does. Its change time is part of it, as tools that copy set the other.

    Raises:
        OSError: It isn't there.
    """
    status = os.stat(path)
    return status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size


def is_settled(stamp: Stamp, now_ns: int) -> bool:
    """Whether a stamp is old enough for the next change to show; one from the future, by another clock, never is."""
    return now_ns - max(stamp[:2]) > _SETTLED_NS


class _Known(NamedTuple):
    """The distributions of a folder and the paths and stamps by which they are known to be still the same."""

    found: tuple[Distribution, ...]
    sources: tuple[str, ...]
    digest: int

    @property
    def is_current(self) -> bool:
        try:
            return _digest(map(stamp_of, self.sources)) == self.digest
        except OSError:
            return False


_remembered: dict[str, _Known] = {}


def distributions_in(folder: str) -> tuple[Distribution, ...]:
    """The distributions of a folder, sorted by the names of their metadata folders: those known, or read now."""
    remembered = _remembered.pop(folder, None)
    file = _file(folder)
    if remembered is None or not remembered.is_current:
        remembered = _kept(file, folder) if file else None
    if remembered is None:
        found, remembered = _scanned(folder)
        if remembered is None:
            return found
        if file:
            rows = [_row(each) for each in found]
            write_json(file, {"format": _FORMAT, "folder": folder, "stamp": remembered.digest, "rows": rows})
    _remembered[folder] = remembered
    return remembered.found


def _scanned(folder: str) -> tuple[tuple[Distribution, ...], _Known | None]:
    """What is read from a folder now, and the same with its stamps unless something changed a moment ago."""
    now = time.time_ns()
    try:
        children = sorted(child for child in os.listdir(folder) if is_metadata_folder(child))
    except OSError:
        return (), None
    found = tuple(_read(f"{folder}/{child}") for child in children)
    sources = (folder, *_sources(found))
    try:
        # After reading, and settled before it: what is kept is what was read.
        stamps = list(map(stamp_of, sources))
    except OSError:
        return found, None
    settled = all(is_settled(stamp, now) for stamp in stamps)
    return found, _Known(found, sources, _digest(stamps)) if settled else None


def _read(path: str) -> Distribution:
    found = read(path)
    if found.groups and not found.groups.keys() <= _SCRIPTS:
        found = found._replace(known=read_identity(path, found.name))
    return found


def _file(folder: str) -> Path | None:
    """Where a folder's index is kept; None where nothing is to be."""
    home = None if os.environ.get("CODEX_ML_NO_CACHE") == "1" else cache_home()
    # Two folders of one checksum would take turns, as each index tells its folder.
    name = f"{crc32(os.fsencode(folder)):08x}-{sys.version_info[0]}{sys.version_info[1]}.json"
    return home / "entry_points" / name if home else None


def _kept(file: Path, folder: str) -> _Known | None:
    content = read_json(file)
    if content is None or (content["format"], content["folder"]) != (_FORMAT, folder):
        return None
    found = tuple(_restored(folder, *row) for row in content["rows"])
    known = _Known(found, (folder, *_sources(found)), content["stamp"])
    return known if known.is_current else None


def _row(each: Distribution) -> list[Any]:
    """A distribution without its folder; most offer nothing, and are no more than their names."""
    child = os.path.basename(each.path)
    bare = each._replace(name=each.key) == _bare(each.path, each.key)
    return [child, each.key] if bare else [child, *each[:2], *each[3:]]


def _bare(path: str, key: str) -> Distribution:
    return Distribution(key, key, path, True, None)


def _restored(folder: str, child: str, key: str, *more: Any) -> Distribution:
    """The distribution of a row."""
    path = f"{folder}/{child}"
    if not more:
        return _bare(path, key)
    name, valid, groups, problem, known = more
    return Distribution(key, name, path, valid, groups, problem, None if known is None else Identity(*known))


def _sources(distributions: Iterable[Distribution]) -> Iterable[str]:
    """The paths whose stamps tell whether distributions are still as they were."""
    for each in distributions:
        # A metadata folder changes when a file comes or goes, and not when one is written over.
        yield each.path if each.groups is None or each.problem else f"{each.path}/entry_points.txt"
        if each.known is not None and each.valid:
            yield f"{each.path}/{'METADATA' if each.path.endswith('.dist-info') else 'PKG-INFO'}"
        if each.known is not None and each.known.editable and each.path.endswith(".dist-info"):
            yield f"{each.path}/direct_url.json"


def _digest(stamps: Iterable[Stamp]) -> int:
    # Of integers alone the hash is the same in every process of one Python version, and wide enough for accidents.
    return hash(tuple(stamps))
