"""What `--help` and `--cfg` print."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator
from typing import Any

from hydra._internal.hydra import Hydra
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from codex_addons.errors import CodexAddonsError
from codex_ml import registries
from codex_ml.errors import ConfigError, Problem
from codex_ml.launch.annotations import type_name
from codex_ml.launch.compose import Composed
from codex_ml.launch.conversion import REQUIRED
from codex_ml.launch.declarations import schema_of
from codex_ml.launch.nodes import drop, nodes, written_out
from codex_ml.launch.schema import Option

__all__ = ["config", "text"]

_ORDER = (*registries.KINDS, "data", "experiment")
_HEAD = """\
codex-run: launches a machine-learning run that is put together from YAML and the command line.

  codex-run                                    the run of the defaults below
  codex-run model=NAME trainer.lr=1e-4         other components, other values
  codex-run 'metric=[accuracy,f1]'             several; [] for none
  codex-run experiment=NAME                    a recorded set of choices, from conf/experiment/
  codex-run mode=check ...                     every problem at once, without running
  codex-run --cfg job ...                      the composed config
  codex-run --multirun trainer.lr=1e-4,3e-4    a run for each value
  eval "$(codex-run -sc install=bash)"         tab completion (bash, zsh, fish)
"""

_FOOT = """
The rest (data, run, seed, ...) is in codex-run --cfg job; Hydra's own flags are in codex-run --hydra-help."""
# Where the types begin.
_LEFT = 44


def text(composed: Composed, hydra: Hydra) -> str:
    """The help page: what can be chosen, and the options of what is chosen now with their values."""
    loader = hydra.config_loader
    # A `conf/` in the working directory may be somebody else's; its folders hold no options.
    groups = [group for group in loader.list_groups("") if group != "hydra" and loader.get_group_options(group)]
    groups.sort(key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))
    lines = [_HEAD, "Choose with group=option:"]
    lines += (_wrapped(f"  {group + ':':<13} ", ", ".join(loader.get_group_options(group))) for group in groups)
    lines.append("\nOptions of what is chosen, as they are now:")
    lines += (line for kind, path, node in nodes(composed.config) for line in _options(kind, path, node))
    lines.append(_FOOT)
    return "\n".join(lines)


def _options(kind: str, path: str, node: DictConfig) -> Iterator[str]:
    try:
        options = schema_of(kind, str(node.name)).options.values()
    except CodexAddonsError as error:
        yield _wrapped(f"  {path}  ", str(error))
        return
    values = OmegaConf.to_container(node, resolve=False)
    assert isinstance(values, dict)
    for option in options:
        left = f"  {path}.{option.name}={_written(option, values)}"
        about = type_name(option.annotation) + (f". {option.help}" if option.help else "")
        gap = f"\n{' ' * _LEFT}" if len(left) + 2 > _LEFT else " " * (_LEFT - len(left))
        yield left + gap + _wrapped(" " * _LEFT, about).strip()


def _written(option: Option, values: dict[Any, Any]) -> str:
    if not option.listed and option.name not in values:
        return "(its own default)"
    value = values.get(option.name)
    if value == REQUIRED:
        return "(required)"
    return _yaml(value)


def _yaml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else "null" if value is None else str(value)


def _wrapped(start: str, words: str) -> str:
    width = max(60, shutil.get_terminal_size((120, 24)).columns)
    return textwrap.fill(
        words,
        width,
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_long_words=False,
        break_on_hyphens=False,
    )


def config(composed: Composed, part: str, *, package: str | None = None, resolve: bool = False) -> str:
    """What `--cfg` shows, as YAML.

    Args:
        composed: The composed config; it is cut down to what is shown.
        part: `job`, `hydra` or `all`.
        package: The key below which to show it; None for everything.
        resolve: Whether interpolations are replaced by their values; `factory`, which would load code, is left out.

    Raises:
        ConfigError: An interpolation cannot be resolved, or there is no such key.
    """
    node: Any = composed.config
    OmegaConf.set_readonly(node.hydra, None)
    with read_write(node), open_dict(node):
        if resolve:
            _resolve(node)
        if part == "job":
            del node["hydra"]
    if part == "hydra":
        node = Hydra.get_sanitized_hydra_cfg(node)
    for key in (package or "").split(".") if package else ():
        node = node._get_node(key, validate_access=False) if isinstance(node, DictConfig) else None
        if node is None:
            raise ConfigError([Problem("there is no such key in the config", f"--package {package}")])
    head = f"# @package {package}\n" if package else ""
    return head + (OmegaConf.to_yaml(node).rstrip() if OmegaConf.is_config(node) else _yaml(node._value()))


def _resolve(config: DictConfig) -> None:
    names = [str(key) for key in config if key != "hydra"]
    for name in names:
        _drop_factory(config._get_node(name))
    try:
        for name in names:
            if OmegaConf.is_config(config._get_node(name)):
                OmegaConf.resolve(config[name])
            elif OmegaConf.is_interpolation(config, name):
                config[name] = config[name]
    except OmegaConfBaseException as error:
        raise ConfigError([Problem(str(error).partition("\n")[0], "--resolve")]) from error


def _drop_factory(node: Any) -> None:
    if written_out(node):
        drop(node, "factory")
        for key in node:
            _drop_factory(node._get_node(key))
