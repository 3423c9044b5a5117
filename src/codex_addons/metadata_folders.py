"""What a distribution's metadata folder says: its entry points, and its name, version and place."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

__all__ = [
    "Distribution",
    "Identity",
    "canonical",
    "is_metadata_folder",
    "parsed_entry_points",
    "read",
    "read_identity",
]

_SUFFIXES = (".dist-info", ".egg-info")


class Identity(NamedTuple):
    """What a distribution says of itself.

    Attributes:
        name: Its name, as its metadata spell it.
        version: Its version; empty when the metadata have none.
        location: The folder or file that its code lies in; empty when that is unknown.
        editable: Whether it is an editable install.
    """

    name: str
    version: str
    location: str
    editable: bool


class Distribution(NamedTuple):
    """One distribution's metadata.

    Attributes:
        key: Its name as names are compared.
        name: Its name; for one in a folder, as the metadata folder is called.
        path: The metadata folder, or the file or finder that holds it.
        valid: Whether it has core metadata; what an interrupted uninstall leaves behind has not.
        groups: Its entry points: group → name → value; None where it has no file for them.
        problem: Why its entry points could not be read; empty when they could.
        known: Its identity, where that was found along with it.
    """

    key: str
    name: str
    path: str
    valid: bool
    groups: Mapping[str, Mapping[str, str]] | None
    problem: str = ""
    known: Identity | None = None

    @property
    def identity(self) -> Identity:
        """Name, version and location, read now where they are not known."""
        return self.known or read_identity(self.path, self.name)


def canonical(name: str) -> str:
    """A distribution's name as names are compared: lower case, any run of `-`, `_` and `.` one hyphen."""
    return re.sub(r"[-_.]+", "-", name).lower()


def is_metadata_folder(name: str) -> bool:
    """Whether a folder's or file's name is that of metadata."""
    # pip renames what it is about to remove to begin with "~".
    return name.endswith(_SUFFIXES) and not name.startswith("~")


def read(path: str) -> Distribution:
    """The distribution of a metadata folder, without its identity."""
    name = os.path.basename(path).rpartition(".")[0].partition("-")[0]
    core = "METADATA" if path.endswith(".dist-info") else "PKG-INFO"
    # An egg-info may be a single file, as distutils wrote it; that has no entry points.
    valid = os.path.exists(f"{path}/{core}") or os.path.isfile(path)
    groups: Mapping[str, Mapping[str, str]] | None = None
    problem = ""
    try:
        with open(f"{path}/entry_points.txt", "rb") as file:
            content = file.read()
        groups = parsed_entry_points(content.decode("utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:
        groups, problem = {}, f"entry_points.txt: {error}"
    return Distribution(canonical(name), name, path, valid, groups, problem)


def parsed_entry_points(text: str) -> dict[str, dict[str, str]]:
    """The groups of an `entry_points.txt`.

    Raises:
        ValueError: It is malformed; the message names the line.
    """
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


def read_identity(path: str, fallback: str) -> Identity:
    """Name, version and place of a metadata folder's distribution.

    Args:
        path: The folder.
        fallback: The name, where the metadata have none.
    """
    wheel = path.endswith(".dist-info")
    headers = _headers(f"{path}/{'METADATA' if wheel else 'PKG-INFO'}")
    stem_version = os.path.basename(path).rpartition(".")[0].partition("-")[2]
    project = _editable_project(path) if wheel else ""
    # Installers put the version into the name of an egg-info; beside the sources it has none.
    beside_sources = not wheel and not stem_version
    return Identity(
        name=headers.get("name") or fallback,
        version=headers.get("version") or stem_version,
        location=project or os.path.dirname(path),
        editable=bool(project) or beside_sources,
    )


def _headers(file: str) -> dict[str, str]:
    try:
        with open(file, encoding="utf-8", errors="replace") as lines:
            found: dict[str, str] = {}
            for line in lines:
                if not line.strip():
                    break
                key, colon, value = line.partition(":")
                if colon and not key[:1].isspace():
                    found.setdefault(key.lower(), value.strip())
            return found
    except OSError:
        return {}


def _editable_project(folder: str) -> str:
    """The folder that an editable install points to, by `direct_url.json` (PEP 610); empty for any other install."""
    try:
        with open(f"{folder}/direct_url.json", encoding="utf-8") as file:
            text = file.read()
    except (OSError, ValueError):
        return ""
    import json
    from urllib.parse import unquote, urlsplit

    try:
        origin: Any = json.loads(text)
        url = urlsplit(str(origin["url"]))
        path = unquote(url.path) if url.scheme == "file" and origin["dir_info"]["editable"] is True else ""
    except (ValueError, KeyError, TypeError):
        return ""
    # A Windows path is written file:///C:/folder.
    return str(Path(path.lstrip("/") if os.name == "nt" else path)) if path else ""
