"""What is installed of a group, loaded: for code that wants components without a run."""

from __future__ import annotations

import warnings

from codex_addons import entry_points
from codex_addons.errors import EntryPointWarning, PluginLoadError
from codex_addons.registry import Registry

__all__ = ["Registry", "discover", "get"]


def discover(group: str = "codex_ml.plugins") -> dict[str, object]:
    """Loads everything that installed distributions offer in a group.

    One that cannot be loaded, or is made for another version of the plugin API, is left out with an `EntryPointWarning`
    that names its distribution and the cause. What the allow and deny lists shut out is not there at all.

    Args:
        group: The entry-point group, such as `codex_ml.metrics`.

    Returns:
        The loaded objects by name, sorted.
    """
    found: dict[str, object] = {}
    for name, entry in entry_points.available(group).items():
        try:
            found[name] = entry_points.load(entry)
        except PluginLoadError as error:
            warnings.warn(f"left out of {group}: {error}", EntryPointWarning, stacklevel=2)
    return found


def get(name: str, group: str = "codex_ml.plugins") -> object | None:
    """Loads one component of a group, and no other.

    Args:
        name: The name it is registered under.
        group: The entry-point group.

    Returns:
        The object; None when no installed distribution offers the name.

    Raises:
        PluginLoadError: There is one, and it cannot be loaded or is made for another version of the plugin API.
    """
    entry = entry_points.available(group).get(name)
    return None if entry is None else entry_points.load(entry)
