"""How many tokens a tokenizer and a model take at once."""

from __future__ import annotations

from typing import Any

from codex_ml.errors import ModelError

__all__ = ["check_model_length", "check_tokenizer_length", "unwrapped"]


def check_tokenizer_length(tokenizer: Any, length: int, option: str, way_out: str | None = None) -> None:
    """Refuses a length beyond the tokenizer's limit, naming the option that sets it."""
    _check(getattr(tokenizer, "model_max_length", None), length, option, "tokenizer", way_out)


def check_model_length(model: Any, length: int, option: str, way_out: str | None = None) -> None:
    """Refuses a length beyond the positions that the model has, where it tells how many, naming the option."""
    limit = getattr(getattr(unwrapped(model), "config", None), "max_position_embeddings", None)
    _check(limit, length, option, "model", way_out)


def unwrapped(model: Any) -> Any:
    """The model inside what trains it on several devices, which has no config of its own."""
    inner = getattr(model, "module", None)
    return model if inner is None or hasattr(model, "config") else inner


def _check(limit: Any, length: int, option: str, whose: str, way_out: str | None) -> None:
    if isinstance(limit, int) and 0 < limit < length:
        way_out = way_out or f"set task.{option}={limit} or less"
        raise ModelError(f"task.{option} is {length}, the {whose}'s limit {limit}: {way_out}")
