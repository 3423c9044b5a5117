"""The distributions on the import path.

`importlib_metadata` answers the same question more slowly, and one unreadable file makes it raise for all.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any

from codex_addons.index import Stamp, distributions_in, is_settled, stamp_of
from codex_addons.metadata_folders import Distribution, Identity, canonical, parsed_entry_points

__all__ = ["visible"]

# Zip file or egg on the import path → its stamp, and what was found in it.
_read: dict[str, tuple[Stamp, tuple[Distribution, ...]]] = {}


def visible() -> Iterable[Distribution]:
    """The distributions on the import path now; of two with one name, the first, as for imports."""
    found: dict[str, Distribution] = {}
    for distribution in _all():
        key = distribution.key
        if key not in found or (distribution.valid and not found[key].valid):
            found[key] = distribution
    return found.values()


def _all() -> Iterator[Distribution]:
    for entry in list(sys.path):
        # The import system skips what is no string, too.
        if isinstance(entry, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            yield from _on(os.path.abspath(entry or "."))
    for finder in list(sys.meta_path):
        yield from _from_finder(finder)


def _on(entry: str) -> tuple[Distribution, ...]:
    try:
        status, stamp = os.stat(entry), stamp_of(entry)
    except (OSError, ValueError):
        return ()
    if stat.S_ISDIR(status.st_mode) and not entry.endswith(".egg"):
        return distributions_in(entry)
    before, kept = _read.get(entry, ((), ()))
    if before == stamp:
        return kept
    now = time.time_ns()
    found = tuple(_through_library(entry))
    if is_settled(stamp, now):
        _read[entry] = (stamp, found)
    return found


def _through_library(entry: str) -> Iterator[Distribution]:
    """What a zip file or an egg holds."""
    library = _library()
    try:
        for each in library.MetadataPathFinder.find_distributions(library.DistributionFinder.Context(path=[entry])):
            yield from _adapted(each, entry, entry)
    except Exception as error:
        yield Distribution(entry, entry, entry, False, None, f"its metadata cannot be read: {error}")


def _from_finder(finder: Any) -> Iterator[Distribution]:
    """What a custom finder offers; it has no modification time to go by, so it is asked each time."""
    find = getattr(finder, "find_distributions", None)
    module = getattr(finder, "__module__", "")
    # The standard finders look at the folders and files that have been scanned already.
    if find is None or module.startswith("_frozen_importlib") or module.endswith("importlib_metadata"):
        return
    name = f"{module}.{getattr(finder, '__name__', type(finder).__name__)}"
    try:
        for each in find(_library().DistributionFinder.Context()):
            yield from _adapted(each, name, "")
    except Exception as error:
        yield Distribution(name, name, name, False, None, f"find_distributions: {error}")


def _library() -> Any:
    # Importing it takes longer than everything else here, and most import paths are plain folders only.
    return import_module("importlib_metadata")


def _adapted(found: Any, path: str, location: str) -> Iterator[Distribution]:
    known = Identity(str(found.metadata["Name"]), str(found.metadata["Version"] or ""), location, editable=False)
    try:
        groups, problem = parsed_entry_points(found.read_text("entry_points.txt") or ""), ""
    except Exception as error:
        groups, problem = {}, f"entry_points.txt: {error}"
    yield Distribution(canonical(known.name), known.name, path, True, groups, problem, known)
