"""What the last digits of a run's numbers depend on beside its config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codex_ml.launch.provenance import cpu_model
from codex_ml.launch.versions import version_of

__all__ = ["changed", "surroundings"]


def surroundings() -> dict[str, Any]:
    """The processor, the GPU, torch's threads, and the versions of torch and transformers."""
    import torch

    return {
        "the processor": cpu_model(),
        "the GPU": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "the number of threads": torch.get_num_threads(),
        **{f"the version of {name}": version_of(name) for name in ("torch", "transformers")},
    }


def changed(then: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What is otherwise now, as `(then, now)` by its name."""
    now = surroundings()
    return {name: (value, now.get(name)) for name, value in then.items() if now.get(name) != value}
