"""Hydra's config loader, which here also remembers what each config set and checks every config it hands out."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, cast

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository, IConfigRepository
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.default_element import ResultDefault
from hydra.core.override_parser.types import Override
from hydra.plugins.config_source import ConfigResult
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from codex_ml import registries
from codex_ml.launch import search_paths
from codex_ml.launch.config_source import split
from codex_ml.launch.layers import Layer
from codex_ml.launch.nodes import written_out
from codex_ml.launch.repository import Repository

__all__ = ["Loader"]

# Nodes that take any key without `+`: their keys are the user's own.
_FREE = ("data.columns", "vars")


class Loader(ConfigLoaderImpl):
    """Composes as Hydra does.

    Attributes:
        layers: The configs of the last composition.
        placeholders: Config paths to treat as empty configs, so that a wrong option doesn't hide what else is wrong.
        yaml_launcher: The launcher's options of the last composition before value overrides: what YAML set of them.
        frozen: A checked config to hand out instead of composing again; what was checked is then what runs.
        compose: Composes and checks the config of one job of a sweep; set by the launcher.
    """

    layers: Sequence[Layer] = ()
    placeholders: frozenset[str] = frozenset()
    config_name: str = "config"
    yaml_launcher: Any = None
    frozen: DictConfig | None = None
    compose: Callable[[Loader, list[str]], DictConfig] | None = None

    def __init__(self, config_search_path: ConfigSearchPath) -> None:
        super().__init__(config_search_path)
        self.repository: Repository = Repository(config_search_path)

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        """Composes a config, or hands out the frozen one."""
        if self.frozen is not None:
            return copy.deepcopy(self.frozen)
        return super().load_configuration(config_name, overrides, run_mode, from_shell, validate_sweep_overrides)

    def load_sweep_config(self, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig:
        """Composes one job of a sweep and checks it as a single run is checked."""
        if self.compose is None:
            return super().load_sweep_config(master_config, sweep_overrides)
        job = copy.copy(self)
        job.frozen = None
        # As they were typed: to read them one by one would resolve the interpolations that are in them.
        typed = cast("list[str]", OmegaConf.to_container(master_config.hydra.overrides.hydra, resolve=False))
        config = self.compose(job, [*typed, *sweep_overrides])
        OmegaConf.copy_cache(from_config=master_config, to_config=config)
        return config

    def _parse_overrides_and_create_caching_repo(
        self, config_name: str | None, overrides: list[str]
    ) -> tuple[list[Override], CachingConfigRepository]:
        parsed, repository = super()._parse_overrides_and_create_caching_repo(config_name, overrides)
        for path in self.placeholders:
            group, name = split(path)
            package = f"{group}.{registries.key_of(name)}" if group in registries.MANY else group.replace("/", ".")
            package = "_global_" if group == "experiment" else package
            repository.cache[f"config_path={path}"] = ConfigResult(
                provider="placeholder",
                path="",
                config=OmegaConf.create({}),
                header={"package": package},
                defaults_list=[],
            )
        return parsed, repository

    def _process_config_searchpath(
        self, config_name: str | None, parsed_overrides: list[Override], repo: CachingConfigRepository
    ) -> None:
        search_paths.check_overrides(parsed_overrides)
        primary = repo.load_config(config_path=config_name) if config_name is not None else None
        if primary is not None and isinstance(primary.config, DictConfig):
            search_paths.check(OmegaConf.select(primary.config, "hydra.searchpath"), f"{config_name}.yaml")
        super()._process_config_searchpath(config_name, parsed_overrides, repo)

    def _compose_config_from_defaults_list(self, defaults: list[ResultDefault], repo: IConfigRepository) -> DictConfig:
        config = super()._compose_config_from_defaults_list(defaults, repo)
        layers: list[Layer] = []
        for default in defaults:
            assert default.config_path is not None
            result = repo.load_config(default.config_path)
            assert result is not None
            package = result.header["package"] if default.package is None else default.package
            layers.append(Layer(default.config_path, package or "", result))
        self.layers = layers
        for layer in layers:
            if layer.config_path in self.placeholders:
                self._free(config, layer.package)
            elif layer.from_registry and isinstance(layer.result.config, DictConfig):
                # An option that is a mapping takes keys of the user's own.
                for key in layer.result.config:
                    self._free(config, f"{layer.package}.{key}")
        for path in _FREE:
            self._free(config, path)
        launcher = OmegaConf.select(config, "hydra.launcher")
        self.yaml_launcher = OmegaConf.to_container(launcher) if isinstance(launcher, DictConfig) else launcher
        return config

    @staticmethod
    def _free(config: DictConfig, path: str) -> None:
        """Lets the node at a path take any key. Interpolations are left alone: resolving one can load a component."""
        node: Any = config
        for part in path.split("."):
            node = node._get_node(part, validate_access=False) if written_out(node) else None
        if written_out(node):
            OmegaConf.set_struct(node, False)
