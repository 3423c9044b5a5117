"""Reads the configs that Hydra composes; what cannot be read is told with its file and line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import yaml
from hydra._internal.config_repository import ConfigRepository
from hydra.core.default_element import ConfigDefault, GroupDefault, InputDefault
from hydra.core.object_type import ObjectType
from hydra.errors import HydraException
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from codex_ml.errors import Problem
from codex_ml.launch.config_source import split
from codex_ml.launch.layers import file_at
from codex_ml.launch.paths import shown
from codex_ml.launch.sources import line_of_choice

__all__ = ["Repository", "UnreadableConfigError"]


# A source takes a path as it is: out of its folder, or to any file of the disk, which then counts as the source's own.
_OUTSIDE = re.compile(r"(?:^|/)(?:\.{0,2}/|\.{1,2}$|[A-Za-z]:)|\\")
_REFUSED = "is refused: a config is named by its place in its group, without '..', empty or absolute parts"


class UnreadableConfigError(HydraException):
    """A config that is there and cannot be read.

    Attributes:
        config_path: Its path, `experiment/mine`.
        problem: What is wrong with it.
    """

    def __init__(self, config_path: str, problem: Problem) -> None:
        self.config_path, self.problem = config_path, problem
        super().__init__(str(problem))


class Repository(ConfigRepository):
    """Hydra's own, with errors that name the file."""

    def load_config(self, config_path: str) -> ConfigResult | None:
        """Reads a config; None where there is none.

        Raises:
            UnreadableConfigError: It is no YAML, no text, no mapping, or its defaults list is none; or its path, or one
                in its defaults list, leads out of the folders that configs come from.
        """
        if _OUTSIDE.search(config_path):
            raise UnreadableConfigError(config_path, Problem(f"'{config_path}' {_REFUSED}", _chosen_by(config_path)))
        try:
            result = super().load_config(config_path)
        except (yaml.YAMLError, OmegaConfBaseException, ValueError, OSError) as error:
            raise UnreadableConfigError(config_path, self._problem(config_path, error)) from error
        message = "" if result is None else _wrong(config_path, result)
        if message:
            raise UnreadableConfigError(config_path, Problem(message, self._shown(config_path)))
        for name in _names(result.defaults_list or ()) if result is not None else ():
            if _OUTSIDE.search(name):
                raise UnreadableConfigError(config_path, Problem(f"'{name}' {_REFUSED}", self._line(config_path, name)))
        return result

    def file_of(self, config_path: str) -> str:
        """The YAML file of a config; empty where there is none."""
        source = self._find_object_source(config_path, ObjectType.CONFIG)
        return file_at(f"{source.scheme()}://{source.path}", config_path) if source else ""

    def _shown(self, config_path: str) -> str:
        return shown(self.file_of(config_path) or config_path)

    def _line(self, config_path: str, name: str) -> str:
        file = self.file_of(config_path)
        line = line_of_choice(file, name=name.lstrip("/")) or line_of_choice(file, group=name)
        return f"{shown(file)}:{line}" if line else self._shown(config_path)

    def _problem(self, config_path: str, error: Exception) -> Problem:
        file = self._shown(config_path)
        if isinstance(error, yaml.MarkedYAMLError):
            mark = error.problem_mark or error.context_mark
            where = f"{file}:{mark.line + 1}" if mark else file
            return Problem(f"this is no YAML that can be read: {error.problem or error.context}", where)
        if isinstance(error, UnicodeDecodeError):
            return Problem("this is no UTF-8 text", file)
        if isinstance(error, OSError):
            return Problem(f"this file cannot be read: {error.strerror or error}", file)
        return Problem(str(error).partition("\n")[0], file)


def _names(defaults: Sequence[InputDefault]) -> Iterator[str]:
    """The groups and options of a defaults list; a group may be told from the top."""
    for default in defaults:
        if isinstance(default, ConfigDefault):
            yield str(default.path).removeprefix("/")
        elif isinstance(default, GroupDefault):
            yield str(default.group).removeprefix("/")
            yield from default.value if isinstance(default.value, list) else [str(default.value)]


def _chosen_by(config_path: str) -> str:
    """The choice that a config's path comes from, as one would type it."""
    group, name = split(config_path)
    outside = _OUTSIDE.search(config_path)
    if outside and (outside.start() == 0 or _OUTSIDE.search(f"{group}/")):
        group, name = config_path[: outside.start()], config_path[outside.start() + 1 :]
    return f"{group}={name}" if group else f"--config-name {config_path}"


def _wrong(config_path: str, result: ConfigResult) -> str:
    if not isinstance(result.config, DictConfig):
        return "a config is a mapping of keys to values, not a list"
    group, _, name = config_path.rpartition("/")
    for default in result.defaults_list or ():
        if isinstance(default, ConfigDefault) and default.path in (name, f"/{group}/{name}"):
            return "its defaults list names itself: a variant needs another name than the option that it builds on"
    return ""
