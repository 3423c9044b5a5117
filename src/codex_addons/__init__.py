"""A plugin system on entry points: registries, what is installed, and what a component declares."""

from __future__ import annotations

from typing import TYPE_CHECKING

# Not lazily, unlike the rest: it has its module's name, and importing the module later would put that in its place.
from codex_addons.component import component

if TYPE_CHECKING:
    from codex_addons.component import api_version, meta_of
    from codex_addons.entry_points import InstalledEntryPoint, available, choose, installed, load
    from codex_addons.errors import (
        ApiVersionError,
        CodexAddonsError,
        CodexAddonsWarning,
        DuplicateRegistrationWarning,
        EntryPointWarning,
        PluginLoadError,
        UnknownComponentError,
        closest,
    )
    from codex_addons.registry import Description, Registry

__all__ = [
    "ApiVersionError",
    "CodexAddonsError",
    "CodexAddonsWarning",
    "Description",
    "DuplicateRegistrationWarning",
    "EntryPointWarning",
    "InstalledEntryPoint",
    "PluginLoadError",
    "Registry",
    "UnknownComponentError",
    "api_version",
    "available",
    "choose",
    "closest",
    "component",
    "installed",
    "load",
    "meta_of",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    modules = (import_module(f"{__name__}.{each}") for each in ("component", "errors", "entry_points", "registry"))
    globals()[name] = found = next(vars(module)[name] for module in modules if name in vars(module))
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
