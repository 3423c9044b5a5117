"""The errors and warnings of the plugin system, and the search for what a misspelt name meant."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = [
    "ApiVersionError",
    "CodexAddonsError",
    "CodexAddonsWarning",
    "DuplicateRegistrationWarning",
    "EntryPointWarning",
    "PluginLoadError",
    "UnknownComponentError",
    "closest",
]


class CodexAddonsError(Exception):
    """The base of every error of this package."""


class CodexAddonsWarning(UserWarning):
    """The base of every warning of this package."""


class DuplicateRegistrationWarning(CodexAddonsWarning):
    """A name was registered again with another object; the first one stays."""


class EntryPointWarning(CodexAddonsWarning):
    """Installed metadata that cannot be used, or two distributions that offer the same name."""


class UnknownComponentError(CodexAddonsError, KeyError):
    """A name that is not registered or installed.

    Attributes:
        kind: The kind of component that was asked for.
        name: The name that was asked for.
        matches: Names that were probably meant, nearest first.
    """

    def __init__(self, kind: str, name: str, candidates: Iterable[str] = (), *, listing: str = "") -> None:
        """Finds the matches.

        Args:
            kind: The kind of component.
            name: The name that was asked for.
            candidates: Every name there is.
            listing: A sentence that says how to list them all; without it, the message lists them itself.
        """
        names = sorted(candidates)
        self.kind = kind
        self.name = name
        self.matches: tuple[str, ...] = tuple(closest(str(name), names)) if names else ()
        meant = f" Did you mean {' or '.join(map(repr, self.matches))}?" if self.matches else ""
        if not names:
            listing = "There is none at all of this kind."
        super().__init__(f"No component {name!r} of kind {kind!r}.{meant} {listing or f'There are: {_listed(names)}.'}")

    def __str__(self) -> str:
        # KeyError shows its argument's repr, which is for keys, not for sentences.
        return str(self.args[0])

    def __reduce__(self) -> tuple[Any, ...]:
        """Launchers carry errors between processes by pickle, which would call `__init__` with the message."""
        return _rebuilt, (type(self), self.args, vars(self))


class PluginLoadError(CodexAddonsError):
    """An entry point that cannot be imported, whatever its module raised.

    Attributes:
        name: The entry point's name.
        distribution: The distribution that provides it.
        cause: What was raised; None after the error has crossed a process boundary.
    """

    def __init__(self, message: str, *, name: str, distribution: str, cause: BaseException | None = None) -> None:
        self.name = name
        self.distribution = distribution
        self.cause = cause
        super().__init__(message)

    def __reduce__(self) -> tuple[Any, ...]:
        """A stranger's exception may not survive pickling; the message holds its type and text."""
        return _rebuilt, (type(self), self.args, {**vars(self), "cause": None})


class ApiVersionError(PluginLoadError):
    """A component that declares another version of the plugin API.

    Attributes:
        declared: The version that the component declares.
        required: The version that was asked for.
    """

    def __init__(self, *, name: str, distribution: str, declared: str, required: str, version: str = "") -> None:
        self.declared = declared
        self.required = required
        message = (
            f"{name!r} of {distribution}{version and f' {version}'} declares the plugin API {declared!r}, "
            f"and {required!r} is required: "
            f"install a version of {distribution} made for {required!r}."
        )
        super().__init__(message, name=name, distribution=distribution)


def closest(name: str, candidates: Iterable[str], n: int = 3) -> list[str]:
    """The candidates that a misspelt name probably meant, nearest first.

    Letter case never counts. A candidate one edit away (a letter too many, too few, another, or two swapped) comes
    before those that are only similar by `difflib`, which alone misses typos in short names.

    Args:
        name: The name as it was given.
        candidates: The names there are.
        n: At most as many.

    Returns:
        The matches; empty when nothing is near.
    """
    import difflib

    given = name.casefold()
    names = sorted(set(candidates))
    near = sorted(
        (each for each in names if _within_one_edit(given, each.casefold())),
        key=lambda each: (each.casefold() != given, each),
    )
    by_folded: dict[str, list[str]] = {}
    for each in names:
        by_folded.setdefault(each.casefold(), []).append(each)
    similar = difflib.get_close_matches(given, by_folded, n=max(n, 1) + len(near))
    ordered = dict.fromkeys([*near, *(each for folded in similar for each in by_folded[folded])])
    return list(ordered)[: max(n, 0)]


def _within_one_edit(left: str, right: str) -> bool:
    if abs(len(left) - len(right)) > 1:
        return False
    shorter = min(len(left), len(right))
    start = 0
    while start < shorter and left[start] == right[start]:
        start += 1
    end = 0
    while end < shorter - start and left[-1 - end] == right[-1 - end]:
        end += 1
    rest_left, rest_right = left[start : len(left) - end], right[start : len(right) - end]
    swapped = len(rest_left) == 2 and rest_left == rest_right[::-1]
    return max(len(rest_left), len(rest_right)) <= 1 or swapped


def _listed(names: list[str], most: int = 20) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _rebuilt(kind: type[CodexAddonsError], args: tuple[Any, ...], state: dict[str, Any]) -> CodexAddonsError:
    error = kind.__new__(kind, *args)
    vars(error).update(state)
    return error
