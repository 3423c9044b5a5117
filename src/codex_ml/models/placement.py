"""The device and the number format of a model's weights."""

from __future__ import annotations

import logging
from typing import Any

__all__ = ["choose_device", "move", "require_dtype"]

log = logging.getLogger(__name__)

_IN_ITS_STEAD = "keep model.dtype=float32; trainer.precision={precision} makes the forward pass faster"


def choose_device(wanted: str | None) -> str:
    """The device that an option asks for; for `auto` and None a GPU where there is one, else the CPU.

    Raises:
        ValueError: torch has no such device here.
    """
    import torch

    if wanted in (None, "auto"):
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.empty(1, device=wanted)
    except (RuntimeError, AssertionError, TypeError) as error:  # a name torch doesn't know; a build without CUDA
        raise ValueError(
            f"model.device={wanted}: torch cannot use it here ({_first_line(error)}); choose auto or cpu"
        ) from error
    return str(wanted)


def require_dtype(device: str, dtype: str) -> Any:
    """The torch dtype of a name, after a trial on the device.

    Whether the weights will be trained is not known here, so a type is refused that ruins them when they are.

    Raises:
        ValueError: The device cannot compute with it, or weights of it cannot be trained.
    """
    import torch

    kind = getattr(torch, dtype)
    reason = _failure(device, kind)
    if reason is None and kind is torch.bfloat16 and torch.device(device).type == "cuda":
        # torch imitates it on older GPUs, many times slower than float32.
        with torch.cuda.device(device):
            if not torch.cuda.is_bf16_supported(including_emulation=False):
                reason = f"{torch.cuda.get_device_name()} has no bfloat16"
    if reason is not None:
        raise ValueError(f"model.dtype={dtype}: the device {device} cannot train with it ({reason}); choose float32")
    if kind is torch.float32:
        return kind
    if torch.device(device).type != "meta" and not _optimizer_works(device, kind):
        stead = _IN_ITS_STEAD.format(precision="fp16 (on a GPU) or bf16")
        raise ValueError(
            f"model.dtype={dtype}: a model cannot be trained in {dtype}, whose smallest numbers are too large for the "
            f"optimizer's, so that its steps ruin the weights; {stead}"
        )
    if kind is torch.bfloat16:
        log.warning(
            "model.dtype=%s: a step of less than about 1/256 of a weight is lost in rounding, so with a small "
            "learning rate the weights hardly move; to train, %s",
            dtype,
            _IN_ITS_STEAD.format(precision="bf16"),
        )
    return kind


def _failure(device: str, kind: Any) -> str | None:
    """Why the device cannot run a small step of a transformer in this number format, forward and back."""
    import torch
    from torch.nn import functional

    try:
        values = torch.ones(1, 1, 2, 2, device=device, dtype=kind, requires_grad=True)  # [batch, heads, length, width]
        inner = functional.gelu(functional.linear(values, torch.ones(2, 2, device=device, dtype=kind)))
        mixed = functional.scaled_dot_product_attention(inner, inner, inner, is_causal=True)
        functional.layer_norm(mixed, (2,)).softmax(-1).sum().backward()
    except (RuntimeError, NotImplementedError, TypeError) as error:
        return _first_line(error)
    return None


def _optimizer_works(device: str, kind: Any) -> bool:
    """Whether the first step of AdamW for a small gradient is as long as it must be: as its learning rate.

    Its running mean of squared gradients (1e-11 here) and its eps (1e-8) are both 0 in float16, and are divided by.
    """
    import torch

    weight = torch.zeros(1, device=device, dtype=kind, requires_grad=True)
    weight.grad = torch.full_like(weight, 1e-4)
    rate = 1e-3
    torch.optim.AdamW([weight], lr=rate, foreach=False, fused=False).step()
    return abs(float(weight.detach()) + rate) < 0.1 * rate


def move(model: Any, device: str) -> Any:
    """The model, on the device.

    Raises:
        ValueError: It has no room there.
    """
    try:
        moved = model.to(device=device)
    except RuntimeError as error:
        raise ValueError(f"model.device={device}: {_first_line(error)}") from error
    # Where tensors are of another kind (meta, xla), each name has got a parameter of its own.
    moved.tie_weights()
    return moved


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")
