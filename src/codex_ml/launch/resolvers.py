"""The one resolver of this package: `${codex.factory:models,gpt2}` is the registered object."""

from __future__ import annotations

from typing import Any

from omegaconf import OmegaConf

from codex_ml import registries

__all__ = ["register"]


def register() -> None:
    """Registers `codex.factory`; again is harmless."""
    OmegaConf.register_new_resolver("codex.factory", _factory, replace=True)


def _factory(group: str, name: str, *, _node_: Any) -> Any:
    if _node_._key() != "factory":
        raise ValueError("codex.factory stands for a component where its group put it, under the key 'factory' alone")
    # Only what an entry point names is ever reached: a config chooses among what is installed.
    for kind in registries.KINDS:
        if registries.GROUPS[kind] == f"codex_ml.{group}":
            return registries.load(kind, name)
    known = ", ".join(registries.GROUPS[kind].removeprefix("codex_ml.") for kind in registries.KINDS)
    raise ValueError(f"codex.factory knows no registry '{group}'; the registries: {known}")
