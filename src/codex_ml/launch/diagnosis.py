"""When a config doesn't compose: finds everything that is wrong with it, where Hydra tells the first thing."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra._internal.config_repository import IConfigRepository
from hydra.core.default_element import ResultDefault
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException
from hydra.plugins.config_source import ConfigResult
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from codex_ml import registries
from codex_ml.errors import ConfigError, Problem
from codex_ml.launch import safety, wording
from codex_ml.launch.config_source import split
from codex_ml.launch.layers import Layer
from codex_ml.launch.loader import Loader
from codex_ml.launch.nearest import nearest
from codex_ml.launch.paths import shown
from codex_ml.launch.repository import Repository, UnreadableConfigError
from codex_ml.launch.sources import Sources, line_of, line_of_choice, ordered
from codex_ml.launch.validate import GLOBAL, validate

__all__ = ["FAILURES", "Diagnosis"]

# What Hydra and OmegaConf raise for a config that is wrong.
FAILURES = (
    *(HydraException, OmegaConfBaseException, AssertionError, AttributeError, LookupError, OSError, RecursionError),
    *(TypeError, ValueError),
)


class Diagnosis:
    """Composes with less and less until it works, and says what had to be left out."""

    def __init__(self, loader: Loader, run_mode: RunMode) -> None:
        self.loader, self.run_mode = _Forgiving(loader), run_mode
        self.problems: list[Problem] = []
        self.absent: list[tuple[str, str, str]] = []

    def problems_of(self, overrides: Sequence[str], failure: BaseException | None) -> list[Problem]:
        """Every problem that can be told; the failure itself, where there was one, if nothing else explains it."""
        config, sources = self.composed(overrides)
        if config is not None:
            self.problems += safety.problems(config, sources, self.loader)
            if self.run_mode == RunMode.RUN:
                from codex_ml.launch.assemble import apart

                values, found = validate(config, sources, self.loader.placeholders)
                self.problems += [*found, *apart(config, values, sources)]
        self.problems += (Problem(message, sources.of_choice(group, name)) for group, name, message in self.absent)
        return ordered(self.problems, overrides) or ([Problem(wording.of_failure(failure))] if failure else [])

    def composed(self, overrides: Sequence[str]) -> tuple[DictConfig | None, Sources]:
        """What composes of a config, noting what doesn't."""
        parsed = [override for text in overrides if (override := self._parsed(text)) is not None]
        choices = [override for override in parsed if self._is_choice(override)]
        config = self._with_choices(choices)
        self.problems += self.loader.left_out
        if config is not None:
            for override in parsed:
                if override not in choices:
                    self._apply(override, config)
        return config, Sources(parsed, self.loader.layers)

    def _parsed(self, text: str) -> Override | None:
        try:
            override = OverridesParser.create().parse_override(text)
            if self.run_mode == RunMode.RUN:
                self.loader.validate_sweep_overrides_legal([override], self.run_mode, from_shell=True)
        except FAILURES as error:
            self.problems.append(Problem(wording.of_syntax(text, str(error)), text))
            return None
        group, value = override.key_or_group, None if override.is_sweep_override() else override.value()
        if not group:
            self.problems.append(Problem(wording.of_syntax("", ""), text))
            return None
        names = (
            all(isinstance(item, str) for item in value) if isinstance(value, list) else isinstance(value, str | dict)
        )
        wrong = not (override.is_sweep_override() or override.is_delete() or names)
        if wrong and self.loader.repository.group_exists(group):
            self.problems.append(Problem(wording.of_empty(group, self.loader), text))
            return None
        return override

    def _is_choice(self, override: Override) -> bool:
        if not self.loader.repository.group_exists(override.key_or_group):
            return False
        return override.is_sweep_override() or not isinstance(override.value(), dict)

    def _with_choices(self, choices: list[Override]) -> DictConfig | None:
        """The config without value overrides; what can't be had is noted and replaced by nothing."""
        choices = list(choices)
        while True:
            try:
                return self._load(choices)
            except ConfigError as error:
                self.problems += error.problems
                return None
            except UnreadableConfigError as error:
                self.problems.append(error.problem)
                if not self._skip(error.config_path):
                    return None
            except MissingConfigException as error:
                if not self._missing(str(error.missing_cfg_file), choices):
                    return None
            except FAILURES as error:
                if not self._located(error):
                    culprit = self._culprit(choices)
                    source = str(culprit.input_line) if culprit else ""
                    self.problems.append(Problem(wording.of_failure(error, culprit), source))
                    if culprit is None:
                        return None
                    choices.remove(culprit)

    def _load(self, choices: Sequence[Override]) -> DictConfig:
        lines = [str(override.input_line) for override in choices]
        return self.loader.load_configuration(
            self.loader.config_name, lines, self.run_mode, validate_sweep_overrides=False
        )

    def _skip(self, config_path: str) -> bool:
        """Lets an empty config stand for one; not for the primary one, nor twice."""
        new = "/" in config_path and config_path not in self.loader.placeholders
        self.loader.placeholders |= {config_path}
        return new

    def _missing(self, config_path: str, choices: list[Override]) -> bool:
        group, name = split(config_path)
        distribution, slash, _ = name.rpartition("/")
        inside = self.loader.get_group_options(f"{group}{slash}{distribution}")
        found = [f"{distribution}{slash}{option}" for option in inside if option != "none"]
        message = f"there is no {group} '{name}'{nearest(name, found) or '; the options: ' + ', '.join(found)}"
        if group.startswith("hydra/"):
            # Without these Hydra itself doesn't work; its default stands in.
            culprits = [override for override in choices if override.key_or_group == group]
            self.problems += (Problem(message, str(override.input_line)) for override in culprits)
            choices[:] = [override for override in choices if override not in culprits]
            return bool(culprits)
        # A path out of the search path is in no group, so that nothing could stand for it.
        if group.startswith(".") or not self._skip(config_path):
            source = f"--config-name {config_path}" if config_path == self.loader.config_name else ""
            self.problems.append(Problem(f"there is no config '{config_path}'", source))
            return False
        if not found:
            message = f"there is no config '{config_path}'"
            if group in registries.KINDS:
                message = wording.of_nobody(group, name)
        self.absent.append((group, name, message))
        return True

    def _located(self, error: BaseException) -> bool:
        """Notes what Hydra says of one config's defaults list, and lets an empty config stand for that one."""
        found = re.match(r"In '([^']+)': (Could not override '([^'@]+).*)", str(error))
        if not found:
            return False
        file = self.loader.repository.file_of(found[1])
        line = line_of_choice(file, group=found[3])
        groups = {*registries.KINDS, *self.loader.list_groups("")}
        message = f"the defaults list overrides '{found[3]}', and there is no such group in it"
        if found[3] in groups and found[1].startswith("experiment/"):
            message += f" as it stands below 'experiment': begin the file with '{GLOBAL}'"
        else:
            message += nearest(found[3], groups)
        self.problems.append(Problem(message, f"{shown(file)}:{line}" if line else shown(file)))
        return self._skip(found[1])

    def _culprit(self, choices: list[Override]) -> Override | None:
        """The first choice without which the rest composes, or fails by something else."""
        for override in choices:
            try:
                self._load([other for other in choices if other is not override])
            except (MissingConfigException, UnreadableConfigError):
                return override
            except FAILURES:
                continue
            return override
        return None

    def _apply(self, override: Override, config: DictConfig) -> None:
        if override.is_sweep_override() or wording.is_unreadable(override.key_or_group, config):
            return
        # Looked for first: Hydra fails halfway through `trainer.lr.x=1`, and leaves something else behind.
        message = wording.of_unknown_key(override, config, self.loader)
        try:
            if not message:
                self.loader._apply_overrides_to_config([override], config)
        except FAILURES as error:
            message = wording.of_failure(error, override)
        if message:
            self.problems.append(Problem(message, str(override.input_line)))


class _Forgiving(Loader):
    """Leaves out of each config the keys that cannot be merged with the configs before it.

    Attributes:
        left_out: What the last composition had to leave out, as problems.
    """

    def __init__(self, loader: Loader) -> None:
        super().__init__(loader.config_search_path)
        self.repository = _Untangling(loader.config_search_path)
        self.config_name = loader.config_name
        self.left_out: list[Problem] = []
        self._merged = OmegaConf.create()

    def _compose_config_from_defaults_list(self, defaults: list[ResultDefault], repo: IConfigRepository) -> DictConfig:
        self.left_out, self._merged = [], OmegaConf.create()
        return super()._compose_config_from_defaults_list(defaults, repo)

    def _load_single_config(self, default: ResultDefault, repo: IConfigRepository) -> ConfigResult:
        assert default.config_path is not None
        result = repo.load_config(default.config_path)
        assert result is not None
        package = result.header["package"] if default.package is None else default.package
        layer = Layer(default.config_path, package or "", result)
        try:
            loaded = super()._load_single_config(default, repo)
        except ConfigCompositionException as error:
            if "hydra.searchpath" not in str(error):
                raise
            message = "'hydra.searchpath' counts only in the primary config; elsewhere pass hydra.searchpath=[<folder>]"
            self._note(layer, ("hydra", "searchpath"), message)
            _remove(result.config, ("hydra", "searchpath")[len(_parts(layer.package)) :])
            loaded = super()._load_single_config(default, repo)
        wrong = wording.misfits(self._merged, loaded.config, primary=not layer.group)
        if wrong:
            loaded = copy.copy(loaded)
            loaded.config = copy.deepcopy(loaded.config)
        for keys, message in wrong:
            self._note(layer, keys, message)
            _remove(loaded.config, keys)
        self._merged.merge_with(loaded.config)
        return loaded

    def _note(self, layer: Layer, keys: Sequence[Any], message: str) -> None:
        inside = [str(key) for key in keys[len(_parts(layer.package)) :]]
        line = line_of(layer.file, inside) if layer.file else None
        file = shown(layer.file or layer.config_path)
        self.left_out.append(Problem(message, f"{file}:{line}" if line else file))


def _remove(config: Any, keys: Sequence[Any]) -> None:
    *parents, last = keys
    for key in parents:
        config = config._get_node(key)
    with open_dict(config):
        del config[last]


class _Untangling(Repository):
    """Tells what is too much for Python's stack, where Hydra's own reading of it would end anywhere."""

    def load_config(self, config_path: str) -> ConfigResult | None:
        try:
            return super().load_config(config_path)
        except RecursionError as error:
            file = self.file_of(config_path)
            line, message = _tangle(file)
            where = f"{shown(file)}:{line}" if line else shown(file)
            raise UnreadableConfigError(config_path, Problem(message, where)) from error


def _parts(package: str) -> list[str]:
    return [part for part in package.split(".") if part]


def _tangle(file: str) -> tuple[int, str]:
    """The line of a YAML file from which it could be followed without an end, and why."""
    try:
        todo = [(yaml.compose(Path(file).read_text(encoding="utf-8"), Loader=yaml.SafeLoader), ())]
    except RecursionError:
        todo = []
    seen: set[int] = set()
    while todo:
        node, above = todo.pop()
        if any(node is parent for parent in above):
            return node.start_mark.line + 1, "an anchor refers to itself: write out what the alias inside it stands for"
        inner = node.value if isinstance(node, yaml.CollectionNode) and id(node) not in seen else ()
        seen.add(id(node))
        parts = [part for item in inner for part in (item if isinstance(item, tuple) else (item,))]
        todo += [(part, (*above, node)) for part in reversed(parts)]
    return 0, "this is nested too deeply to be read"
