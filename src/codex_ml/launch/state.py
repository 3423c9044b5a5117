"""Nested state of optimizers, generators and counters in two files that hold no code: JSON and safetensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codex_ml.errors import DataError

__all__ = ["read_state", "write_state"]

_PLAN = "state.json"
_TENSORS = "state.safetensors"


def write_state(folder: Path, state: Mapping[str, Any]) -> None:
    """Writes a nest of mappings, lists, tuples, tensors, numpy arrays, numbers, strings, booleans and None.

    Everything is read back as it was, to the bit: floats, integers of any size, keys that are integers.

    Args:
        folder: The folder, which is there.
        state: The nest; no two of its tensors need be distinct.

    Raises:
        TypeError: It holds something else.
        OSError: It cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    tensors: dict[str, Any] = {}
    plan = _packed(state, tensors)
    (folder / _PLAN).write_text(json.dumps(plan, allow_nan=True), encoding="utf-8")
    try:
        save_file(tensors, folder / _TENSORS)
    except SafetensorError as error:
        raise OSError(str(error)) from error


def read_state(folder: Path) -> dict[str, Any]:
    """What `write_state` wrote; tensors are on the CPU.

    Raises:
        DataError: The files are not there, or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        plan = json.loads((folder / _PLAN).read_text(encoding="utf-8"))
        return _unpacked(plan, load_file(folder / _TENSORS))
    except (OSError, ValueError, LookupError, TypeError, SafetensorError) as error:
        raise DataError(f"{folder} holds no whole state: {error}") from error


def _packed(value: Any, tensors: dict[str, Any]) -> Any:
    """The value as JSON; each tensor and array goes to `tensors` and leaves its name."""
    import numpy as np
    import torch

    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {"map": [[_packed(key, tensors), _packed(item, tensors)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return {"list" if isinstance(value, list) else "tuple": [_packed(item, tensors) for item in value]}
    if isinstance(value, torch.Tensor | np.ndarray):
        name = str(len(tensors))
        array = isinstance(value, np.ndarray)
        # A copy, as safetensors takes no two tensors that share their memory.
        tensors[name] = torch.from_numpy(np.array(value)) if array else value.detach().cpu().clone().contiguous()
        return {"array" if array else "tensor": name}
    raise TypeError(f"a {type(value).__name__} cannot be kept in a checkpoint")


def _unpacked(plan: Any, tensors: Mapping[str, Any]) -> Any:
    if not isinstance(plan, dict):
        return plan
    ((kind, held),) = plan.items()
    if kind == "map":
        return {_unpacked(key, tensors): _unpacked(item, tensors) for key, item in held}
    if kind in ("list", "tuple"):
        items = [_unpacked(item, tensors) for item in held]
        return items if kind == "list" else tuple(items)
    return tensors[held].numpy() if kind == "array" else tensors[held]
