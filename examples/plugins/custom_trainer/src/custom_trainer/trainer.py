"""Plain stochastic gradient descent: what a trainer has to do, and no more."""

from __future__ import annotations

import math
from typing import Any

from codex_addons import component

__all__ = ["custom"]


@component(requires=("torch",))
def custom(context: Any, *, epochs: int = 1, batch_size: int = 16, lr: float = 0.1) -> dict[str, Any]:
    """Trains the context's model; the validation records are measured after each epoch.

    Args:
        context: The run, as `codex_ml.interfaces.Context` has it.
        epochs: Passes over the training records.
        batch_size: Records a step.
        lr: The learning rate, the same for every step.

    Returns:
        `steps`, how many there were.

    Raises:
        ValueError: An option is out of range.
    """
    if epochs < 1 or batch_size < 1 or lr <= 0:
        raise ValueError(f"trainer custom: epochs={epochs}, batch_size={batch_size} and lr={lr} must be above 0")
    import torch

    optimizer = torch.optim.SGD(context.model.parameters(), lr=lr)
    context.begin(epochs * math.ceil(len(context.train) / batch_size))
    step = 0
    for epoch in range(epochs):
        context.model.train()
        for batch in context.batches(epoch, batch_size=batch_size):
            loss = context.task.loss(context.model, batch) / max(batch.count, 1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
            context.advance(step, records=len(batch.ids), loss=loss.item(), lr=lr)
            if context.should_stop:
                break
        context.log({"loss": loss.item(), "lr": lr, "epoch": epoch + 1}, step=step)
        context.evaluate(step=step)
        if context.should_stop:
            break
    return {"steps": step}
