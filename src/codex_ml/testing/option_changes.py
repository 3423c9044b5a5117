"""Other values for a component's options, one option at a time."""

from __future__ import annotations

import enum
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from codex_ml.launch.annotations import UNIONS, bare
from codex_ml.launch.schema import Schema

__all__ = ["changes_of"]

# Large enough to be taken, small enough to be noticed where it limits something.
_SOME_NUMBER = 7


def changes_of(schema: Schema, arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Mappings of an option to a value that it does not have in the arguments, and may or may not take.

    Text is left alone, as nobody can guess what it stands for.

    Args:
        schema: The options.
        arguments: Their values.
    """
    for name, option in schema.options.items():
        now = arguments.get(name)
        for value in _values(option.annotation, now):
            if value != now or type(value) is not type(now):
                yield {name: value}


def _values(annotation: Any, now: Any) -> Iterator[Any]:
    annotation = bare(annotation)
    origin = typing.get_origin(annotation) or annotation
    if origin in UNIONS:
        for each in typing.get_args(annotation):
            yield from _values(each, now)
    elif origin is typing.Literal:
        yield from typing.get_args(annotation)
    elif isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        yield from (member.name for member in annotation if member is not now)
    elif annotation is type(None):
        yield None
    elif annotation is bool or isinstance(now, bool):
        yield from (True, False)
    elif isinstance(now, int):
        yield now + 1
    elif annotation in (int, float) or isinstance(now, float):
        yield now / 2 if isinstance(now, float) and now else _SOME_NUMBER
