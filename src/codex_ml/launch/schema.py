"""A component's options, read from its declaration or its signature."""

from __future__ import annotations

import dataclasses
import enum
import functools
import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Optional

from codex_ml.launch.annotations import hints_of
from codex_ml.launch.conversion import REQUIRED, ConversionError, convert

__all__ = ["Option", "Schema", "read_schema"]

# How many positional arguments the calling convention of a kind takes for itself.
_CONVENTION = {
    **{"model": 1, "tokenizer": 1, "data_loader": 1, "metric": 2, "trainer": 1, "task": 0, "plugin": 0},
    "sample": 1,
}
_ARGUMENT = re.compile(r" {4}\*{0,2}(\w+)(?: \(.*?\))?:(.*)")
_CONFIG_KINDS = ("model", "tokenizer")
# A key `defaults` would be read as a defaults list.
_RESERVED = frozenset({"name", "factory", "defaults"})


@dataclass(frozen=True)
class Option:
    """One option of a component.

    Attributes:
        name: The key.
        annotation: Its type; `Any` where nothing is known of it.
        default: Its default as plain YAML, or `REQUIRED`.
        help: One line, empty where the author gave none.
        listed: Whether the composed node holds it; an option whose default is no YAML value is accepted, not shown.
    """

    name: str
    annotation: Any = Any
    default: Any = None
    help: str = ""
    listed: bool = True


@dataclass(frozen=True)
class Schema:
    """The options of a component.

    Attributes:
        options: By name, in the author's order.
        open: Whether keys beside these are taken (added with `+` on the command line).
        declared: The dataclass that they were read from; None where that was a signature.
    """

    options: Mapping[str, Option] = field(default_factory=dict)
    open: bool = False
    declared: Any = None

    def complaints(self, options: Mapping[str, Any]) -> list[str]:
        """What the declaration itself says of converted options, when it is built of them: a learning rate below 0."""
        if self.declared is None:
            return []
        names = {item.name for item in dataclasses.fields(self.declared) if item.init}
        try:
            self.declared(**{name: value for name, value in options.items() if name in names})
        except (TypeError, ValueError) as error:
            # Several of them, each with its key; a semicolon within one stays.
            return re.split(r"; (?=\w+\.\w)", str(error))
        return []

    def defaults(self) -> dict[str, Any]:
        """The node as it is composed when nobody overrides anything."""
        return {option.name: option.default for option in self.options.values() if option.listed}


def read_schema(kind: str, factory: Any) -> Schema:
    """The options of a component.

    Args:
        kind: The config group.
        factory: The component.

    Raises:
        Exception: Whatever its declaration raises, which is a stranger's.
    """
    declared = getattr(factory, "__codex_config__", None)
    if declared is not None:
        schema = Schema({option.name: option for option in _from_dataclass(declared)})
    else:
        schema = _from_signature(kind, factory)
    reserved = {*_RESERVED, "head"} if kind == "model" else _RESERVED
    options = {name: option for name, option in schema.options.items() if name not in reserved}
    if kind == "model":
        base = ("model_name", "device", "dtype") if schema.open else ("device", "dtype")
        for name in base:
            options.setdefault(name, Option(name, str | None, None, _MODEL_HELP[name]))
    return Schema(options, schema.open, declared)


_MODEL_HELP = {
    "model_name": "which model, in the factory's own terms; null leaves it to the factory",
    "device": "where it runs, as torch says it; null takes the GPU where there is one",
    "dtype": "the weights' type, as torch says it; null is float32",
}


def _from_dataclass(declared: Any) -> Iterator[Option]:
    if not (isinstance(declared, type) and dataclasses.is_dataclass(declared)):
        raise TypeError(f"__codex_config__ must be a dataclass, not {declared!r}")
    hints = hints_of(declared)
    for item in dataclasses.fields(declared):
        if not item.init:
            continue
        default: Any = REQUIRED
        if item.default is not dataclasses.MISSING:
            default = _plain_or_none(item.default)
        elif item.default_factory is not dataclasses.MISSING:
            default = _plain_or_none(item.default_factory())
        yield _option(item.name, hints.get(item.name, Any), default, str(item.metadata.get("help", "")))


def _from_signature(kind: str, factory: Any) -> Schema:
    try:
        parameters = list(inspect.signature(factory).parameters.values())
    except (TypeError, ValueError):
        return Schema(open=True)
    hints = hints_of(_annotated(factory))
    positional = [item for item in parameters if item.kind in (item.POSITIONAL_ONLY, item.POSITIONAL_OR_KEYWORD)]
    taken = {item.name for item in positional[: _CONVENTION[kind]]}
    told = _told_of_arguments(inspect.getdoc(factory) or "")
    options = {
        item.name: _option(
            item.name,
            hints.get(item.name, Any),
            REQUIRED if item.default is item.empty else _plain_or_none(item.default),
            told.get(item.name, ""),
        )
        for item in parameters
        if item.name not in taken and item.kind in (item.POSITIONAL_OR_KEYWORD, item.KEYWORD_ONLY)
    }
    anything = any(item.kind is item.VAR_KEYWORD for item in parameters)
    return Schema(options, open=anything or (kind in _CONFIG_KINDS and not options))


def _told_of_arguments(doc: str) -> dict[str, str]:
    """The first sentence on each argument in a docstring of Google's style."""
    _, _, section = doc.partition("\nArgs:\n")
    found: dict[str, str] = {}
    for line in section.splitlines():
        entry = _ARGUMENT.fullmatch(line)
        if entry:
            found[entry[1]] = entry[2].strip()
        elif found and line.startswith(" " * 8):
            found[next(reversed(found))] += f" {line.strip()}"
        else:
            break
    return {name: re.split(r"(?<=[.]) ", text)[0].rstrip(".") for name, text in found.items()}


def _annotated(factory: Any) -> Any:
    """What holds the annotations of the signature that `inspect` finds."""
    while isinstance(factory, functools.partial):
        factory = factory.func
    factory = inspect.unwrap(factory)
    if inspect.isclass(factory):
        return factory.__init__ if factory.__init__ is not object.__init__ else factory.__new__
    return factory if inspect.isroutine(factory) else type(factory).__call__


class _NoYaml:
    """Stands for a default that YAML cannot hold."""


def _option(name: str, annotation: Any, default: Any, help_text: str = "") -> Option:
    if default is _NoYaml:
        return Option(name, annotation, None, help_text, listed=False)
    if default is None and annotation is not Any:
        try:
            annotation = Optional[annotation]  # noqa: UP045 (what stands here is anything an author wrote)
        except TypeError:
            annotation = Any
    if default != REQUIRED:
        try:
            convert(default, annotation)
        except ConversionError:
            # The author's slip, `steps: int = 0.5`: nobody who leaves the option alone is to hear of it.
            annotation = Any
    return Option(name, annotation, default, help_text)


def _plain_or_none(value: Any) -> Any:
    try:
        return _plain(value)
    except TypeError:
        return _NoYaml


def _plain(value: Any) -> Any:
    """A default as YAML holds it; TypeError where it cannot."""
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, str):
        if value == REQUIRED:
            raise TypeError("YAML reads this text as a value that is missing")
        return _escaped(str(value))
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, PurePath):
        return _escaped(str(value))
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, set | frozenset):
        # In one order, whatever the process's hash seed.
        return sorted((_plain(item) for item in value), key=repr)
    if isinstance(value, Mapping):
        return {key if isinstance(key, int) else str(key): _plain(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: _plain(getattr(value, item.name)) for item in dataclasses.fields(value) if item.init}
    raise TypeError(type(value).__name__)


def _escaped(text: str) -> str:
    """Only YAML may hold an interpolation; a default that looks like one is text."""
    before, interpolation, after = text.partition("${")
    if not interpolation:
        return text
    # Backslashes right before it count double, and only there.
    slashes = before[len(before.rstrip("\\")) :]
    return before + slashes + "\\" + interpolation + _escaped(after)
