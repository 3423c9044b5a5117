"""What is installed: entry points read from distribution metadata, without importing any plugin."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from codex_addons.component import api_version, meta_of
from codex_addons.distributions import visible
from codex_addons.errors import ApiVersionError, EntryPointWarning, PluginLoadError
from codex_addons.metadata_folders import Distribution, canonical
from codex_addons.policy import refusal

__all__ = ["InstalledEntryPoint", "available", "canonical", "choose", "installed", "load"]

_EXTRAS = re.compile(r"\s*\[[^\]]*\]\s*$")
_TARGET = re.compile(r"(?P<module>\w+(?:\.\w+)*)(?::(?P<attribute>\w+(?:\.\w+)*))?")

# What has been warned about in this process; a launcher asks many times in one run.
_told: set[object] = set()


@dataclass(frozen=True)
class InstalledEntryPoint:
    """One entry point, as its distribution's metadata states it.

    Attributes:
        name: The name it is chosen by.
        group: The entry-point group.
        target: What it loads, `module:attribute`, without extras.
        distribution: The name of the distribution, as its metadata spells it.
        version: The distribution's version; empty when the metadata have none.
        location: Where its code lies: the project's folder of an editable install, else the folder (or zip) on the
            import path; None when a custom finder does not say.
        editable: Whether it is an editable (development) install.
    """

    name: str
    group: str
    target: str
    distribution: str
    version: str
    location: Path | None
    editable: bool


def installed(group: str) -> tuple[InstalledEntryPoint, ...]:
    """What installed distributions offer in a group; imports no plugin.

    Where the import path holds a distribution twice, the first counts, as it does for imports. A distribution whose
    `entry_points.txt` cannot be read offers nothing and is warned about, once.

    Args:
        group: The entry-point group, such as `codex_ml.models`.

    Returns:
        The entry points, sorted by name, then distribution.
    """
    found: list[InstalledEntryPoint] = []
    for distribution in visible():
        if distribution.problem:
            _tell(
                (distribution.path, distribution.problem),
                f"The entry points of {distribution.name} are ignored: {distribution.path}: {distribution.problem}. "
                "Reinstall or remove that distribution.",
            )
        elif distribution.groups and group in distribution.groups:
            found.extend(_records(distribution, group))
    return tuple(sorted(found, key=_order))


def available(group: str) -> dict[str, InstalledEntryPoint]:
    """What can be used of a group, by name and sorted: installed, allowed, and one distribution for each name."""
    return choose(entry for entry in installed(group) if not refusal(entry.distribution))


def choose(entries: Iterable[InstalledEntryPoint], own: str = "codex-ml") -> dict[str, InstalledEntryPoint]:
    """Settles which distribution each name comes from.

    Args:
        entries: Entry points of one group.
        own: The distribution that wins wherever it offers a name; else the first by name does. Each pair is warned
            about once in a process.

    Returns:
        One entry point for each name, sorted by name.
    """
    own = canonical(own)
    chosen: dict[str, InstalledEntryPoint] = {}
    for entry in sorted(entries, key=lambda each: (each.name, canonical(each.distribution) != own, *_order(each))):
        first = chosen.setdefault(entry.name, entry)
        if canonical(first.distribution) != canonical(entry.distribution):
            _tell(
                (first, entry),
                f"{entry.name!r} of {entry.group} is offered by both {first.distribution} and {entry.distribution}: "
                f"the one of {first.distribution} is used.",
            )
    return chosen


def load(entry: InstalledEntryPoint, require_api: str = "v1") -> object:
    """Imports what an entry point names.

    Args:
        entry: The entry point.
        require_api: The version of the plugin API that its object must declare; one that declares none is "v1".

    Returns:
        The object.

    Raises:
        PluginLoadError: It cannot be imported, whatever its module raised (`SystemExit` too, `KeyboardInterrupt` not).
        ApiVersionError: It declares another version of the plugin API.
    """
    # BaseException: a plugin that calls sys.exit while it is imported must not end the program.
    try:
        loaded = _imported(entry.target)
        declared = api_version(loaded)
        meta_of(loaded)
    except KeyboardInterrupt:
        raise
    except BaseException as cause:
        raise PluginLoadError(
            f"{entry.name!r} of {entry.distribution} {entry.version} cannot be loaded from {entry.target!r}: "
            f"{type(cause).__name__}: {cause}",
            name=entry.name,
            distribution=entry.distribution,
            cause=cause,
        ) from cause
    if declared != require_api:
        raise ApiVersionError(
            name=entry.name,
            distribution=entry.distribution,
            version=entry.version,
            declared=declared,
            required=require_api,
        )
    return loaded


def _imported(target: str) -> object:
    match = _TARGET.fullmatch(target)
    if match is None:
        raise ValueError("a target is written module:attribute")
    found: object = import_module(match["module"])
    for attribute in (match["attribute"] or "").split("."):
        found = getattr(found, attribute) if attribute else found
    return found


def _records(distribution: Distribution, group: str) -> list[InstalledEntryPoint]:
    identity = distribution.identity
    location = Path(identity.location) if identity.location else None
    entries = (distribution.groups or {})[group]
    return [
        InstalledEntryPoint(
            name=name,
            group=group,
            target=_target_of(value),
            distribution=identity.name,
            version=identity.version,
            location=location,
            editable=identity.editable,
        )
        for name, value in entries.items()
    ]


def _target_of(value: str) -> str:
    """A target without extras and blanks."""
    plain = "[" not in value and len(value.split()) == 1
    return value if plain else re.sub(r"\s*:\s*", ":", _EXTRAS.sub("", value))


def _order(entry: InstalledEntryPoint) -> tuple[str, str]:
    return entry.name, canonical(entry.distribution)


def _tell(key: object, message: str) -> None:
    if key not in _told:
        _told.add(key)
        warnings.warn(message, EntryPointWarning, stacklevel=3)
