"""Checks a plain value from YAML against a type annotation and converts it."""

from __future__ import annotations

import collections.abc
import dataclasses
import enum
import typing
from collections.abc import Callable, Hashable, Iterable, Iterator
from pathlib import Path, PurePath
from typing import Any

from codex_addons.errors import closest
from codex_ml.launch.annotations import LISTS, MAPPINGS, SETS, UNIONS, bare, choices, hints_of, said, type_name

__all__ = ["REQUIRED", "ConversionError", "convert"]

# How YAML writes a value that somebody must still give.
REQUIRED: Any = "???"

# How much of a wrong value a message shows.
_LONGEST = 80


class ConversionError(ValueError):
    """A value that doesn't fit.

    Attributes:
        message: What is wrong.
        where: The path below the option, `.a[0]`; empty for the option itself.
        known: The keys there are, where an unknown one is what is wrong.
        others: What else is wrong with the same value.
    """

    def __init__(self, message: str, where: str = "", *, known: Iterable[str] = ()) -> None:
        self.message, self.where, self.known = message, where, tuple(known)
        self.others: tuple[ConversionError, ...] = ()
        super().__init__(message)

    def __iter__(self) -> Iterator[ConversionError]:
        """This error and the others."""
        return iter((self, *self.others))


def convert(value: Any, annotation: Any) -> Any:
    """The value as the annotation wants it; an annotation this doesn't know takes anything.

    Raises:
        ConversionError: The value doesn't fit.
    """
    annotation = bare(annotation)
    origin = typing.get_origin(annotation) or annotation
    if value == REQUIRED and isinstance(value, str):
        raise ConversionError("has no value")
    if origin in UNIONS:
        return _union(value, annotation)
    if origin is typing.Literal:
        return _literal(value, annotation)
    if annotation in (None, type(None)):
        return _expect(value is None, value, annotation)
    if annotation in (bool, int, float, str):
        return _scalar(value, annotation)
    if origin in (*LISTS, *SETS):
        return _sequence(value, annotation)
    if origin in MAPPINGS:
        return _mapping(value, annotation)
    return _class(value, annotation) if isinstance(annotation, type) else value


def _wrong(value: Any, annotation: Any) -> ConversionError:
    shown = repr(value) if isinstance(value, str) else said(value)
    shown = shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."
    near = closest(value, choices(annotation), 1) if isinstance(value, str) else []
    hint = f"; did you mean '{near[0]}'?" if near else ""
    text = str in (annotation, *typing.get_args(annotation))
    if isinstance(value, bool | float) and (text or shown in choices(annotation)):
        hint = "; quote it if it is text"
    name = type_name(annotation)
    article = "a " if name.startswith(("list", "mapping")) else ""
    return ConversionError(f"must be {article}{name}, not {shown}{hint}")


def _expect(fits: bool, value: Any, annotation: Any) -> Any:
    if not fits:
        raise _wrong(value, annotation)
    return value


def _scalar(value: Any, annotation: type) -> Any:
    if annotation is bool:
        return _expect(isinstance(value, bool), value, annotation)
    # bool is an int to Python and never one to a user.
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if annotation is int:
        _expect(number and value == value // 1 and abs(value) != float("inf"), value, annotation)
        return int(value)
    if annotation is float:
        return float(_expect(number, value, annotation))
    # An unquoted whole number on the command line is one to Hydra, also where a name was meant.
    return str(_expect(isinstance(value, str) or (number and isinstance(value, int)), value, annotation))


def _union(value: Any, annotation: Any) -> Any:
    members = [bare(item) for item in typing.get_args(annotation)]
    if value is None and (type(None) in members or Any in members):
        return None
    # A member that takes the value as it is comes before one that converts it, and text, which takes numbers, last.
    exact = [item for item in members if type(value) is item]
    errors: list[ConversionError] = []
    for member in (*exact, *sorted(members, key=lambda item: item is str)):
        try:
            return convert(value, member)
        except ConversionError as error:
            errors.append(error)
    # Where the value has a member's shape, what is wrong inside it says more.
    raise next((error for error in errors if error.where), None) or _wrong(value, annotation)


def _literal(value: Any, annotation: Any) -> Any:
    members = typing.get_args(annotation)
    for choice in members:
        if choice == value and type(choice) is type(value):
            return choice
    # A whole number where text is wanted, as for `str`; and an Enum's member by its name.
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None
    for choice in members:
        if text is not None and text == (choice.name if isinstance(choice, enum.Enum) else choice):
            return choice
    raise _wrong(value, annotation)


def _sequence(value: Any, annotation: Any) -> Any:
    origin, arguments = typing.get_origin(annotation) or annotation, typing.get_args(annotation)
    _expect(isinstance(value, list | tuple), value, annotation)
    if origin is tuple and arguments and Ellipsis not in arguments:
        if len(arguments) != len(value):
            raise ConversionError(f"must have {len(arguments)} items, not {len(value)}")
        inner = list(arguments)
    else:
        inner = [arguments[0] if arguments else Any] * len(value)
    items = list(_all((f"[{i}]", convert, item, kind) for i, (item, kind) in enumerate(zip(value, inner, strict=True))))
    if origin in SETS:
        if not all(isinstance(item, Hashable) for item in items):
            raise ConversionError("must hold plain values, for each counts once")
        return frozenset(items) if origin is frozenset else set(items)
    return tuple(items) if origin is tuple else items


def _mapping(value: Any, annotation: Any) -> Any:
    _expect(isinstance(value, collections.abc.Mapping), value, annotation)
    key_kind, item_kind = typing.get_args(annotation) or (Any, Any)
    keys = _all((f".{key}", convert, key, key_kind) for key in value)
    return dict(zip(keys, _all((f".{key}", convert, item, item_kind) for key, item in value.items()), strict=True))


def _class(value: Any, annotation: type) -> Any:
    if issubclass(annotation, enum.Enum):
        named = annotation.__members__.get(value) if isinstance(value, str) else None
        found = [member for member in annotation if member.value == value and type(member.value) is type(value)]
        _expect(named is not None or bool(found), value, annotation)
        return found[0] if named is None else named
    if issubclass(annotation, PurePath):
        return Path(_expect(isinstance(value, str) and bool(value), value, annotation))
    return _dataclass(value, annotation) if dataclasses.is_dataclass(annotation) else value


def _dataclass(value: Any, annotation: Any) -> Any:
    _expect(isinstance(value, collections.abc.Mapping), value, annotation)
    hints = hints_of(annotation)
    fields = {item.name: item for item in dataclasses.fields(annotation) if item.init}
    required = [
        name
        for name, item in fields.items()
        if item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
    ]

    def one(key: str, item: Any) -> Any:
        if key not in fields:
            raise ConversionError("unknown key", known=fields)
        return convert(item, hints.get(key, Any))

    given = {**dict.fromkeys(required, REQUIRED), **value}
    converted = _all((f".{key}", one, key, item) for key, item in given.items())
    try:
        return annotation(**dict(zip(given, converted, strict=True)))
    except (TypeError, ValueError) as error:
        # Raised by the class's own checks, after every field fitted.
        raise ConversionError(f"does not fit: {error}") from None


def _all(parts: Iterable[tuple[str, Callable[[Any, Any], Any], Any, Any]]) -> list[Any]:
    """The parts of a value, each converted; every error of every part at once, each with its place."""
    results: list[Any] = []
    errors: list[ConversionError] = []
    for where, conversion, value, annotation in parts:
        try:
            results.append(conversion(value, annotation))
        except ConversionError as error:
            errors += (ConversionError(each.message, where + each.where, known=each.known) for each in error)
    if errors:
        errors[0].others = tuple(errors[1:])
        raise errors[0]
    return results
