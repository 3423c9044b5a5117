"""Where configs come from besides YAML files: the registries, and a project's own `conf/`."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf

from codex_addons.errors import PluginLoadError
from codex_ml import registries
from codex_ml.launch.declarations import schema_of

__all__ = ["PROVIDER", "SHIPPED", "CodexSearchPath", "CodexSource", "ProjectSource", "factory_of", "register", "split"]

PROVIDER = "codex"
SHIPPED = "pkg://codex_ml.conf"

# `none` chooses nothing; it is an option of every group that can be empty.
_NONE = {"tokenizer": "tokenizer", "metric": "_global_", "plugin": "_global_", "experiment": "_global_"}
_WITH_FOLDERS = tuple(f"{group}/" for group in (*registries.KINDS, "data", "experiment"))


def factory_of(kind: str) -> str:
    """What `factory` must be in a component's node: the registry's own look-up and nothing else."""
    return f"${{codex.factory:{registries.GROUPS[kind].removeprefix('codex_ml.')},${{.name}}}}"


def split(config_path: str) -> tuple[str, str]:
    """The group and the option of a config's path: `model` and `acme-tools/tiny` of `model/acme-tools/tiny`."""
    path = config_path.lstrip("/").removesuffix(".yaml")
    # These groups may have folders in them; of any other the folder is a group.
    group, _, name = path.partition("/") if path.startswith(_WITH_FOLDERS) else path.rpartition("/")
    return group, name


class CodexSource(ConfigSource):
    """Lists every registered component as a config of its group, made of the options that it declares."""

    @staticmethod
    def scheme() -> str:
        """`codex`, as in `codex://registries`."""
        return "codex"

    def available(self) -> bool:
        """Always: the registries need no folder."""
        return True

    def is_group(self, config_path: str) -> bool:
        """Whether a config group is fed by a registry."""
        group, _, distribution = config_path.strip("/").partition("/")
        if distribution:
            return group in registries.KINDS and bool(registries.options(group, distribution))
        return group in {"", *registries.KINDS, *_NONE}

    def is_config(self, config_path: str) -> bool:
        """Whether a component of that name is installed, or the path is a group's `none`."""
        group, name = split(config_path)
        if name == "none":
            return group in _NONE
        distribution, _, plain = name.rpartition("/")
        return group in registries.KINDS and plain in registries.options(group, distribution)

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """The options of a group, sorted; at the top the groups."""
        group, _, distribution = config_path.strip("/").partition("/")
        if group == "":
            return [] if results_filter == ObjectType.CONFIG else sorted({*registries.KINDS, *_NONE})
        if results_filter == ObjectType.GROUP or not self.is_group(config_path):
            return []
        names = list(registries.options(group, distribution)) if group in registries.KINDS else []
        return sorted([*names, "none"] if group in _NONE and not distribution else names)

    def load_config(self, config_path: str) -> ConfigResult:
        """A component's node: `name`, `factory` and its options' defaults."""
        group, name = split(config_path)
        if name == "none" and group in _NONE:
            return self._result(config_path, {}, _NONE[group])
        if not self.is_config(config_path):
            raise ConfigLoadError(f"Config not found : {config_path}")
        package = f"{group}.{registries.key_of(name)}" if group in registries.MANY else group
        try:
            defaults = schema_of(group, name).defaults()
        except PluginLoadError:
            # The check of the whole config says so, beside whatever else is wrong.
            defaults = {}
        node = {"name": name, "factory": factory_of(group), **defaults}
        return self._result(config_path, node, package)

    def _result(self, config_path: str, node: dict[str, object], package: str) -> ConfigResult:
        return ConfigResult(
            config=OmegaConf.create(node),
            path=f"{self.scheme()}://{config_path}",
            provider=self.provider,
            header={"package": package},
        )


class ProjectSource(FileConfigSource):
    """The groups, not the primary config, of a `conf/` in the working directory."""

    @staticmethod
    def scheme() -> str:
        """`project`, as in `project:///home/me/work/conf`."""
        return "project"

    def is_config(self, config_path: str) -> bool:
        """Whether the folder has the config; one outside a group is none of ours."""
        return "/" in config_path.strip("/") and super().is_config(config_path)

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """What a group of the folder holds; no configs at the top."""
        if not config_path.strip("/") and results_filter != ObjectType.GROUP:
            results_filter = ObjectType.GROUP
        return [name for name in super().list(config_path, results_filter) if not name.startswith(("_", "."))]


class CodexSearchPath(SearchPathPlugin):
    """Puts a project's `conf/` before the main configs, and the shipped ones and the registries after them."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Adds this package's sources; YAML shadows a component of the same name."""
        folder = Path(os.getcwd()) / "conf"
        paths = [item.path for item in search_path.get_path()]
        if folder.is_dir() and not folder.samefile(_shipped_folder()):
            search_path.prepend("project", f"project://{folder}", anchor=SearchPathQuery(provider="main"))
        if SHIPPED not in paths:
            search_path.append("shipped", SHIPPED)
        search_path.append(PROVIDER, "codex://registries")


def _shipped_folder() -> str:
    spec = find_spec(SHIPPED.removeprefix("pkg://"))
    assert spec is not None
    assert spec.submodule_search_locations
    return spec.submodule_search_locations[0]


def register() -> None:
    """Makes Hydra know the sources; again is harmless."""
    plugins = Plugins.instance()
    for plugin in (CodexSource, ProjectSource, CodexSearchPath):
        plugins.register(plugin)
