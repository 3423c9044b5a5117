"""Building a model of transformers, with the head that a task asks for."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from codex_ml.models.architecture import change, fit_vocabulary, read_architecture
from codex_ml.models.family import Family
from codex_ml.models.heads import Head, read_head
from codex_ml.models.loading import load_pretrained, make_new
from codex_ml.models.lora import add_lora, read_lora, require_peft
from codex_ml.models.options import TransformerOptions
from codex_ml.models.padding import heed_padding
from codex_ml.models.placement import choose_device, move, require_dtype
from codex_ml.models.quiet import quiet
from codex_ml.models.sources import Source, explained, find_source
from codex_ml.models.weights import refuse_adapter
from codex_ml.pretrained import VOCABULARY_FILES

__all__ = ["build"]

log = logging.getLogger(__name__)


def build(family: Family, options: TransformerOptions, told: Mapping[str, Any] | None) -> tuple[Any, Any]:
    """A model of a family on its device, and its tokenizer.

    Args:
        family: The registered model.
        options: Its options.
        told: `config["head"]`.

    Returns:
        The model, and its own tokenizer; None where another is named, or where there are no files of one.

    Raises:
        ValueError: An option or the head is wrong, or what is there cannot be loaded.
        ImportError: A library is missing, or the package that brings the default model.
        OSError: The hub and its cache don't give the model.
    """
    head, lora = read_head(told, family), read_lora(options.lora)
    try:
        import torch  # noqa: F401 - so that its absence is told by name
        import transformers  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"model {family.name} needs torch and transformers ({error}): pip install 'codex-ml[train]'"
        ) from error
    if lora is not None:
        require_peft()
    source = find_source(family, options)
    device = choose_device(options.device)
    dtype = require_dtype(device, options.dtype or "float32")
    with quiet(), explained(source, family):
        architecture = _architecture(source, family, options, head)
        tokenizer = _tokenizer(source, head)
        if options.pretrained:
            model, fresh = load_pretrained(source, head, architecture, dtype, allow_pickle=options.allow_pickle)
        else:
            model, fresh = make_new(source, head, architecture, dtype)
        if "causal_lm" in family.heads:
            _prepare_decoder(model, head, tokenizer)
        if lora is not None:
            add_lora(model, lora, trained=fresh | _classifier(model, head))
        return move(model, device), tokenizer


def _architecture(source: Source, family: Family, options: TransformerOptions, head: Head) -> Any:
    if source.fileless:
        architecture = family.architecture()
    else:
        refuse_adapter(source)
        architecture = read_architecture(source, family)
    change(architecture, options.config)
    fit_vocabulary(architecture, head, source=source, pretrained=options.pretrained, changes=options.config)
    if head.labels:
        architecture.id2label = dict(enumerate(head.labels))
        architecture.label2id = {label: position for position, label in enumerate(head.labels)}
    return architecture


def _tokenizer(source: Source, head: Head) -> Any:
    from transformers import AutoTokenizer

    # One that is named is used instead, and a model of its vocabulary cannot read this one's tokens.
    if head.vocab_size is not None:
        return None
    if source.fileless:
        log.info("model: the architecture of %s comes without files, and so without a tokenizer", source)
        return None
    # From a config.json alone transformers would make an empty vocabulary.
    if not any(source.file(name) for name in VOCABULARY_FILES):
        log.info("model: %s holds no tokenizer", source)
        return None
    return AutoTokenizer.from_pretrained(str(source), **source.arguments)


def _prepare_decoder(model: Any, head: Head, tokenizer: Any) -> None:
    """Padding, without which a decoder takes no batch: few have a token for it, and the end's serves as well."""
    if tokenizer is not None and tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    config = model.config
    end = config.eos_token_id[0] if isinstance(config.eos_token_id, list) else config.eos_token_id
    told = head.special.get("pad_token_id") if tokenizer is None else tokenizer.pad_token_id
    # Where nothing is told, an id that texts hardly end with.
    padding = next(each for each in (told, config.pad_token_id, end, config.vocab_size - 1) if each is not None)
    if head.kind == "sequence_classification":
        config.pad_token_id = padding
    elif model.generation_config is not None:
        model.generation_config.pad_token_id = padding
    heed_padding(model, classifies=head.kind == "sequence_classification", told=told is not None)


def _classifier(model: Any, head: Head) -> set[str]:
    """The parameters of a classifier, new or not, which adapters cannot stand in for."""
    if head.kind != "sequence_classification":
        return set()
    body = f"{model.base_model_prefix}."
    return {name for name, _ in model.named_parameters() if not name.startswith(body)}
