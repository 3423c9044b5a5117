"""What a type annotation says: its words, its name, and which of typing's forms are read alike."""

from __future__ import annotations

import collections.abc
import dataclasses
import enum
import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterator
from pathlib import PurePath
from typing import Any

__all__ = ["LISTS", "MAPPINGS", "SETS", "UNIONS", "bare", "choices", "hints_of", "said", "type_name"]

# The annotations that are read alike, and what typing.get_origin gives for them.
UNIONS = (typing.Union, types.UnionType)
SETS = (set, frozenset, collections.abc.Set, collections.abc.MutableSet)
LISTS = (
    *(list, tuple, collections.abc.Sequence, collections.abc.MutableSequence),
    *(collections.abc.Iterable, collections.abc.Collection),
)
MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


def type_name(annotation: Any) -> str:
    """An annotation as a user would say it: `float`, `one of linear, cosine`, `list of str`, `int or null`."""
    annotation = bare(annotation)
    origin, arguments = typing.get_origin(annotation) or annotation, typing.get_args(annotation)
    if annotation is Any:
        return "anything"
    if annotation in (None, type(None)):
        return "null"
    if annotation is bool:
        return "true or false"
    words = choices(annotation)
    if words and origin not in UNIONS:
        return "one of " + ", ".join(words)
    if origin in UNIONS:
        return " or ".join(dict.fromkeys(type_name(item) for item in arguments))
    if origin in (*LISTS, *SETS):
        inner = dict.fromkeys(type_name(item) for item in arguments if item is not Ellipsis)
        return "list" + (f" of {' and '.join(inner)}" if inner else "")
    if origin in MAPPINGS or dataclasses.is_dataclass(annotation):
        return "mapping"
    if isinstance(annotation, type) and issubclass(annotation, PurePath):
        return "path"
    return getattr(annotation, "__name__", str(annotation))


def choices(annotation: Any) -> list[str]:
    """The words that an annotation names: a Literal's values, an Enum's names, those of a union's members."""
    annotation = bare(annotation)
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return list(annotation.__members__)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return [said(item) for item in arguments]
    return [word for item in arguments for word in choices(item)] if origin in UNIONS else []


def bare(annotation: Any) -> Any:
    """An annotation without `Annotated` and `NewType`, which say nothing of the value."""
    while True:
        if typing.get_origin(annotation) is typing.Annotated:
            annotation = typing.get_args(annotation)[0]
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        else:
            return annotation


def said(value: Any) -> str:
    """A value as YAML writes it."""
    if isinstance(value, enum.Enum):
        return value.name
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return str(value)


def hints_of(target: Any) -> dict[str, Any]:
    """The annotations of a function or a class, `Any` for each that names what only a type checker imports."""
    try:
        return typing.get_type_hints(target, include_extras=True)
    except Exception:
        # Annotations are the author's and may name what only a type checker imports; each is then read by itself.
        classes = reversed(target.__mro__) if inspect.isclass(target) else [target]
        return {name: hint for each in classes for name, hint in _hints_one_by_one(each)}


def _hints_one_by_one(target: Any) -> Iterator[tuple[str, Any]]:
    namespace = dict(vars(sys.modules.get(getattr(target, "__module__", ""), typing)))
    for name, annotation in inspect.get_annotations(target).items():
        probe: Callable[..., Any] = lambda: None  # noqa: E731 (a function is what get_type_hints reads)
        probe.__annotations__ = {name: annotation}
        try:
            yield name, typing.get_type_hints(probe, namespace, include_extras=True)[name]
        except Exception:
            yield name, Any
