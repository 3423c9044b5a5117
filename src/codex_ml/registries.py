"""Which components there are, by kind; only the one that is asked for is loaded.

A name may say which distribution it is to come from: `acme-tools/f1`.
"""

from __future__ import annotations

import re
import sys
from contextlib import redirect_stdout
from functools import cache
from typing import Any

from codex_addons import entry_points
from codex_addons.entry_points import InstalledEntryPoint, canonical
from codex_addons.errors import UnknownComponentError
from codex_addons.policy import refusal

__all__ = ["GROUPS", "KINDS", "MANY", "RESERVED", "find", "is_option", "key_of", "load", "load_entry", "options"]

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

# Kinds of which a run may have several, each under a key of its own.
MANY = ("metric", "plugin")

# Words that mean something else where an option's name stands in YAML or on the command line.
RESERVED = frozenset({"null", "true", "false", "none"})
_OPTION_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def options(kind: str, distribution: str = "") -> dict[str, InstalledEntryPoint]:
    """The installed components of a kind that can be chosen, by name, sorted; imports none of them.

    Args:
        kind: The kind.
        distribution: The one to look in, in any spelling, also at what another one's of the same name hides; empty for
            all of them.
    """
    if not distribution:
        found = entry_points.available(GROUPS[kind])
    else:
        wanted = canonical(distribution)
        offered = [each for each in entry_points.installed(GROUPS[kind]) if canonical(each.distribution) == wanted]
        found = {each.name: each for each in offered if not refusal(wanted)}
    return {name: entry for name, entry in found.items() if is_option(name)}


def is_option(name: str) -> bool:
    """Whether a name can be chosen in YAML and on the command line."""
    return bool(_OPTION_NAME.fullmatch(name)) and name.lower() not in RESERVED


def key_of(name: str) -> str:
    """The key under which a metric or plugin stands: its name, or `<distribution>__<name>` where it says both."""
    # A dot would be one more level of the config.
    return name.replace("/", "__").replace(".", "-")


def find(kind: str, name: str) -> InstalledEntryPoint:
    """Where a component comes from.

    Args:
        kind: The kind.
        name: Its name, or `<distribution>/<name>`.

    Raises:
        UnknownComponentError: No installed distribution provides it.
    """
    distribution, slash, plain = name.rpartition("/")
    found = options(kind, distribution)
    if plain not in found:
        raise UnknownComponentError(kind, name, [f"{distribution}{slash}{each}" for each in found])
    return found[plain]


def load(kind: str, name: str) -> Any:
    """The component itself, imported when first asked for.

    Raises:
        UnknownComponentError: No installed distribution provides it.
        PluginLoadError: It is there and cannot be imported, or declares another API version.
    """
    return load_entry(find(kind, name))


@cache
def load_entry(entry: InstalledEntryPoint) -> Any:
    """The component of an entry point; raises as `load` does."""
    # What a module prints when it is imported is no part of a command's output.
    with redirect_stdout(sys.stderr):
        return entry_points.load(entry)
