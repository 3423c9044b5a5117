"""When a config doesn't compose: finds everything that is wrong with it, where Hydra tells the first thing."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, MissingConfigException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from codex_ml import registries
from codex_ml.errors import ConfigError, Problem
from codex_ml.launch import safety, wording
from codex_ml.launch.config_source import split
from codex_ml.launch.loader import Loader
from codex_ml.launch.paths import shown
from codex_ml.launch.repository import UnreadableConfigError
from codex_ml.launch.sources import Sources, line_of_choice, ordered
from codex_ml.launch.validate import GLOBAL, nearest, validate

__all__ = ["FAILURES", "Diagnosis"]

# What Hydra and OmegaConf raise for a config that is wrong.
FAILURES = (
    *(HydraException, OmegaConfBaseException, AssertionError, AttributeError, LookupError, OSError, RecursionError),
    *(TypeError, ValueError),
)


class Diagnosis:
    """Composes with less and less until it works, and says what had to be left out."""

    def __init__(self, loader: Loader, run_mode: RunMode) -> None:
        self.loader, self.run_mode = loader, run_mode
        self.problems: list[Problem] = []
        self.absent: list[tuple[str, str, str]] = []

    def problems_of(self, overrides: Sequence[str], failure: BaseException | None) -> list[Problem]:
        """Every problem that can be told; the failure itself, where there was one, if nothing else explains it."""
        try:
            config, sources = self.composed(overrides)
            if config is not None:
                self.problems += safety.problems(config, sources, self.loader)
                if self.run_mode == RunMode.RUN:
                    from codex_ml.launch.assemble import apart

                    values, found = validate(config, sources, self.loader.placeholders)
                    self.problems += [*found, *apart(config, values, sources)]
        finally:
            self.loader.placeholders = frozenset()
        self.problems += (Problem(message, sources.of_choice(group, name)) for group, name, message in self.absent)
        return ordered(self.problems, overrides) or ([Problem(wording.of_failure(failure))] if failure else [])

    def composed(self, overrides: Sequence[str]) -> tuple[DictConfig | None, Sources]:
        """What composes of a config, noting what doesn't."""
        parsed = [override for text in overrides if (override := self._parsed(text)) is not None]
        choices = [override for override in parsed if self._is_choice(override)]
        config = self._with_choices(choices)
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
                message = f"there is no {group} '{name}': no installed distribution '{distribution}' offers one"
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
        if override.is_sweep_override():
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
