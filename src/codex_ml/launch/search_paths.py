"""Which folders configs may come from. `pkg://` imports a package, so only this project's own is taken."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import ListConfig

from codex_ml.errors import ConfigError, Problem
from codex_ml.launch.config_source import SHIPPED

__all__ = ["check", "check_overrides", "check_path", "package_folder"]


def package_folder(name: str) -> str:
    """The folder of an importable package, found without importing it; empty where it is no plain folder."""
    parent, _, _ = name.partition(".")
    spec = find_spec(name if parent in ("hydra", "codex_ml") else parent)
    locations = list(spec.submodule_search_locations or ()) if spec else []
    return locations[0] if locations else ""


def check_path(path: str, source: str) -> None:
    """Refuses a search path that is no folder.

    Raises:
        ConfigError: It has another scheme than `file://` and is not this project's own `pkg://codex_ml.conf`.
    """
    scheme, found, _ = path.partition("://")
    if found and scheme != "file" and path.rstrip("/") != SHIPPED:
        raise ConfigError(
            [
                Problem(
                    f"'{path}' is refused: configs come from folders, and {scheme}:// could run code; "
                    "give the folder's path",
                    source,
                )
            ]
        )


def check(paths: Any, source: str) -> None:
    """Refuses a `hydra.searchpath` that holds anything but folders."""
    if isinstance(paths, ListConfig | list | tuple):
        for path in paths:
            if isinstance(path, str):
                check_path(path, source)
    elif isinstance(paths, str):
        check_path(paths, source)


def check_overrides(overrides: Iterable[Override]) -> None:
    """Refuses such a search path among the overrides, also where it is hidden in a mapping."""
    for override in overrides:
        key = override.key_or_group
        if key != "hydra" and not key.startswith("hydra.searchpath"):
            continue
        value = override.value() if not override.is_sweep_override() else None
        if key == "hydra" and isinstance(value, dict):
            value = value.get("searchpath")
        check(value, str(override.input_line))


def config_folder(path: str, flag: str) -> str:
    """The absolute folder that `--config-dir` or `--config-path` names.

    Raises:
        ConfigError: It is no folder, or a scheme that could run code.
    """
    check_path(path, f"{flag} {path}")
    if path.rstrip("/") == SHIPPED:
        return SHIPPED
    folder = Path(path.removeprefix("file://")).absolute()
    if not folder.is_dir():
        raise ConfigError([Problem(f"there is no folder {folder}", f"{flag} {path}")])
    return str(folder)
