"""Low-rank adapters: a few new weights are trained beside the frozen ones, and merged into them when saved.

Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021; by the library peft.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Mapping
from copy import deepcopy
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, Literal

__all__ = ["Lora", "add_lora", "read_lora", "require_peft"]

log = logging.getLogger(__name__)

_BIASES = ("none", "all", "lora_only")
_ADAPTER = "default"


@dataclass(frozen=True)
class Lora:
    """The option `lora` of a model.

    Attributes:
        r: The rank of the adapters.
        alpha: They are scaled by alpha / r.
        dropout: The share of their inputs that is dropped in training.
        target_modules: The names of the layers that get one, a regular expression for whole names, or `all-linear`;
            None for those that peft takes for the architecture.
        bias: Which biases are trained besides.
        use_rslora: Scaled by alpha / sqrt(r) instead (Kalajdzievski, 2023).
    """

    r: int = 8
    alpha: float = 16
    dropout: float = 0.0
    target_modules: tuple[str, ...] | str | None = None
    bias: Literal["none", "all", "lora_only"] = "none"
    use_rslora: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.r, bool) or not isinstance(self.r, int) or self.r < 1:
            raise ValueError(f"model.lora.r must be a whole number, 1 or more, not {self.r!r}")
        if not _number(self.alpha) or self.alpha <= 0:
            raise ValueError(f"model.lora.alpha must be a number above 0, not {self.alpha!r}")
        if not _number(self.dropout) or not 0 <= self.dropout < 1:
            raise ValueError(f"model.lora.dropout must be a number from 0 to below 1, not {self.dropout!r}")
        if not _names(self.target_modules):
            raise ValueError(
                "model.lora.target_modules must be a list of layers' names, a regular expression, all-linear or null, "
                f"not {self.target_modules!r}"
            )
        if self.bias not in _BIASES:
            raise ValueError(f"model.lora.bias must be {', '.join(_BIASES)}, not {self.bias!r}")
        if not isinstance(self.use_rslora, bool):
            raise ValueError(f"model.lora.use_rslora must be true or false, not {self.use_rslora!r}")


def _names(value: Any) -> bool:
    if value is None or isinstance(value, str):
        return value != ""
    return isinstance(value, tuple) and bool(value) and all(isinstance(name, str) and name for name in value)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def read_lora(value: Mapping[str, Any] | None) -> Lora | None:
    """The option `lora`; None where no adapters are wanted.

    Raises:
        ValueError: It is no mapping, or a setting is unknown or wrong.
    """
    if value is None:
        return None
    known = [each.name for each in fields(Lora)]
    if not isinstance(value, Mapping):
        raise ValueError(f"model.lora must be null or a mapping of {', '.join(known)}, not {value!r}")
    if unknown := sorted(str(key) for key in set(value) - set(known)):
        raise ValueError(f"model.lora has no setting {', '.join(unknown)}: it has {', '.join(known)}")
    targets = value.get("target_modules")
    changed = {"target_modules": tuple(targets)} if isinstance(targets, list) else {}
    return Lora(**{**value, **changed})


def require_peft() -> None:
    """Raises ImportError, with the extra to install, where peft is missing."""
    try:
        import peft  # noqa: F401 - so that its absence is told before anything is loaded
    except ImportError as error:
        raise ImportError(f"model.lora needs peft ({error}): pip install 'codex-ml[lora]'") from error


def add_lora(model: Any, lora: Lora, *, trained: Collection[str]) -> None:
    """Freezes a model but for adapters, which are put into it; `save_pretrained` then writes it with them merged in.

    Args:
        model: A model of transformers.
        lora: What the adapters are like.
        trained: The names of its parameters that are trained besides: those of a new head.

    Raises:
        ValueError: There are no such layers, or one shares its weights with another.
    """
    from peft import inject_adapter_in_model

    kept = [value for name, value in model.named_parameters() if name in trained]
    try:
        inject_adapter_in_model(_settings(model, lora), model, _ADAPTER)
    except (ValueError, NotImplementedError) as error:
        raise ValueError(f"model.lora.target_modules: {' '.join(str(error).split())}") from error
    _refuse_shared(model)
    for value in kept:
        value.requires_grad = True
    # peft's mark on the model; transformers must not take it for one whose adapters alone are saved.
    del model.peft_config
    model.save_pretrained = partial(_save_merged, model)
    count = sum(value.numel() for value in model.parameters() if value.requires_grad)
    log.info("model: %d of %d parameters are trained", count, sum(value.numel() for value in model.parameters()))


def _settings(model: Any, lora: Lora) -> Any:
    from peft import LoraConfig
    from peft.utils.constants import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as DEFAULTS

    targets = list(lora.target_modules) if isinstance(lora.target_modules, tuple) else lora.target_modules
    if targets is None and model.config.model_type not in DEFAULTS:
        layers = sorted({name.rpartition(".")[2] for name, each in model.named_modules() if _is_linear(each)})
        raise ValueError(
            f"model.lora.target_modules: peft knows no usual layers of a {model.config.model_type} model; name some "
            f"of {', '.join(layers)}, or all-linear"
        )
    return LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,  # pyright: ignore[reportArgumentType] - a float is scaled by as well
        lora_dropout=lora.dropout,
        target_modules=targets,
        bias=lora.bias,
        use_rslora=lora.use_rslora,
    )


def _is_linear(module: Any) -> bool:
    import torch
    from transformers.pytorch_utils import Conv1D

    return isinstance(module, torch.nn.Linear | Conv1D)


def _layers(model: Any) -> dict[str, Any]:
    from peft.tuners.lora import LoraLayer

    return {name: each for name, each in model.named_modules() if isinstance(each, LoraLayer)}


def _refuse_shared(model: Any) -> None:
    """Refuses an adapter on a tied layer: once merged, it would change the layer that shares the weights too."""
    owners: dict[int, list[str]] = {}
    for name, value in model.named_parameters(remove_duplicate=False):
        owners.setdefault(id(value), []).append(name)
    for name, layer in _layers(model).items():
        if len(owners[id(layer.get_base_layer().weight)]) > 1:
            raise ValueError(
                f"model.lora.target_modules: {name} shares its weights with another layer, which would change with "
                "it; leave it out, or set model.config.tie_word_embeddings=false"
            )


def _save_merged(model: Any, save_directory: Any, **options: Any) -> None:
    """Saves a model with its adapters merged in, as any other that transformers loads; the model stays as it is."""
    import torch

    # One that was gathered by a trainer has the adapters apart.
    options.pop("state_dict", None)
    with torch.device("meta"):
        plain = type(model)(deepcopy(model.config))
    plain.load_state_dict(_merged(model), assign=True)
    plain.tie_weights()
    if getattr(model, "generation_config", None) is not None:
        plain.generation_config = deepcopy(model.generation_config)
    plain.save_pretrained(save_directory, **options)


def _merged(model: Any) -> dict[str, Any]:
    """The state of the model without adapters; only what they change is copied."""
    import torch

    tensors, layers = {}, _layers(model)
    for name, value in model.state_dict().items():
        layer, _, inner = name.partition(".base_layer.")
        if inner and layer in layers:
            tensors[f"{layer}.{inner}"] = value
        elif not any(name.startswith(f"{each}.lora_") for each in layers):
            tensors[name] = value
    with torch.no_grad():
        for name, layer in layers.items():
            tensors[f"{name}.weight"] = tensors[f"{name}.weight"] + layer.get_delta_weight(_ADAPTER)
    return tensors
