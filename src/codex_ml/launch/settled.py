"""Plain trees of a config, and values in the place of its interpolations: what is checked is then what runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

__all__ = ["INTERPOLATION", "raw", "settled", "walk"]

INTERPOLATION = re.compile(r"(?<!\\)(?:\\\\)*\$\{")


def walk(node: Any, path: str = "") -> Iterator[tuple[str, str, Any]]:
    """Every `(path, key, value)` of a plain tree."""
    items = node.items() if isinstance(node, Mapping) else enumerate(node) if isinstance(node, list | tuple) else ()
    for key, value in items:
        where = f"{path}.{key}" if path else str(key)
        yield where, str(key), value
        yield from walk(value, where)


def raw(node: Any) -> Any:
    """A node as plain values, its interpolations as they are written."""
    return OmegaConf.to_container(node, resolve=False) if isinstance(node, DictConfig | ListConfig) else node


def _settle(parent: Any, key: Any, only: str | None = None) -> None:
    """Puts their values in the place of interpolations, of all or of those under one key."""
    node = parent._get_node(key)
    if node is None:
        return
    if node._is_interpolation():
        if only in (None, key):
            value = parent[key]
            value = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
            with read_write(parent), open_dict(parent):
                parent[key] = _escaped(value)
    elif isinstance(node, DictConfig | ListConfig) and not (node._is_none() or node._is_missing()):
        for inner in list(node) if isinstance(node, DictConfig) else range(len(node)):
            _settle(node, inner, only)


def _escaped(value: Any) -> Any:
    """A value that is to be taken as it is, in a config."""
    if isinstance(value, str):
        return re.sub(r"(\\*)\$\{", r"\1\1\\${", value)
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items()}
    return [_escaped(item) for item in value] if isinstance(value, list) else value


def settled(hydra: DictConfig, key: str, only: str | None = None) -> Iterator[tuple[str, str]]:
    """Settles a part of the `hydra` node, in place; yields what cannot be known before the run."""
    try:
        _settle(hydra, key, only)
    except OmegaConfBaseException as error:
        yield f"hydra.{key}", f"'hydra.{key}' must be known before the run: {str(error).partition(chr(10))[0]}"
