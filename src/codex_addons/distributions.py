"""The distributions on the import path, each folder of it scanned once and again when it changes.

`importlib_metadata` answers the same question more slowly, and one unreadable file makes it raise for all.
"""

from __future__ import annotations

import os
import re
import stat
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

__all__ = ["Distribution", "Identity", "canonical", "visible"]

_SUFFIXES = (".dist-info", ".egg-info")

# A folder changed this recently may change again without another modification time: file systems' clocks are coarse,
# and an installer is still writing into the metadata folders whose creation it shows.
_SETTLED_NS = 2_000_000_000


@dataclass(frozen=True)
class Identity:
    """What a distribution says of itself.

    Attributes:
        name: Its name, as its metadata spell it.
        version: Its version; empty when the metadata have none.
        location: Where its code lies; None when that is unknown.
        editable: Whether it is an editable install.
    """

    name: str
    version: str
    location: Path | None
    editable: bool


@dataclass(frozen=True)
class Distribution:
    """One distribution's metadata.

    Attributes:
        name: Its name; for one in a folder, as the metadata folder is called.
        path: The metadata folder, or the file or finder that holds it.
        valid: Whether it has core metadata; what an interrupted uninstall leaves behind has not.
        groups: Its entry points: group → name → value.
        problem: Why its entry points could not be read; empty when they could.
        known: Its identity, where that was found along with it.
    """

    name: str
    path: str
    valid: bool
    groups: Mapping[str, Mapping[str, str]]
    problem: str = ""
    known: Identity | None = None

    @cached_property
    def identity(self) -> Identity:
        """Name, version and location, from files that are read only when asked for."""
        return self.known or _identity(self.path, self.name)


def canonical(name: str) -> str:
    """A distribution's name as names are compared: lower case, any run of `-`, `_` and `.` one hyphen."""
    return re.sub(r"[-_.]+", "-", name).lower()


def visible() -> Iterable[Distribution]:
    """The distributions on the import path now; of two with one name, the first, as for imports."""
    found: dict[str, Distribution] = {}
    for distribution in _all():
        key = canonical(distribution.name)
        if key not in found or (distribution.valid and not found[key].valid):
            found[key] = distribution
    return found.values()


_Stamp = tuple[int, int, int]
# Per folder, not for the whole path: a folder put in front of sys.path costs its own scan alone.
_scanned: dict[str, tuple[_Stamp, tuple[Distribution, ...]]] = {}


def _all() -> Iterator[Distribution]:
    for entry in list(sys.path):
        # The import system skips what is no string, too.
        if isinstance(entry, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            yield from _on(os.path.abspath(entry or "."))
    for finder in list(sys.meta_path):
        yield from _from_finder(finder)


def _on(entry: str) -> tuple[Distribution, ...]:
    try:
        status = os.stat(entry)
    except (OSError, ValueError):
        return ()
    stamp = (status.st_mtime_ns, status.st_ino, status.st_dev)
    kept = _scanned.get(entry)
    if kept is not None and kept[0] == stamp:
        return kept[1]
    now = time.time_ns()
    plain = stat.S_ISDIR(status.st_mode) and not entry.endswith(".egg")
    distributions = _in_folder(entry) if plain else tuple(_through_library(entry))
    if now - status.st_mtime_ns > _SETTLED_NS:
        _scanned[entry] = (stamp, distributions)
    return distributions


def _in_folder(folder: str) -> tuple[Distribution, ...]:
    try:
        children = sorted(os.listdir(folder))
    except OSError:
        return ()
    # pip renames what it is about to remove to begin with "~".
    return tuple(
        _from_metadata_folder(f"{folder}/{child}")
        for child in children
        if child.endswith(_SUFFIXES) and not child.startswith("~")
    )


def _from_metadata_folder(path: str) -> Distribution:
    name = os.path.basename(path).rpartition(".")[0].partition("-")[0]
    core = "METADATA" if path.endswith(".dist-info") else "PKG-INFO"
    # An egg-info may be a single file, as distutils wrote it; that has no entry points.
    valid = os.path.exists(f"{path}/{core}") or os.path.isfile(path)
    try:
        with open(f"{path}/entry_points.txt", "rb") as file:
            content = file.read()
        return Distribution(name, path, valid, _parsed(content.decode("utf-8-sig")))
    except (FileNotFoundError, NotADirectoryError):
        return Distribution(name, path, valid, {})
    except (OSError, ValueError) as error:
        return Distribution(name, path, valid, {}, problem=f"entry_points.txt: {error}")


def _parsed(text: str) -> dict[str, dict[str, str]]:
    groups: dict[str, dict[str, str]] = {}
    group: dict[str, str] | None = None
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        if line[0] == "[" and line[-1] == "]":
            group = groups.setdefault(line[1:-1].strip(), {})
            continue
        name, equals, value = (part.strip() for part in line.partition("="))
        if group is None or not (name and equals and value):
            raise ValueError(f"line {number} is not 'name = module:attribute' in a [group]")
        group.setdefault(name, value)
    return groups


def _identity(path: str, fallback: str) -> Identity:
    folder = Path(path)
    wheel = path.endswith(".dist-info")
    headers = _headers(folder / ("METADATA" if wheel else "PKG-INFO"))
    stem_version = folder.stem.partition("-")[2]
    project = _editable_project(folder) if wheel else None
    # Installers put the version into the name of an egg-info; beside the sources it has none.
    beside_sources = not wheel and not stem_version
    return Identity(
        name=headers.get("name") or fallback,
        version=headers.get("version") or stem_version,
        location=project or folder.parent,
        editable=project is not None or beside_sources,
    )


def _headers(file: Path) -> dict[str, str]:
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    found: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip():
            break
        key, colon, value = line.partition(":")
        if colon and not key[:1].isspace():
            found.setdefault(key.lower(), value.strip())
    return found


def _editable_project(folder: Path) -> Path | None:
    """The folder that an editable install points to, by `direct_url.json` (PEP 610)."""
    try:
        text = (folder / "direct_url.json").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    import json
    from urllib.parse import unquote, urlsplit

    try:
        origin: Any = json.loads(text)
        url = urlsplit(str(origin["url"]))
        path = unquote(url.path) if url.scheme == "file" and origin["dir_info"]["editable"] is True else ""
    except (ValueError, KeyError, TypeError):
        return None
    # A Windows path is written file:///C:/folder.
    return Path(path.lstrip("/") if os.name == "nt" else path) if path else None


def _through_library(entry: str) -> Iterator[Distribution]:
    """What a zip file or an egg holds."""
    library = _library()
    try:
        for each in library.MetadataPathFinder.find_distributions(library.DistributionFinder.Context(path=[entry])):
            yield from _adapted(each, entry, Path(entry))
    except Exception as error:
        yield Distribution(entry, entry, False, {}, problem=f"its metadata cannot be read: {error}")


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
            yield from _adapted(each, name, None)
    except Exception as error:
        yield Distribution(name, name, False, {}, problem=f"find_distributions: {error}")


def _library() -> Any:
    # Importing it takes longer than everything else here, and most import paths are plain folders only.
    return import_module("importlib_metadata")


def _adapted(found: Any, path: str, location: Path | None) -> Iterator[Distribution]:
    known = Identity(str(found.metadata["Name"]), str(found.metadata["Version"] or ""), location, editable=False)
    try:
        groups = _parsed(found.read_text("entry_points.txt") or "")
    except Exception as error:
        yield Distribution(known.name, path, True, {}, problem=f"entry_points.txt: {error}", known=known)
    else:
        yield Distribution(known.name, path, True, groups, known=known)
