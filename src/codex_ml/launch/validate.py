"""Checks a composed config against every declaration and finds all that is wrong with it at once."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from omegaconf import DictConfig, ListConfig
from omegaconf.errors import OmegaConfBaseException

from codex_addons.errors import CodexAddonsError
from codex_ml import registries
from codex_ml.errors import Problem
from codex_ml.launch.annotations import type_name
from codex_ml.launch.conversion import REQUIRED, ConversionError, convert
from codex_ml.launch.declarations import declaration_of, loaded_declaration
from codex_ml.launch.nearest import nearest
from codex_ml.launch.nodes import nodes
from codex_ml.launch.schema import Schema
from codex_ml.launch.settings import Settings
from codex_ml.launch.sources import Sources

__all__ = ["GLOBAL", "UNRESOLVED", "Choice", "Values", "validate"]

_OPTIONAL = ("tokenizer",)
GLOBAL = "# @package _global_"
UNRESOLVED: Any = object()
"""Stands for a value that is wrong, and was told."""


@dataclass(frozen=True)
class Choice:
    """A chosen component with its converted options.

    Attributes:
        kind: The config group.
        path: Its node in the config, `model` or `metric.f1`.
        name: The registry name.
        options: The converted options; those left to the factory are absent.
    """

    kind: str
    path: str
    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]


@dataclass(frozen=True)
class Values:
    """A config as plain, checked values.

    Attributes:
        settings: The keys that belong to no component.
        choices: The components.
        wrong: The places of the config that could not be read; a setting has its default there.
    """

    settings: Settings
    choices: tuple[Choice, ...]
    wrong: frozenset[str] = frozenset()


def validate(
    config: DictConfig, sources: Sources, placeholders: Iterable[str] = (), *, loaded: bool = False
) -> tuple[Values, list[Problem]]:
    """The config's values, as far as they are right, and its problems.

    Args:
        config: A composed config.
        sources: Where its keys came from.
        placeholders: Config paths that stand for wrong options, told already; their nodes are not looked at.
        loaded: Whether components that bring heavy libraries are loaded as well. What they declare is known without
            that; the checks of their own, and values of their own types, are not.
    """
    checker = _Checker(config, sources, frozenset(placeholders))
    checker.declared = loaded_declaration if loaded else declaration_of
    choices = checker.choices()
    settings, wrong = checker.settings()
    return Values(settings, tuple(choices), wrong | checker.unchecked), checker.problems


class _Checker:
    def __init__(self, config: DictConfig, sources: Sources, placeholders: frozenset[str]) -> None:
        self.config, self.sources = config, sources
        self.declared = declaration_of
        self.problems: list[Problem] = []
        self.unchecked = {layer.package for layer in sources.layers if layer.config_path in placeholders}
        # What a registry put at each node: the only name that may stand there.
        self.built_on: dict[str, list[str]] = {}
        for layer in sources.layers:
            if layer.from_registry and isinstance(layer.result.config, DictConfig) and "name" in layer.result.config:
                self.built_on.setdefault(layer.package, []).append(str(layer.result.config.name))

    def problem(self, key: str, message: str, source: str = "") -> None:
        self.problems.append(Problem(message, source or self.sources.of(key)))

    def settings(self) -> tuple[Settings, frozenset[str]]:
        hints = typing.get_type_hints(Settings)
        names = [str(key) for key in self.config if str(key) not in (*registries.KINDS, "hydra")]
        known = {name: hints[name] for name in names if name in hints}
        for name in names:
            if name not in known:
                self.stray(name, [*hints, *registries.KINDS])
        values = {
            name: self.converted(name, self.plain(self.config, name, name), annotation)
            for name, annotation in known.items()
        }
        if isinstance(seed := values.get("seed"), int) and not -(2**63) <= seed < 2**63:
            self.problem("seed", "'seed' must be a whole number of at most 64 bits")
        right = {name: value for name, value in values.items() if value is not UNRESOLVED}
        return Settings(**right), frozenset(values) - frozenset(right)

    def stray(self, name: str, known: list[str]) -> None:
        """Tells of a key at the top that is none."""
        file = self.sources.file_of(name) if name in self.sources.groups else ""
        if file:
            self.problem(name, f"sets keys below '{name}', of which there are none: begin it with '{GLOBAL}'", file)
        else:
            near = nearest(name, known)
            self.problem(name, f"unknown key '{name}'{near or '; values of your own go under vars'}")

    def converted(self, path: str, value: Any, annotation: Any) -> Any:
        if value is UNRESOLVED:
            return value
        try:
            return convert(value, annotation)
        except ConversionError as errors:
            for error in errors:
                key = path + error.where
                message = f"'{key}' {error.message}"
                if error.known:
                    parent, _, name = key.rpartition(".")
                    near = nearest(name, error.known, parent + ".{}")
                    message = f"unknown key '{key}'{near or '; the keys: ' + ', '.join(error.known)}"
                elif error.message == "has no value":
                    message += f"; set {key}={'...' if error.where else f'<{type_name(annotation)}>'}"
                self.problem(key, message)
            return UNRESOLVED

    def choices(self) -> list[Choice]:
        found = list(nodes(self.config))
        for kind in registries.KINDS:
            if kind not in self.unchecked:
                self.unchosen(kind, {path for _, path, _ in found})
        checked = (self.component(*place) for place in found if place[1] not in self.unchecked)
        return [choice for choice in checked if choice is not None]

    def unchosen(self, kind: str, chosen: set[str]) -> None:
        """Tells what stands where a component should."""
        node = self.config._get_node(kind) if kind in self.config else None
        empty = node is None or (isinstance(node, DictConfig) and (node._is_none() or not len(node)))
        if isinstance(node, DictConfig) and node._is_interpolation():
            self.problem(kind, f"'{kind}' must be chosen, not interpolated: {kind}=<name>")
        elif kind in registries.MANY and not empty:
            if not isinstance(node, DictConfig):
                self.problem(kind, f"'{kind}' must be chosen by name: '{kind}=[name,...]'")
                return
            for key in node:
                path = f"{kind}.{key}"
                if path not in chosen and path not in self.unchecked:
                    near = nearest(str(key), registries.options(kind), f"{kind}=[{{}}]")
                    self.problem(path, f"'{path}' is no {kind}: choose one with '{kind}=[name,...]'{near}")
        elif kind not in (*registries.MANY, *chosen) and not (empty and kind in _OPTIONAL):
            if empty:
                self.problem(kind, f"no {kind} is chosen: {kind}=<name>, one of {', '.join(registries.options(kind))}")
            else:
                self.problem(kind, _baseless(kind, kind), self.sources.file_of(kind))

    def component(self, kind: str, path: str, node: DictConfig) -> Choice | None:
        name = self.plain(node, "name", f"{path}.name")
        # A job's config was checked by the loader that composed it, and is handed on without its layers.
        expected = self.built_on.get(path, []) if self.sources.layers else [name]
        if not expected:
            self.problem(path, _baseless(kind, path), self.sources.file_of(path))
        elif self.sources.layers and kind not in (*registries.MANY, *self.config.hydra.runtime.choices):
            self.problem(path, f"'{kind}' takes one option, not a list: {kind}={expected[0]}")
        elif name != expected[0]:
            chosen = f"'{kind}=[{name}]'" if kind in registries.MANY else f"{kind}={name}"
            self.problem(f"{path}.name", f"'{path}.name' may not be overridden; choose {chosen} instead")
        else:
            try:
                schema = self.declared(kind, expected[0]).schema
            except CodexAddonsError as error:
                self.problem(path, str(error))
            else:
                return Choice(kind, path, expected[0], self.options(path, node, schema))
        return None

    def options(self, path: str, node: DictConfig, schema: Schema) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key in (str(key) for key in node if key not in ("name", "factory")):
            option, where = schema.options.get(key), f"{path}.{key}"
            value = self.plain(node, key, where)
            if option is None and not schema.open:
                near = nearest(key, schema.options, path + ".{}")
                known = ", ".join(schema.options) or "none"
                self.problem(where, f"unknown key '{where}'{near or f'; the options of {node.name}: {known}'}")
            else:
                found[key] = self.converted(where, value, Any if option is None else option.annotation)
        if UNRESOLVED not in found.values():
            for message in schema.complaints(found):
                key = message.partition(" ")[0].rstrip(":")
                self.problem(key if key.startswith(f"{path}.") else path, message)
        return found

    def plain(self, node: DictConfig | ListConfig, key: Any, path: str) -> Any:
        """The value of a key with its interpolations resolved, as plain Python; problems are told by their own path."""
        child = node._get_node(key)
        if child is not None and getattr(child, "_is_missing", lambda: False)():
            return REQUIRED
        try:
            value = node[key]
        except OmegaConfBaseException as error:
            self.problem(path, f"'{path}' cannot be resolved: {_reason(error)}")
            return UNRESOLVED
        if not isinstance(value, DictConfig | ListConfig):
            return value
        if value._is_none():
            return None
        if isinstance(value, DictConfig):
            items = {inner: self.plain(value, inner, f"{path}.{inner}") for inner in value}
            return UNRESOLVED if UNRESOLVED in items.values() else items
        items = [self.plain(value, index, f"{path}[{index}]") for index in range(len(value))]
        return UNRESOLVED if UNRESOLVED in items else items


def _baseless(kind: str, path: str) -> str:
    base = next(iter(registries.options(kind)), "name") + ("@_here_" if kind in registries.MANY else "")
    return f"'{path}' builds on no registered {kind}: choose one, or begin its YAML with 'defaults: [{base}, _self_]'"


def _reason(error: BaseException) -> str:
    return str(error).partition("\n")[0]
