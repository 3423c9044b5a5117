"""The options that all built-in models share."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypeVar

from codex_ml.models.lora import read_lora

__all__ = ["TransformerOptions", "read_options"]

Options = TypeVar("Options", bound="TransformerOptions")

_DTYPES = ("float32", "bfloat16", "float16")


@dataclass(frozen=True)
class TransformerOptions:
    """Where a model comes from, and what is made of it."""

    model_name: str = field(default="", metadata={"help": "Hub id, or a folder that save_pretrained wrote."})
    revision: str | None = field(default=None, metadata={"help": "Branch, tag or commit on the hub; null: main."})
    local_files_only: bool = field(
        default=False, metadata={"help": "true: never ask the hub, only folders and its cache on this machine."}
    )
    pretrained: bool = field(default=True, metadata={"help": "false: the architecture alone, weights from the seed."})
    allow_pickle: bool = field(
        default=False, metadata={"help": "true: take *.bin weights where there are no *.safetensors; tensors alone."}
    )
    config: dict[str, Any] = field(
        default_factory=dict, metadata={"help": "Changes to the architecture's own config: num_hidden_layers, ..."}
    )
    lora: dict[str, Any] | None = field(
        default=None,
        metadata={
            "help": "Train low-rank adapters and a new head alone, by 'model.lora={r: 8}'; also alpha (16), "
            "dropout (0.0), target_modules (null), bias (none), use_rslora (false)."
        },
    )
    device: str | None = field(
        default=None, metadata={"help": "auto, cpu, cuda, cuda:1, mps, ...; null: auto, the best there is."}
    )
    dtype: Literal["float32", "bfloat16", "float16"] | None = field(
        default=None,
        metadata={"help": "Number format of the weights; null: float32. To train faster: trainer.precision."},
    )

    def __post_init__(self) -> None:
        if not isinstance(self.model_name, str) or not self.model_name.strip():
            raise ValueError(f"model.model_name must be a hub id or a folder, not {self.model_name!r}")
        _require_folder(self.model_name)
        if self.revision is not None and (not isinstance(self.revision, str) or not self.revision):
            raise ValueError(f"model.revision must be a branch, tag or commit, or null, not {self.revision!r}")
        for name in ("local_files_only", "pretrained", "allow_pickle"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"model.{name} must be true or false, not {getattr(self, name)!r}")
        if not isinstance(self.config, Mapping):
            raise ValueError(f"model.config must map settings of the architecture to values, not {self.config!r}")
        if self.dtype not in (*_DTYPES, None):
            raise ValueError(f"model.dtype must be {', '.join(_DTYPES[:-1])} or {_DTYPES[-1]}, not {self.dtype!r}")
        read_lora(self.lora)


def _require_folder(name: str) -> None:
    """Refuses a name that can only be that of a folder where there is none; a URL is resolved before it is used."""
    path = name.startswith((".", "/", "~")) or (name.count("/") > 1 and "://" not in name)
    if path and not os.path.isdir(os.path.expanduser(name)):
        raise ValueError(f"model.model_name: there is no folder {name}")


def read_options(kind: type[Options], model: str, config: Mapping[str, Any]) -> Options:
    """The options in a model's config, without its `head`.

    Args:
        kind: The dataclass of the model's options.
        model: Its name, for messages.
        config: What its factory was called with.

    Raises:
        ValueError: An option is unknown or has a wrong value.
    """
    known = [each.name for each in fields(kind)]
    if unknown := sorted(set(config) - set(known) - {"head"}):
        raise ValueError(f"model {model} has no option {', '.join(unknown)}; it has {', '.join(known)}")
    return kind(**{key: value for key, value in config.items() if key != "head"})
