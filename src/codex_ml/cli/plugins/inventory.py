"""Everything that installed distributions offer, with what becomes of it here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from codex_addons import entry_points
from codex_addons.entry_points import InstalledEntryPoint, canonical
from codex_addons.policy import refusal
from codex_addons.registry_names import is_stable_name
from codex_ml import registries

__all__ = ["Offer", "module_file", "offers"]

_OWN = "codex-ml"


@dataclass(frozen=True)
class Offer:
    """One entry point of one of the groups.

    Attributes:
        kind: The config group, `metric`.
        entry: Where it comes from.
        refused: Why it may not be used: one of the two lists in the environment; empty where it may.
        hidden_by: The distribution whose component has the name; empty where it is this one's.
        unusable: Why its name is no option; empty where it is one.
    """

    kind: str
    entry: InstalledEntryPoint
    refused: str = ""
    hidden_by: str = ""
    unusable: str = ""

    @property
    def qualified(self) -> str:
        """The name that says its distribution as well."""
        return f"{self.entry.distribution}/{self.entry.name}"

    @property
    def note(self) -> str:
        """What keeps it from being the option of its name, and the way out; empty where nothing does."""
        if self.refused:
            return f"not allowed: {self.refused}"
        if self.hidden_by:
            return f"hidden by that of {self.hidden_by}: choose {self.kind}={self.qualified}"
        return self.unusable

    @property
    def stable(self) -> bool:
        """Whether it bears a name that will not change, and is this project's own."""
        plural = registries.GROUPS[self.kind].removeprefix("codex_ml.")
        return canonical(self.entry.distribution) == _OWN and is_stable_name(plural, self.entry.name)

    def fields(self) -> dict[str, Any]:
        """What is known without loading it, as JSON."""
        entry = self.entry
        return {
            "kind": self.kind,
            "name": entry.name,
            "distribution": entry.distribution,
            "version": entry.version,
            "target": entry.target,
            "location": None if entry.location is None else str(entry.location),
            "editable": entry.editable,
            "stable": self.stable,
            "note": self.note,
        }


def offers() -> list[Offer]:
    """All of them, by kind, then sorted by name and distribution; imports none."""
    return [offer for kind, group in registries.GROUPS.items() for offer in _of_group(kind, group)]


def _of_group(kind: str, group: str) -> list[Offer]:
    used: Mapping[str, InstalledEntryPoint] = entry_points.available(group)
    found: list[Offer] = []
    for entry in entry_points.installed(group):
        refused = refusal(entry.distribution)
        holder = used.get(entry.name)
        hidden_by = "" if refused or holder is None or holder == entry else holder.distribution
        wrong = "" if registries.is_option(entry.name) else f"{entry.name!r} is no name that can be chosen in a config"
        found.append(Offer(kind, entry, refused, hidden_by, wrong))
    return found


def module_file(target: str) -> str:
    """The file of a target's module, found without importing it; empty where there is none."""
    package, *parts = target.partition(":")[0].split(".")
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        spec = None
    if spec is None:
        return ""
    if not parts:
        return spec.origin or ""
    for folder in spec.submodule_search_locations or ():
        path = os.path.join(folder, *parts)
        for file in (f"{path}.py", os.path.join(path, "__init__.py")):
            if os.path.isfile(file):
                return file
    return ""
