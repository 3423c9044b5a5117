"""A model's architecture: its transformers config, read with care, changed as asked, fitted to the tokenizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codex_addons.errors import closest
from codex_ml.models.family import Family
from codex_ml.models.heads import SPECIAL_IDS, Head
from codex_ml.models.sources import Source

__all__ = ["change", "fit_vocabulary", "read_architecture"]

# What the task, the weights or the factory decide.
_FIXED = (
    "architectures",
    "dtype",
    "id2label",
    "label2id",
    "model_type",
    "num_labels",
    "problem_type",
    "transformers_version",
)
# These find a token's position, or fill up a block, with the padding's id.
_NEED_PADDING = (
    "big_bird camembert data2vec-text flaubert ibert longformer nomic_bert roberta roberta-prelayernorm xlm "
    "xlm-roberta xlm-roberta-xl"
)


def read_architecture(source: Source, family: Family) -> Any:
    """The config of a source.

    Raises:
        ValueError: The family does not take such a model, or its config leads to other models or to foreign code.
        OSError: It cannot be got.
    """
    from transformers import AutoConfig, PreTrainedConfig

    # Asked of the file first: what a config of another type names may be loaded when it is made.
    told, _ = PreTrainedConfig.get_config_dict(str(source), **source.arguments)
    _refuse_type(told.get("model_type") if isinstance(told, dict) else None, source, family)
    architecture = AutoConfig.from_pretrained(str(source), **source.arguments)
    # On the hub the file may have changed in between.
    _refuse_type(architecture.model_type, source, family)
    # Another model's config inside this one, or a way to quantize it, leads to further files and to code from the hub.
    for trait in ("sub_configs", "quantization_config"):
        if getattr(architecture, trait, None):
            raise ValueError(f"model.model_name: {source} has {trait}; {family.name} takes plain {family.takes}")
    # Any other attention may be code from the hub, and a model's own config.json can ask for it.
    chosen = getattr(architecture, "_attn_implementation", None)
    if chosen not in (None, "eager", "sdpa", "flex_attention"):
        raise ValueError(
            f"model.model_name: the config.json of {source} asks for the attention {chosen!r}, which may be code "
            "from the hub; remove it there"
        )
    return architecture


def _refuse_type(kind: Any, source: Source, family: Family) -> None:
    if kind not in family.types:
        raise ValueError(
            f"model.model_name: the config.json of {source} has the model_type {kind!r}; {family.name} takes "
            f"{family.takes}: {', '.join(family.types)}"
        )


def change(architecture: Any, changes: Mapping[str, Any]) -> None:
    """Sets what the option `config` asks for.

    Raises:
        ValueError: There is no such setting, it is decided elsewhere, or the value is wrong.
    """
    # Only what the architecture itself knows: a hidden key such as attn_implementation can name code on the hub.
    free = sorted(key for key in architecture.to_dict() if not key.startswith("_") and key not in _FIXED)
    if not changes:
        return
    for key, value in changes.items():
        if key in _FIXED:
            raise ValueError(f"model.config.{key} cannot be set: the task or another option decides it")
        if key not in free:
            near = closest(key, free, 1)
            hint = f"; do you mean {near[0]}?" if near else f"; it has {', '.join(free)}"
            raise ValueError(f"model.config.{key}: a {architecture.model_type} model has no such setting{hint}")
        try:
            setattr(architecture, key, value)
        except Exception as error:  # the validator's own errors derive from nothing more special
            raise ValueError(f"model.config.{key}={value!r}: {' '.join(str(error).split())}") from error
    kinds, layers = getattr(architecture, "layer_types", None), getattr(architecture, "num_hidden_layers", None)
    if kinds and "layer_types" not in changes and isinstance(layers, int) and layers < len(kinds):
        architecture.layer_types = list(kinds[:layers])
    _validate(architecture, changes)


def _validate(architecture: Any, changes: Mapping[str, Any]) -> None:
    """Lets transformers say now what does not fit together, and not when the model is saved."""
    try:
        architecture.validate()
    except Exception as error:  # as above
        told = ", ".join(f"{key}={value!r}" for key, value in changes.items())
        raise ValueError(f"model.config: {told}: {' '.join(str(error).split())}") from error


def fit_vocabulary(
    architecture: Any, head: Head, *, source: Source, pretrained: bool, changes: Mapping[str, Any]
) -> None:
    """Gives the model the named tokenizer's vocabulary, where its weights are new.

    Args:
        architecture: The config, with `changes` made.
        head: What the task asks for.
        source: Where the model comes from, for messages.
        pretrained: Whether there are weights already; they keep their vocabulary.
        changes: The option `config`; what it sets stays.

    Raises:
        ValueError: The model has fewer tokens than the tokenizer, or a special id lies outside its vocabulary.
    """
    size, rows = head.vocab_size, architecture.vocab_size
    if size is not None and pretrained and size > rows:
        raise ValueError(
            f"model.model_name: the weights of {source} know {rows} tokens, and the tokenizer has {size}: use the "
            "model's own (tokenizer=none), or model.pretrained=false for weights from the seed"
        )
    if size is not None and not pretrained:
        if "vocab_size" not in changes:
            architecture.vocab_size = size
        elif size > rows:
            raise ValueError(f"model.config.vocab_size={rows} is less than the {size} tokens that the tokenizer has")
        _take_special_ids(architecture, head, same=size == rows, changes=changes)
    for name in SPECIAL_IDS:
        value = getattr(architecture, name, None)
        if value is None or _inside(value, architecture.vocab_size):
            continue
        if name in changes:
            raise ValueError(
                f"model.config.{name}={value} lies outside the vocabulary of {architecture.vocab_size} tokens"
            )
        # Pretrained weights come with the ids they were trained with, right or wrong.
        if not pretrained:
            setattr(architecture, name, None)


def _take_special_ids(architecture: Any, head: Head, *, same: bool, changes: Mapping[str, Any]) -> None:
    """The special ids of the named tokenizer; none where they are not told and the architecture's are another's.

    A wrong one does harm: the embedding of `pad_token_id` is never trained, and generation ends at `eos_token_id`.
    """
    for name in SPECIAL_IDS:
        if name in changes or (name not in head.special and same):
            continue
        value = head.special.get(name)
        if value is None and name == "pad_token_id" and architecture.model_type in _NEED_PADDING.split():
            continue
        setattr(architecture, name, value)


def _inside(value: Any, size: int) -> bool:
    return all(0 <= each < size for each in (value if isinstance(value, list | tuple) else [value]))
