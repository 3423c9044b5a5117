"""The device and the number format of a model's weights."""

from __future__ import annotations

from typing import Any

__all__ = ["choose_device", "move", "require_dtype"]


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

    Raises:
        ValueError: The device cannot train with it.
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
