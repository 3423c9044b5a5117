"""The logits in what a model returned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["logits_of"]


def logits_of(output: Any) -> Tensor:
    """The logits in what a model returned: a tensor, `.logits` or `["logits"]`.

    Raises:
        TypeError: The output holds no logits, as that of a bare `AutoModel`.
    """
    import torch

    if isinstance(output, torch.Tensor):
        return output
    logits = output.get("logits") if isinstance(output, Mapping) else getattr(output, "logits", None)
    if isinstance(logits, torch.Tensor):
        return logits
    raise TypeError(
        f"the model returned {type(output).__name__} without logits; it must return a tensor, or have `.logits` or "
        '`["logits"]`: use a model with a head, such as AutoModelForSequenceClassification'
    )
