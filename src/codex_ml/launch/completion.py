"""What the shell offers after a tab."""

from __future__ import annotations

import dataclasses
import os
import re
import typing
from typing import Any

from hydra.core.object_type import ObjectType
from hydra.errors import ConfigCompositionException
from hydra.types import RunMode
from omegaconf import DictConfig

from codex_addons.errors import CodexAddonsError
from codex_ml import registries
from codex_ml.launch.annotations import choices
from codex_ml.launch.declarations import schema_of
from codex_ml.launch.diagnosis import Diagnosis
from codex_ml.launch.loader import Loader
from codex_ml.launch.nodes import drop, nodes
from codex_ml.launch.settings import Settings

__all__ = ["CompletingLoader"]


class CompletingLoader(Loader):
    """Composes a line that is still being typed, as far as it goes, and knows the words that an option takes."""

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        """The config without what is wrong with it, and without the keys that nobody may set."""
        config = self._composed(overrides, run_mode)
        for _, _, node in nodes(config):
            node._set_flag("struct", False)
            drop(node, "factory", "name")
        return config

    def get_group_options(
        self,
        group_name: str,
        results_filter: ObjectType | None = ObjectType.CONFIG,
        config_name: str | None = None,
        overrides: list[str] | None = None,
    ) -> list[str]:
        """The options of a group; for an option of a component, the words that it takes."""
        found = super().get_group_options(group_name, results_filter)
        if results_filter != ObjectType.CONFIG:
            return found
        if group_name in registries.MANY:
            return [*found, *_listed(found)]
        return found or self._words(group_name, overrides or [])

    def _composed(self, overrides: list[str], run_mode: RunMode = RunMode.RUN) -> DictConfig:
        plain = Loader(self.config_search_path)
        plain.config_name = self.config_name
        config, _ = Diagnosis(plain, run_mode).composed(overrides)
        if config is None:
            raise ConfigCompositionException
        return config

    def _words(self, key: str, overrides: list[str]) -> list[str]:
        annotation: Any = Settings
        for part in key.split("."):
            hints = typing.get_type_hints(annotation) if dataclasses.is_dataclass(annotation) else {}
            annotation = hints.get(part)
        for kind, path, node in nodes(self._composed(overrides)) if annotation is None else ():
            if key.startswith(f"{path}."):
                try:
                    option = schema_of(kind, str(node.name)).options.get(key.removeprefix(f"{path}."))
                except CodexAddonsError:
                    return []
                annotation = option.annotation if option else None
        return _taken(annotation)


def _taken(annotation: Any) -> list[str]:
    members = typing.get_args(annotation) or (annotation,)
    words = [*choices(annotation), *(("true", "false") if bool in members else ())]
    return [*words, "null"] if words and type(None) in members else words


def _listed(options: list[str]) -> list[str]:
    """The options behind what the last word of the line has of a list: `[accuracy,f1` for `metric=[accuracy,`."""
    begun = re.search(r"=(\[(?:[^\]\s]*,)?)[^,\]\s]*$", os.environ.get("COMP_LINE", ""))
    if begun is None:
        return []
    there = ("none", *re.split(r"[\[,]", begun[1]))
    return [begun[1] + option for option in options if option not in there]
