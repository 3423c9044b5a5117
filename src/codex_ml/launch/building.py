"""Building the model and the tokenizer by their calling convention."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from codex_ml.errors import ModelError
from codex_ml.launch.assembly import Component
from codex_ml.launch.blame import blame, label

if TYPE_CHECKING:
    import torch

__all__ = ["build_model", "build_tokenizer", "resolve_device", "vocabulary"]

NO_TOKENIZER = (
    "there is no tokenizer: {model} gives none, and none is named; name one, such as "
    "tokenizer=hf tokenizer.tokenizer_name=<hub id or folder>"
)


def resolve_device(model: Component) -> str:
    """The torch device of a model's option `device`; `auto` and none are the best there is: cuda, then mps, then cpu.

    Raises:
        ModelError: torch knows no such device, or has none here.
    """
    import torch

    wanted = model.options.get("device")
    if wanted in (None, "auto"):
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(str(wanted))
    except RuntimeError as error:
        raise ModelError(
            f"model.device={wanted}: torch knows no such device; choose auto, cpu, cuda, cuda:<number> or mps"
        ) from error
    if refusal := _absent(device):
        raise ModelError(f"model.device={wanted}: {refusal}; choose model.device=auto or cpu")
    return str(wanted)


def _absent(device: torch.device) -> str | None:
    """Why there is no such device here; None where there is, or where torch alone knows."""
    import torch

    if device.type == "mps" and not torch.backends.mps.is_available():
        return "torch sees no Apple GPU here"
    if device.type != "cuda":
        return None
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not count:
        return "torch sees no such GPU here"
    if device.index is not None and device.index >= count:
        return f"torch sees {count} GPU{'s' if count > 1 else ''} here, numbered from 0"
    return None


def vocabulary(tokenizer: Any) -> dict[str, Any]:
    """What a model's head is told of a named tokenizer: its size, and the ids with which it pads, begins and ends."""
    if not hasattr(tokenizer, "__len__"):
        return {}
    ids = ("pad_token_id", "bos_token_id", "eos_token_id")
    return {"vocab_size": len(tokenizer), **{name: getattr(tokenizer, name, None) for name in ids}}


def build_model(component: Component, *, head: Mapping[str, Any], device: str) -> tuple[Any, Any]:
    """Calls a model factory.

    Args:
        component: The model.
        head: What the task needs of it.
        device: The resolved device.

    Returns:
        The model on the device, and the factory's tokenizer or None.

    Raises:
        ModelError: The factory failed, or returned no such pair; the message names it.
    """
    # A None under `model_name` stands for an option that was not set, and a factory reads it with a default of its own.
    given = {key: value for key, value in component.options.items() if (key, value) != ("model_name", None)}
    config = given | {"device": device, "dtype": given.get("dtype") or "float32"}
    with blame(component, error=ModelError):
        built = _call(component.factory, config, reserved={"head": dict(head)})
    if not isinstance(built, tuple | list) or len(built) != 2 or built[0] is None:
        raise ModelError(
            f"{label(component)} returned {_shape(built)}; a model factory returns (model, tokenizer) or (model, None)"
        )
    model, tokenizer = built
    with blame(component, f"on {device}", error=ModelError):
        return _placed(model, device), tokenizer


def build_tokenizer(component: Component) -> Any:
    """Calls a tokenizer factory.

    Raises:
        ModelError: The factory failed or returned nothing to call; the message names it.
    """
    with blame(component, error=ModelError):
        tokenizer = _call(component.factory, dict(component.options), reserved={})
    if not callable(tokenizer):
        raise ModelError(f"{label(component)} returned {_shape(tokenizer)}, which is no tokenizer: it cannot be called")
    return tokenizer


def _call(factory: Callable[..., Any], config: Mapping[str, Any], *, reserved: Mapping[str, Any]) -> Any:
    """`factory(config)`, with the options besides as the keywords that its signature names."""
    options = deepcopy(dict(config))
    try:
        parameters = list(inspect.signature(factory).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    keywords = {
        parameter.name: options[parameter.name]
        for parameter in parameters[1:]
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY) and parameter.name in options
    }
    return factory({**options, **reserved}, **keywords)


def _placed(model: Any, device: str) -> Any:
    import torch

    if not isinstance(model, torch.nn.Module):
        return model
    target = torch.device(device)
    places = [each.device for each in (*model.parameters(), *model.buffers())]
    here = all(place.type == target.type and target.index in (None, place.index) for place in places)
    return model if here else model.to(target)


def _shape(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"{len(value)} values ({', '.join(type(each).__name__ for each in value)})"
    return "None" if value is None else f"a {type(value).__name__}"
