"""Which override, or which line of which YAML file, a key of the composed config came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.types import Override

from codex_ml.errors import Problem
from codex_ml.launch.config_source import split
from codex_ml.launch.layers import Layer
from codex_ml.launch.paths import shown

__all__ = ["Sources", "line_of", "line_of_choice", "ordered"]


def line_of(file: str | Path, keys: Sequence[str]) -> int | None:
    """The line of a YAML file at which a key stands, counted from 1; None where it doesn't."""
    node, line = _parsed(file), None
    for key in keys:
        if not isinstance(node, yaml.MappingNode):
            return line
        pair = next((pair for pair in node.value if str(pair[0].value) == key), None)
        if pair is None:
            return None
        line, node = pair[0].start_mark.line + 1, pair[1]
    return line


def line_of_choice(file: str | Path, *, group: str = "", name: str = "") -> int | None:
    """The line of a YAML file's defaults list at which a group, an option of any group, or both stand."""
    for found_group, found_name, line in _choices(_parsed(file)):
        if group in ("", found_group) and name in ("", found_name):
            return line
    return None


def _parsed(file: str | Path) -> Any:
    try:
        return yaml.compose(Path(file).read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None


def _choices(root: Any) -> Iterator[tuple[str, str, int]]:
    """Each `(group, option, line)` of a defaults list; the group is empty where the option stands alone."""
    top = root.value if isinstance(root, yaml.MappingNode) else []
    lists = [node.value for key, node in top if key.value == "defaults" and isinstance(node, yaml.SequenceNode)]
    for item in lists[0] if lists else ():
        pairs = item.value if isinstance(item, yaml.MappingNode) else [(None, item)]
        for key, value in pairs:
            for word in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                yield "" if key is None else _name(key.value), _name(str(word.value)), word.start_mark.line + 1


def _name(text: str) -> str:
    """`model` of `override /model@somewhere`."""
    return text.strip().rpartition(" ")[2].lstrip("/").partition("@")[0]


def ordered(problems: Iterable[Problem], lines: Sequence[str]) -> list[Problem]:
    """Problems as their sources stand: the command line's overrides in its order, then files by line."""

    def place(problem: Problem) -> tuple[int, str, int]:
        if problem.source in lines:
            return lines.index(problem.source), "", 0
        file, _, line = problem.source.rpartition(":")
        return len(lines), file, int(line) if line.isdecimal() else 0

    return sorted(dict.fromkeys(problems), key=place)


class Sources:
    """Looks keys up in what a composition was made of; costs nothing until a problem needs it."""

    def __init__(self, overrides: Sequence[Override], layers: Sequence[Layer]) -> None:
        self.overrides, self.layers = tuple(overrides), tuple(layers)
        self.groups = frozenset(layer.group for layer in self.layers)

    def of(self, key: str) -> str:
        """The override or `file:line` that set a dotted key last; empty where a component's default did.

        What only a shipped file or a component says is told by the override or line that chose it.
        """
        values = [override for override in reversed(self.overrides) if not self._chooses(override)]
        for override in values:
            if _below(key, override.key_or_group):
                return str(override.input_line)
        for layer in reversed(self.layers):
            line = self._line(layer, key)
            found = self._chosen_by(layer) if line and layer.shipped else line and f"{shown(layer.file)}:{line}"
            if found:
                return found
        for layer in reversed(self.layers):
            beside = layer.package and (_below(key, layer.package) or _below(layer.package, key))
            if beside and (found := self._chosen_by(layer)):
                return found
        return next((str(item.input_line) for item in self.overrides if _below(item.key_or_group, key)), "")

    def file_of(self, package: str) -> str:
        """The project's own YAML file that was merged last at a place of the config; empty where there is none."""
        own = [layer for layer in self.layers if layer.package == package and layer.file and not layer.shipped]
        return shown(own[-1].file) if own else ""

    def of_choice(self, group: str, name: str) -> str:
        """The override or `file:line` that chose an option of a group."""
        for override in reversed(self.overrides):
            if override.key_or_group == group and name in _words(override):
                return str(override.input_line)
        for layer in reversed(self.layers):
            # Within a group's own files the group goes without saying.
            inside = layer.group == group
            own = layer.file and not layer.shipped
            line = line_of_choice(layer.file, group="" if inside else group, name=name) if own else None
            if line:
                return f"{shown(layer.file)}:{line}"
        return ""

    def _chooses(self, override: Override) -> bool:
        """Whether an override chooses an option of a group, rather than setting values."""
        if override.key_or_group not in self.groups:
            return False
        return override.is_sweep_override() or not isinstance(override.value(), dict)

    def _chosen_by(self, layer: Layer) -> str:
        group, name = split(layer.config_path)
        return self.of_choice(group, name) if group else ""

    @staticmethod
    def _line(layer: Layer, key: str) -> int | None:
        if not layer.file or (layer.package and not _below(key, layer.package)):
            return None
        keys = [item for item in key.removeprefix(layer.package).split(".") if item]
        return line_of(layer.file, keys) if keys else None


def _below(key: str, parent: str) -> bool:
    return key == parent or key.startswith(f"{parent}.")


def _words(override: Override) -> list[str]:
    value = override.value() if not override.is_sweep_override() else override.input_line
    return [str(item) for item in value] if isinstance(value, list) else str(value).replace("=", ",").split(",")
