"""The forward and backward pass of a step in the chosen precision."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from codex_ml.interfaces import Batch, Context
from codex_ml.trainers.options import TrainerOptions
from codex_ml.trainers.ready import make_ready

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer

__all__ = ["Forward"]


class Forward:
    """Loss, gradients and optimizer step, under autocast and with a scaled loss where the precision asks for it.

    Attributes:
        scales: Whether the loss is scaled, as fp16 needs it: small gradients would be lost.
    """

    def __init__(self, context: Context, config: TrainerOptions) -> None:
        import torch

        make_ready(context, config)
        self._context = context
        self._kind = context.device.partition(":")[0]
        self._dtype = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}[config.precision]
        self.scales = config.precision == "fp16"
        self._scaler = torch.amp.GradScaler(self._kind, enabled=self.scales)

    def loss(self, batch: Batch) -> Tensor:
        """The summed loss of a batch, a scalar."""
        import torch

        cast = nullcontext() if self._dtype is None else torch.autocast(self._kind, self._dtype)
        with cast:
            return self._context.task.loss(self._context.model, batch)

    def backward(self, loss: Tensor) -> None:
        """Adds the gradients of a loss."""
        (self._scaler.scale(loss) if self.scales else loss).backward()

    def unscale(self, optimizer: Optimizer) -> None:
        """Takes the scale out of the gradients, before their norm is looked at."""
        if self.scales:
            self._scaler.unscale_(optimizer)

    def step(self, optimizer: Optimizer) -> None:
        """The optimizer's step, left out where the gradients overflowed."""
        if self.scales:
            self._scaler.step(optimizer)
            self._scaler.update()
        else:
            optimizer.step()

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return self._scaler.state_dict() if self.scales else {}

    def load_state(self, state: dict[str, Any]) -> None:
        """Takes up what `state` gave."""
        if self.scales:
            self._scaler.load_state_dict(state)
