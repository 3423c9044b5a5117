"""AdamW as transformers sets it up: fused, without decay for biases and norms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codex_ml.errors import ModelError

if TYPE_CHECKING:
    import torch

__all__ = ["adamw"]


def adamw(model: Any, *, lr: float, weight_decay: float) -> torch.optim.Optimizer:
    """The optimizer of a model's parameters that can be trained.

    Raises:
        ModelError: There are none.
    """
    import torch

    parameters = [each for each in model.parameters() if each.requires_grad]
    if not parameters:
        raise ModelError("the model has no parameter that can be trained")
    # One-dimensional parameters are biases and the scales of norms.
    groups = [
        {"params": [each for each in parameters if each.ndim > 1], "weight_decay": weight_decay},
        {"params": [each for each in parameters if each.ndim < 2], "weight_decay": 0.0},
    ]
    fused = all(each.is_floating_point() and each.device.type in ("cpu", "cuda", "mps", "xpu") for each in parameters)
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=lr, fused=fused)
