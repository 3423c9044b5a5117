"""Whether the options that a component declares can be what they say they are."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from omegaconf import OmegaConf

from codex_ml.launch.conversion import ConversionError, convert
from codex_ml.launch.schema import Option, Schema

__all__ = ["declared_options", "default_value", "wrong_defaults"]

_NO_DEFAULT: Any = object()


def default_value(option: Option) -> Any:
    """An option's default as a run gets it: written to YAML, read again and resolved."""
    text = OmegaConf.to_yaml(OmegaConf.create({option.name: option.default}))
    read: Any = OmegaConf.to_container(OmegaConf.create(text), resolve=True)
    return read[option.name]


def wrong_defaults(factory: Any, schema: Schema, options: Mapping[str, Any]) -> list[str]:
    """What is wrong with a component's options, each in a sentence; empty when nothing is.

    Args:
        factory: The component.
        schema: Its options as codex-run reads them.
        options: Those that it is checked with: a component may need one of two.
    """
    declared = dict(declared_options(factory, schema))
    problems = [
        f"an option may not be called '{name}': codex-run keeps that name for itself"
        for name in declared
        if name not in schema.options
    ]
    for name, (annotation, default) in declared.items():
        if name in schema.options and default is not _NO_DEFAULT:
            problems += _wrong_default(schema.options[name], annotation, default)
    if not problems and not any(default is _NO_DEFAULT for _, default in declared.values()):
        given = {
            name: convert(default_value(schema.options[name]), schema.options[name].annotation) for name in declared
        }
        problems += [
            f"{schema.declared.__name__} refuses its own defaults: {why}"
            for why in schema.complaints({**given, **_plain(options)})
        ]
    return problems


def _wrong_default(option: Option, annotation: Any, default: Any) -> Iterator[str]:
    named = f"the option '{option.name}'"
    if not option.listed:
        yield f"{named} has the default {default!r}, which YAML cannot hold: make it None and replace it inside"
        return
    value = default_value(option)
    try:
        received = value if default is None else convert(value, annotation)
    except ConversionError as error:
        yield f"{named} has a default that does not fit its own annotation: it {error.message}"
        return
    if not _same(received, default):
        hint = "annotate it" if annotation is Any else "change one of the two"
        yield (
            f"{named} has the default {default!r}, and a run would get {received!r} of type "
            f"{type(received).__name__}: {hint}"
        )


def _same(received: Any, default: Any) -> bool:
    if isinstance(received, list | tuple) and isinstance(default, list | tuple):
        # YAML has one kind of sequence, and who annotates a tuple gets one.
        return len(received) == len(default) and all(map(_same, received, default))
    return received == default or repr(received) == repr(default)


def declared_options(factory: Any, schema: Schema) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Name, annotation and default of each option as the author wrote them, without what codex-run adds."""
    declared = getattr(factory, "__codex_config__", None)
    if declared is None:
        yield from _parameters(factory, schema)
        return
    try:
        hints = typing.get_type_hints(declared, include_extras=True)
    except Exception:
        # Annotations may name what only a type checker imports.
        hints = {}
    for field in dataclasses.fields(declared):
        if field.init:
            default = field.default
            if field.default_factory is not dataclasses.MISSING:
                default = field.default_factory()
            given = _NO_DEFAULT if default is dataclasses.MISSING else default
            yield field.name, (hints.get(field.name, Any), given)


def _parameters(factory: Any, schema: Schema) -> Iterator[tuple[str, tuple[Any, Any]]]:
    try:
        parameters = inspect.signature(factory, eval_str=True).parameters
    except NameError:
        parameters = inspect.signature(factory).parameters
    except (TypeError, ValueError):
        return
    for name, item in parameters.items():
        # What else there is belongs to the calling convention.
        if item.kind is item.KEYWORD_ONLY or name in schema.options:
            unknown = item.annotation is item.empty or isinstance(item.annotation, str)
            default = _NO_DEFAULT if item.default is item.empty else item.default
            yield name, (Any if unknown else item.annotation, default)


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    # A test names folders of its own by paths, a config by text.
    return {name: str(value) if isinstance(value, PurePath) else value for name, value in options.items()}
