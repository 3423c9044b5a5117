"""Type annotations as JSON and back, as far as `conversion` tells them apart.

A class of a plugin's own comes back as another one of the same name, fields or members: enough to check a value and to
say what is wrong with it, without importing the plugin.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import enum
import functools
import operator
import typing
from pathlib import Path, PurePath
from typing import Any

from codex_ml.launch.annotations import LISTS, MAPPINGS, SETS, UNIONS, bare, hints_of, type_name

__all__ = ["from_json", "to_json"]

_PLAIN: dict[Any, str] = {Any: "any", None: "null", type(None): "null"}
_PLAIN |= {bool: "bool", int: "int", float: "float", str: "str"}
_BY_NAME: dict[str, Any] = {name: annotation for annotation, name in _PLAIN.items()} | {"null": None, "path": Path}
# What conversion makes of any of their relatives.
_SEQUENCES: dict[str, Any] = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}


def to_json(annotation: Any, inside: tuple[Any, ...] = ()) -> Any:
    """An annotation as JSON.

    Args:
        annotation: Whatever an author wrote.
        inside: The dataclasses that it stands in; one inside itself is written as `any`.
    """
    annotation = bare(annotation)
    if isinstance(annotation, collections.abc.Hashable) and annotation in _PLAIN:
        return _PLAIN[annotation]
    origin, arguments = typing.get_origin(annotation) or annotation, typing.get_args(annotation)
    if origin is typing.Literal:
        return {"literal": [_member(item) for item in arguments]}
    inner = [... if item is Ellipsis else to_json(item, inside) for item in arguments]
    if origin in UNIONS:
        return {"union": inner}
    if origin in (*LISTS, *SETS):
        name = origin.__name__ if origin in _SEQUENCES.values() else "set" if origin in SETS else "list"
        return {name: [item for item in inner if item is not ...], "any_length": ... in inner}
    if origin in MAPPINGS:
        return {"mapping": inner}
    if isinstance(annotation, type):
        return _class(annotation, inside)
    return {"class": type_name(annotation)}


def _member(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return {"member": value.name}
    return value if isinstance(value, str | int | float | None) else {"text": str(value)}


def _class(annotation: type, inside: tuple[Any, ...]) -> Any:
    if issubclass(annotation, enum.Enum):
        members = {name: member.value for name, member in annotation.__members__.items()}
        plain = {
            name: value if isinstance(value, str | int | float) else repr(value) for name, value in members.items()
        }
        return {"enum": annotation.__name__, "members": plain}
    if issubclass(annotation, PurePath):
        return "path"
    if annotation in inside:
        return "any"
    if dataclasses.is_dataclass(annotation):
        hints = hints_of(annotation)
        fields = [item for item in dataclasses.fields(annotation) if item.init]
        needed = [
            item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING for item in fields
        ]
        return {
            "dataclass": annotation.__name__,
            "fields": [
                [item.name, to_json(hints.get(item.name, Any), (*inside, annotation)), required]
                for item, required in zip(fields, needed, strict=True)
            ],
        }
    return {"class": annotation.__name__}


def from_json(content: Any) -> Any:
    """The annotation of what `to_json` made.

    Raises:
        KeyError: It is nothing that `to_json` makes.
    """
    if isinstance(content, str):
        return _BY_NAME[content]
    (kind, value), *_ = content.items()
    if kind == "union":
        return functools.reduce(operator.or_, map(from_json, value))
    if kind == "literal":
        return typing.Literal[tuple(map(_value, value))]
    if kind == "mapping":
        return dict.__class_getitem__(tuple(map(from_json, value))) if value else dict
    if kind == "enum":
        return enum.Enum(value, content["members"])
    if kind == "dataclass":
        fields = [(name, from_json(of), _field(required)) for name, of, required in content["fields"]]
        return dataclasses.make_dataclass(value, fields, kw_only=True)
    if kind == "class":
        return type(value, (), {})
    items = [*map(from_json, value), *([...] if content["any_length"] else [])]
    return _SEQUENCES[kind][tuple(items)] if items else _SEQUENCES[kind]


def _value(content: Any) -> Any:
    if not isinstance(content, dict):
        return content
    (kind, name), *_ = content.items()
    return getattr(enum.Enum("Member", {name: name}), name) if kind == "member" else name


def _field(required: bool) -> Any:
    return dataclasses.field() if required else dataclasses.field(default=None)
