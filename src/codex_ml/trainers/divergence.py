"""What a trainer says when its numbers are no longer finite."""

from __future__ import annotations

from collections.abc import Sequence

from codex_ml.errors import ModelError

__all__ = ["diverged"]

SHOWN = 16


def diverged(step: int, what: str, ids: Sequence[str], lr: float) -> ModelError:
    """The error that names the step, what is wrong and the records of its batch."""
    more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
    return ModelError(
        f"step {step}: {what}, in the batch of the records {', '.join(ids[:SHOWN])}{more}; lower trainer.lr "
        f"(now {lr:g}), or look at these records"
    )
