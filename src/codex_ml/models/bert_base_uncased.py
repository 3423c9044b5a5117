"""BERT: an encoder of text for classification and masked language modelling, with pretrained weights or fresh ones.

Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding", 2019; the default is
google-bert/bert-base-uncased (12 layers, 768 wide, 110 million parameters).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from codex_addons.component import component
from codex_ml.models.family import ENCODERS, Family
from codex_ml.models.options import TransformerOptions, read_options
from codex_ml.models.transformer import build

__all__ = ["BertBaseUncasedConfig", "bert_base_uncased"]

DEFAULT = "google-bert/bert-base-uncased"


@dataclass(frozen=True)
class BertBaseUncasedConfig(TransformerOptions):
    """The options of the model `bert_base_uncased`."""

    model_name: str = field(
        default=DEFAULT, metadata={"help": "Hub id, or a folder that save_pretrained wrote; any BERT-like encoder."}
    )


def _architecture() -> Any:
    from transformers import BertConfig

    return BertConfig()  # its defaults are those of bert-base-uncased


FAMILY = Family(
    name="bert_base_uncased",
    takes="encoders of text",
    types=ENCODERS,
    heads=("masked_lm", "sequence_classification"),
    elsewhere={"causal_lm": "model=gpt2"},
    default=DEFAULT,
    architecture=_architecture,
)


@component(
    config=BertBaseUncasedConfig,
    heads=FAMILY.heads,
    requires=("torch", "transformers"),
    uses=("peft", "tokenizers"),
    extra="train",
)
def bert_base_uncased(config: dict[str, Any]) -> tuple[Any, Any]:
    """Builds BERT, or another encoder of the same family, with a masked-token head or a classifier over labels.

    The weights come from the folder `model_name`, or from the hub or its cache; with `pretrained=false` the default
    architecture needs no file. Code from the hub is never run.

    Args:
        config: The options of `BertBaseUncasedConfig`, and `head`: `kind` "masked_lm", or "sequence_classification"
            with `labels` and `num_labels`; and `vocab_size` where a tokenizer is named.

    Returns:
        The model on its device, and its tokenizer, or None where another is named or there are no files of one.

    Raises:
        ValueError: An option or the head is wrong, or the model cannot be loaded.
        ImportError: torch, transformers or peft is missing.
        OSError: The hub and its cache don't give the model.
    """
    return build(FAMILY, read_options(BertBaseUncasedConfig, FAMILY.name, config), config.get("head"))
