"""A model's weights: pretrained ones into its architecture, or new ones from the seed."""

from __future__ import annotations

import logging
from typing import Any

from codex_ml.models.heads import SPECIAL_IDS, Head
from codex_ml.models.sources import Source
from codex_ml.models.weights import read_tensors

__all__ = ["load_pretrained", "make_new"]

log = logging.getLogger(__name__)


def make_new(source: Source, head: Head, architecture: Any, dtype: Any) -> tuple[Any, set[str]]:
    """A model with weights from the seed, and the names of its head's own parameters.

    Raises:
        ValueError: The architecture has no such head.
    """
    log.info("model: the architecture of %s, weights from the seed", source)
    model = _class_of(head, architecture).from_config(architecture, dtype=dtype, trust_remote_code=False)
    body = f"{model.base_model_prefix}."
    # What is tied to the embedding goes by the embedding's name here.
    return model, {name for name, _ in model.named_parameters() if not name.startswith(body)}


def load_pretrained(
    source: Source, head: Head, architecture: Any, dtype: Any, *, allow_pickle: bool
) -> tuple[Any, set[str]]:
    """A model with the weights of a source, and the names of the parameters that are new: those of its head.

    Raises:
        ValueError: The architecture has no such head, or the weights do not belong to it.
        OSError: The hub cannot be reached, or a file cannot be read.
        RuntimeError: A weight has another shape.
        safetensors.SafetensorError: A file is damaged.
    """
    import torch

    maker = _class_of(head, architecture)
    tensors = read_tensors(source, getattr(architecture, "transformers_weights", None), allow_pickle=allow_pickle)
    with torch.device("meta"):  # for its class alone: without a name the factory makes no model from tensors
        draft: Any = maker.from_config(architecture, trust_remote_code=False)
    model, report = type(draft).from_pretrained(
        None, config=draft.config, state_dict=tensors, dtype=dtype, output_loading_info=True
    )
    model.config.name_or_path = str(source)
    missing = set(report["missing_keys"])
    # A new head is expected, and a new pooler on weights from masked language modelling; anything else is a mistake.
    body = f"{model.base_model_prefix}."
    lost = sorted(key for key in missing if key.startswith(body) and ".pooler." not in key)
    if lost:
        raise ValueError(
            f"model.model_name: the weights of {source} lack {len(lost)} of the model's parameters, such as "
            f"{lost[0]}: they belong to another architecture, or model.config asks for more than they have"
        )
    log.info("model: weights from %s; new from the seed: %s", source, ", ".join(sorted(missing)) or "none")
    _take_generation_ids(model, source)
    return model, missing


def _class_of(head: Head, architecture: Any) -> Any:
    maker = head.auto_class()
    if type(architecture) not in maker._model_mapping:
        raise ValueError(
            f"model.model_name: transformers has no {architecture.model_type} model with the head {head.kind}; choose "
            "a model of another type"
        )
    return maker


def _take_generation_ids(model: Any, source: Source) -> None:
    """The ids at which generation ends, which some models tell in a file of their own alone."""
    from transformers import GenerationConfig

    if getattr(model, "generation_config", None) is None or not source.file("generation_config.json"):
        return
    arguments = {key: value for key, value in source.arguments.items() if key != "trust_remote_code"}
    told = GenerationConfig.from_pretrained(str(source), **arguments)
    for name in SPECIAL_IDS:
        setattr(model.generation_config, name, getattr(told, name))
