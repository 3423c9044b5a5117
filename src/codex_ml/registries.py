"""Which components there are, by kind; only the one that is asked for is loaded."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from codex_addons import entry_points
from codex_addons.entry_points import InstalledEntryPoint
from codex_addons.errors import UnknownComponentError

__all__ = ["GROUPS", "KINDS", "RESERVED", "find", "load", "options"]

GROUPS: dict[str, str] = {
    "task": "codex_ml.tasks",
    "model": "codex_ml.models",
    "tokenizer": "codex_ml.tokenizers",
    "data_loader": "codex_ml.data_loaders",
    "trainer": "codex_ml.trainers",
    "metric": "codex_ml.metrics",
    "plugin": "codex_ml.plugins",
    "sample": "codex_ml.samples",
}
KINDS: tuple[str, ...] = tuple(kind for kind in GROUPS if kind != "sample")

# Words that mean something else where an option's name stands in YAML or on the command line.
RESERVED = frozenset({"null", "true", "false", "none"})
_OPTION_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def options(kind: str) -> dict[str, InstalledEntryPoint]:
    """The installed components of a kind that can be chosen, by name, sorted; imports none of them."""
    chosen = entry_points.choose(entry_points.installed(GROUPS[kind]))
    return {
        name: entry
        for name, entry in sorted(chosen.items())
        if _OPTION_NAME.fullmatch(name) and name.lower() not in RESERVED
    }


def find(kind: str, name: str) -> InstalledEntryPoint:
    """Where a component comes from.

    Raises:
        UnknownComponentError: No installed distribution provides it.
    """
    found = options(kind)
    if name not in found:
        raise UnknownComponentError(kind, name, list(found))
    return found[name]


def load(kind: str, name: str) -> Any:
    """The component itself, imported when first asked for.

    Raises:
        UnknownComponentError: No installed distribution provides it.
        PluginLoadError: It is there and cannot be imported, or declares another API version.
    """
    return _load(find(kind, name))


@cache
def _load(entry: InstalledEntryPoint) -> Any:
    return entry_points.load(entry)
