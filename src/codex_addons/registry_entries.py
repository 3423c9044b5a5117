"""What a registry holds under a name, and the record of what is known of it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from codex_addons.component import api_version, meta_of
from codex_addons.registry_names import is_stable_name

if TYPE_CHECKING:
    from codex_addons.entry_points import InstalledEntryPoint

__all__ = [
    "Alias",
    "Description",
    "Entry",
    "described_as",
    "last_alias",
    "resolved",
    "shown",
    "summary_of",
    "target_of",
]


@dataclass(frozen=True)
class Description:
    """What is known of one registered name.

    Attributes:
        kind: The registry's kind.
        name: The name.
        meta: What the object declares in `__codex_meta__`, then what `register` was given, which wins.
        distribution: The distribution it was loaded from; None when it was registered directly.
        version: That distribution's version; None likewise.
        target: Where it is defined, `module:attribute`; None when the object does not tell.
        api: The version of the plugin API that it declares.
        summary: The first line of its docstring; empty when it has none.
        stable: Whether the name is a stable one of this kind.
        deprecation: For an alias, what to use instead and until when it works; else None.
    """

    kind: str
    name: str
    meta: Mapping[str, Any]
    distribution: str | None
    version: str | None
    target: str | None
    api: str
    summary: str
    stable: bool
    deprecation: str | None


@dataclass(frozen=True)
class Entry:
    """A registered object.

    Attributes:
        obj: The object.
        meta: What `register` was given besides.
        source: The entry point it was loaded from; None when it was registered directly.
    """

    obj: Any
    meta: Mapping[str, Any] = field(default_factory=dict[str, Any])
    source: InstalledEntryPoint | None = None

    def is_same(self, other: Entry | Alias) -> bool:
        """Whether to register the other under the same name is a no-op."""
        # Identity: equality of two arrays is an array, and two equal mappings are two components.
        return isinstance(other, Entry) and self.obj is other.obj


@dataclass(frozen=True)
class Alias:
    """An old name that leads to a new one.

    Attributes:
        new: The name that replaces it.
        since: The version that deprecated the old name.
        removed_in: The version that will remove it.
    """

    new: str
    since: str
    removed_in: str

    @property
    def advice(self) -> str:
        """What to do about it, as the end of a sentence."""
        return f"use {self.new!r} instead: deprecated since {self.since}, to be removed in {self.removed_in}"

    def is_same(self, other: Entry | Alias) -> bool:
        """Whether to register the other under the same name is a no-op."""
        return self == other


def described_as(kind: str, name: str, content: Mapping[str, Entry | Alias]) -> Description | None:
    """The record of a name in a registry's content; None when the name leads nowhere."""
    entry = resolved(content, name)
    if entry is None:
        return None
    given = content[name]
    source = entry.source
    return Description(
        kind=kind,
        name=name,
        meta=MappingProxyType({**meta_of(entry.obj), **entry.meta}),
        distribution=source.distribution if source else None,
        version=source.version if source else None,
        target=source.target if source else target_of(entry.obj),
        api=api_version(entry.obj),
        summary=summary_of(entry.obj),
        stable=is_stable_name(kind, name),
        deprecation=last_alias(content, given).advice if isinstance(given, Alias) else None,
    )


def resolved(content: Mapping[str, Entry | Alias], name: object) -> Entry | None:
    """What a name leads to, through aliases; None when it leads nowhere."""
    found = content.get(name) if isinstance(name, str) else None
    # Not `while`: what override() restores may lead back to an alias that was made meanwhile.
    for _ in content:
        if isinstance(found, Alias):
            found = content.get(found.new)
    return found if isinstance(found, Entry) else None


def last_alias(content: Mapping[str, Entry | Alias], alias: Alias) -> Alias:
    """An alias that leads straight to the end of a chain: what it names is not deprecated itself."""
    end = alias
    for _ in content:
        following = content.get(end.new)
        if isinstance(following, Alias):
            end = following
    return replace(alias, new=end.new)


def shown(entry: Entry | Alias) -> str:
    """What holds a name, for a message: where it is defined and which distribution it comes from."""
    if isinstance(entry, Alias):
        return f"an alias of {entry.new!r}"
    where = target_of(entry.obj) or repr(entry.obj)
    source = entry.source
    return f"{where} of {source.distribution} {source.version}" if source else where


def target_of(obj: object) -> str | None:
    """Where an object is defined, `module:attribute`; None for one without a name of its own."""
    module = getattr(obj, "__module__", None)
    attribute = getattr(obj, "__qualname__", None)
    return f"{module}:{attribute}" if module and attribute else None


def summary_of(obj: object) -> str:
    """The first line of an object's docstring; empty when it has none of its own."""
    text: Any = getattr(obj, "__doc__", None)
    kind = type(obj)
    # A dict or a functools.partial would show its type's docstring, which tells nothing of this one.
    inherited = text == kind.__doc__ and kind.__module__.partition(".")[0] in sys.stdlib_module_names
    if not isinstance(text, str) or inherited:
        return ""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")
