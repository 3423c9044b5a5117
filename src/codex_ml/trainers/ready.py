"""Making a model ready by the options `precision`, `gradient_checkpointing` and `compile`."""

from __future__ import annotations

from codex_ml.errors import ModelError
from codex_ml.interfaces import Context
from codex_ml.trainers.options import TrainerOptions

__all__ = ["make_ready"]


def make_ready(context: Context, options: TrainerOptions) -> None:
    """Makes the context's model ready, in place.

    Raises:
        ModelError: The device or the model cannot do what an option asks for.
    """
    import torch

    kind = context.device.partition(":")[0]
    if options.precision == "fp16" and kind == "cpu":
        raise ModelError("trainer.precision=fp16 needs a GPU; on a CPU use trainer.precision=bf16 or fp32")
    if options.precision == "bf16" and kind == "cuda" and not torch.cuda.is_bf16_supported():
        raise ModelError("trainer.precision=bf16: this GPU has no bfloat16; use trainer.precision=fp16 or fp32")
    if options.gradient_checkpointing:
        if not getattr(context.model, "supports_gradient_checkpointing", False):
            raise ModelError("trainer.gradient_checkpointing: this model has no way to do it; set it to false")
        context.model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    if options.compile:
        # In place, so that the names in its state dict stay.
        context.model.compile(dynamic=True)
