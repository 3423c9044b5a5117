"""GPT-2: a decoder of text for language modelling, generation and classification.

Radford et al., "Language Models are Unsupervised Multitask Learners", 2019; the default is openai-community/gpt2
(12 layers, 768 wide, 124 million parameters).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from codex_addons.component import component
from codex_ml.models.family import Family
from codex_ml.models.options import TransformerOptions, read_options
from codex_ml.models.transformer import build

__all__ = ["GPT2Config", "gpt2"]

DEFAULT = "openai-community/gpt2"
# Plain decoders of text: their configs hold no other model's, and they compute with torch alone.
_DECODERS = (
    "arcee biogpt bloom exaone4 falcon gemma gemma2 gemma3_text glm glm4 gpt2 gpt_bigcode gpt_neo gpt_neox gptj helium "
    "llama mistral nemotron olmo olmo2 olmo3 openai-gpt opt persimmon phi phi3 qwen2 qwen3 seed_oss smollm3 stablelm "
    "starcoder2"
)


@dataclass(frozen=True)
class GPT2Config(TransformerOptions):
    """The options of the model `gpt2`."""

    model_name: str = field(
        default=DEFAULT, metadata={"help": "Hub id, or a folder that save_pretrained wrote; any plain decoder of text."}
    )


def _architecture() -> Any:
    from transformers import GPT2Config as Architecture

    return Architecture()  # its defaults are those of gpt2


FAMILY = Family(
    name="gpt2",
    takes="decoders of text",
    types=tuple(_DECODERS.split()),
    heads=("causal_lm", "sequence_classification"),
    elsewhere={"masked_lm": "model=bert_base_uncased or model=minilm"},
    default=DEFAULT,
    architecture=_architecture,
)


@component(
    config=GPT2Config,
    heads=FAMILY.heads,
    requires=("torch", "transformers"),
    uses=("peft", "tokenizers"),
    extra="train",
)
def gpt2(config: dict[str, Any]) -> tuple[Any, Any]:
    """Builds GPT-2, or another plain decoder of text, with a next-token head or a classifier over labels.

    The weights come from the folder `model_name`, or from the hub or its cache; with `pretrained=false` the default
    architecture needs no file. Code from the hub is never run. A text's logits are the same whichever side it is
    padded on, as long as `attention_mask` says where. A tokenizer without a padding token pads with its end token.

    Args:
        config: The options of `GPT2Config`, and `head`: `kind` "causal_lm", or "sequence_classification" with `labels`
            and `num_labels`; and `vocab_size` where a tokenizer is named.

    Returns:
        The model on its device, and its tokenizer, or None where another is named or there are no files of one.

    Raises:
        ValueError: An option or the head is wrong, or the model cannot be loaded.
        ImportError: torch, transformers or peft is missing.
        OSError: The hub and its cache don't give the model.
    """
    return build(FAMILY, read_options(GPT2Config, FAMILY.name, config), config.get("head"))
