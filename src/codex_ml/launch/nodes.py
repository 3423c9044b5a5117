"""Looks at the nodes of a composed config without resolving them: to resolve a `factory` is to load a component.

OmegaConf resolves in more places than one would think: `in`, `pop` and `select` do.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeGuard

from omegaconf import DictConfig

from codex_ml import registries

__all__ = ["drop", "nodes", "written_out"]


def written_out(node: Any) -> TypeGuard[DictConfig]:
    """Whether a node is a mapping, and neither null, missing nor an interpolation."""
    return isinstance(node, DictConfig) and not (node._is_none() or node._is_missing() or node._is_interpolation())


def drop(node: DictConfig, *keys: str) -> None:
    """Takes keys out of a mapping, as far as they are there."""
    for key in keys:
        if node._get_node(key, validate_access=False) is not None:
            del node[key]


def nodes(config: DictConfig) -> Iterator[tuple[str, str, DictConfig]]:
    """`(kind, path, node)` of each place in a composed config where a component stands, whether right or wrong."""
    for kind in registries.KINDS:
        top: Any = config._get_node(kind, validate_access=False)
        if not written_out(top):
            continue
        inner = [(f"{kind}.{key}", top._get_node(key)) for key in top] if kind in registries.MANY else [(kind, top)]
        for path, node in inner:
            # Asked of the node, as `in` says no of a key whose value is missing.
            if written_out(node) and node._get_node("name", validate_access=False) is not None:
                yield kind, path, node
