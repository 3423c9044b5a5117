"""The configs that a composition is made of, and the files they were read from."""

from __future__ import annotations

from dataclasses import dataclass

from hydra.plugins.config_source import ConfigResult

from codex_ml.launch import search_paths
from codex_ml.launch.config_source import PROVIDER, split

__all__ = ["Layer", "file_at"]


@dataclass(frozen=True)
class Layer:
    """One config of the defaults list, in the order of composition.

    Attributes:
        config_path: The config's path in its group, `model/minilm`.
        package: Where it was merged, `model`; empty for the top.
        result: What was loaded, with the provider that it came from.
    """

    config_path: str
    package: str
    result: ConfigResult

    @property
    def group(self) -> str:
        """The config group, `model`; empty for the primary config."""
        return split(self.config_path)[0]

    @property
    def from_registry(self) -> bool:
        """Whether a registry made it, rather than a YAML file."""
        return self.result.provider == PROVIDER

    @property
    def shipped(self) -> bool:
        """Whether it comes with an installed package, so that nobody would edit it."""
        return str(self.result.path).startswith("pkg://")

    @property
    def file(self) -> str:
        """The YAML file's path; empty where there is none."""
        return file_at(self.result.path or "", self.config_path)


def file_at(base: str, config_path: str) -> str:
    """The YAML file of a config below a search path; empty where that is no folder."""
    scheme, _, folder = base.partition("://")
    if scheme == "pkg":
        folder = search_paths.package_folder(folder)
    elif scheme not in ("file", "project"):
        return ""
    return f"{folder}/{config_path.removesuffix('.yaml')}.yaml" if folder else ""
