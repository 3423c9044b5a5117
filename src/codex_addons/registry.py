"""A registry of named components of one kind."""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any, TypeVar, overload

from codex_addons.errors import DuplicateRegistrationWarning, PluginLoadError, UnknownComponentError
from codex_addons.registry_entries import Alias, Description, Entry, described_as, last_alias, resolved, shown

__all__ = ["Description", "Registry"]

T = TypeVar("T")

# Registry.list hides the builtin from annotations inside the class.
_Names = list[str]
_Items = list[tuple[str, Any]]


class Registry:
    """Named components of one kind: idempotent registration, sorted listing, the first registration stays.

    Names are case-sensitive, non-empty strings without whitespace or `/`. Reading is safe from any thread while another
    registers. A registry pickles with what it holds, where that pickles.

    Args:
        kind: What it holds, such as `metrics`; it appears in every message.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        # Replaced as a whole and never changed, so that readers need no lock. Values are entries or aliases.
        self._content: Mapping[str, Entry | Alias] = {}
        self._overridden: dict[str, list[Entry | Alias | None]] = {}
        self._lock = threading.RLock()

    @overload
    def register(self, name: str, obj: None = None, **meta: Any) -> Callable[[T], T]: ...
    @overload
    def register(self, name: str, obj: T, **meta: Any) -> T: ...
    def register(self, name: str, obj: Any = None, **meta: Any) -> Any:
        """Registers an object, directly or as a decorator.

        The same object again is a silent no-op; a different one is warned about, and the first stays.

        Args:
            name: The name.
            obj: The object; without it, a decorator is returned.
            **meta: Anything to tell about it; `describe` shows it.

        Returns:
            The object itself, or the decorator.

        Raises:
            ValueError: The name is empty, no string, or holds whitespace or `/`.
        """
        _check_name(name, self.kind)
        if obj is None:

            def decorate(decorated: T) -> T:
                self._add(name, Entry(decorated, meta))
                return decorated

            return decorate
        self._add(name, Entry(obj, meta))
        return obj

    def alias(self, old: str, new: str, *, since: str, removed_in: str) -> None:
        """Keeps an old name working, with a DeprecationWarning; listings show the new one alone.

        Args:
            old: The old name.
            new: The name that replaces it; it may be registered later.
            since: The version that deprecates the old name.
            removed_in: The version that will remove it.

        Raises:
            ValueError: A name is not allowed, or `new` leads back to `old`.
        """
        _check_name(old, self.kind)
        _check_name(new, self.kind)
        with self._lock:
            following: str | None = new
            while following is not None:
                if following == old:
                    raise ValueError(f"{old!r} cannot be an alias of {new!r}, which leads back to it.")
                entry = self._content.get(following)
                following = entry.new if isinstance(entry, Alias) else None
            self._add(old, Alias(new, since, removed_in))

    def unregister(self, name: str) -> None:
        """Removes a name, or an alias, as if it had never been registered.

        Raises:
            UnknownComponentError: There is no such name.
        """
        with self._lock:
            if not isinstance(name, str) or name not in self._content:  # pyright: ignore[reportUnnecessaryIsInstance]
                raise self._unknown(name)
            self._content = self._without(name)

    @contextlib.contextmanager
    def override(self, name: str, obj: T, **meta: Any) -> Generator[T]:
        """Puts an object under a name inside a `with` block, for tests, then restores what was there, or nothing."""
        _check_name(name, self.kind)
        mine = Entry(obj, meta)
        with self._lock:
            # Lowest is what was there; those above may end in any order.
            layers = self._overridden.setdefault(name, [self._content.get(name)])
            layers.append(mine)
            self._put(name, mine)
        try:
            yield obj
        finally:
            with self._lock:
                layers[:] = [layer for layer in layers if layer is not mine]
                self._put(name, layers[-1])
                if len(layers) == 1:
                    del self._overridden[name]

    def _put(self, name: str, entry: Entry | Alias | None) -> None:
        self._content = self._without(name) if entry is None else {**self._content, name: entry}

    def load_from_entry_points(self, group: str, require_api: str = "v1") -> tuple[int, dict[str, str]]:
        """Loads and registers every entry point of a group; a broken one stops nothing.

        Args:
            group: The entry-point group.
            require_api: The version of the plugin API that each object must declare; one that declares none is "v1".

        Returns:
            How many of the group are registered now, and, for each that could not be loaded, name → message with its
            distribution.
        """
        from codex_addons import entry_points

        count = 0
        errors: dict[str, str] = {}
        for name, entry in entry_points.available(group).items():
            try:
                _check_name(name, self.kind)
                loaded = entry_points.load(entry, require_api)
            except ValueError as error:
                errors[name] = f"{entry.distribution} {entry.version}: {error}"
            except PluginLoadError as error:
                errors[name] = str(error)
            else:
                count += self._add(name, Entry(loaded, source=entry))
        return count, errors

    def resolve_and_instantiate(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        """Calls the named class or factory and returns the result; what cannot be called is returned as it is.

        Raises:
            UnknownComponentError: There is no such name.
        """
        found = self._find(name)
        if found is None:
            raise self._unknown(name)
        return found.obj(*args, **kwargs) if callable(found.obj) else found.obj

    def describe(self, name: str) -> Description:
        """What is known of a name; an alias is described as what it leads to, with its deprecation.

        Raises:
            UnknownComponentError: There is no such name.
        """
        described = described_as(self.kind, name, self._content)
        if described is None:
            raise self._unknown(name)
        return described

    def get(self, name: str, default: Any = None) -> Any:
        """The registered object, or the default."""
        try:
            # The one call that programs make in their loops. An alias has no object of its own.
            entry: Any = self._content[name]
            return entry.obj
        except (KeyError, TypeError, AttributeError):
            found = self._find(name)
        return default if found is None else found.obj

    def names(self) -> _Names:
        """The registered names, sorted; aliases are left out."""
        return sorted(name for name, entry in self._content.items() if isinstance(entry, Entry))

    def list(self) -> _Names:
        """The registered names, sorted; the same as `names`."""
        return self.names()

    def items(self) -> _Items:
        """Names and objects, sorted by name."""
        entries = {name: entry.obj for name, entry in self._content.items() if isinstance(entry, Entry)}
        return [(name, entries[name]) for name in sorted(entries)]

    def __getitem__(self, name: str) -> Any:
        found = self._find(name)
        if found is None:
            raise self._unknown(name)
        return found.obj

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __contains__(self, name: object) -> bool:
        return resolved(self._content, name) is not None

    def __len__(self) -> int:
        return len(self.names())

    def __repr__(self) -> str:
        return f"Registry(kind={self.kind!r}, names={self.names()!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {"kind": self.kind, "_content": dict(self._content)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._overridden = {}
        self._lock = threading.RLock()

    def _find(self, name: str) -> Entry | None:
        """What a name leads to; an alias is warned about at the line that called the public method."""
        content = self._content
        found = resolved(content, name)
        given = content.get(name) if found else None
        if found is not None and isinstance(given, Alias):
            advice = last_alias(content, given).advice
            warnings.warn(f"{self.kind}: {name!r} is an old name; {advice}.", DeprecationWarning, stacklevel=3)
        return found

    def _without(self, name: str) -> dict[str, Entry | Alias]:
        return {key: value for key, value in self._content.items() if key != name}

    def _unknown(self, name: str) -> UnknownComponentError:
        return UnknownComponentError(self.kind, name, self.names(), listing="The registry's list() names them all.")

    def _add(self, name: str, entry: Entry | Alias) -> bool:
        """Whether the name holds this now; a different one that was there first is warned about and stays."""
        with self._lock:
            present = self._content.get(name)
            if present is None:
                self._content = {**self._content, name: entry}
                return True
        if present.is_same(entry):
            return True
        warnings.warn(
            f"{self.kind}: {name!r} is registered already as {shown(present)}, which stays; {shown(entry)} is "
            "ignored: choose another name, or unregister the first.",
            DuplicateRegistrationWarning,
            stacklevel=3,
        )
        return False


def _check_name(name: object, kind: str) -> None:
    if not isinstance(name, str) or not name or "/" in name or any(map(str.isspace, name)):
        raise ValueError(f"{kind}: a name is a non-empty string without whitespace or '/', not {name!r}.")
