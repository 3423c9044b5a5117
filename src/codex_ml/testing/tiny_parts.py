"""A model and a tokenizer of a few hundred numbers, with which any task's code can be run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

__all__ = ["TinyModel", "tiny_model", "tiny_tokenizer"]

_WIDTH = 8


class TinyModel(nn.Module):
    """Embeds the tokens and gives logits: of each record where the head has labels, else of each token.

    Args:
        rows: How many token ids it knows.
        outputs: How many logits.
        pooled: Whether a record gets one row of logits, or each token one.
    """

    def __init__(self, rows: int, outputs: int, *, pooled: bool) -> None:
        super().__init__()
        self.pooled = pooled
        self.embedding = nn.Embedding(rows, _WIDTH)
        # So that whoever draws a random number where none belongs changes what is learnt.
        self.dropout = nn.Dropout(0.1)
        self.head = nn.Linear(_WIDTH, outputs)

    def get_input_embeddings(self) -> nn.Module:
        """The embedding, as transformers' models have it."""
        return self.embedding

    def forward(self, input_ids: Any, attention_mask: Any = None, **others: Any) -> Any:
        """Logits [batch, outputs], or [batch, length, outputs]; padding has no part in them."""
        hidden = self.embedding(input_ids)  # [batch, length, width]
        if self.pooled:
            mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
            weights = (mask / mask.sum(1, keepdim=True).clamp(min=1)).unsqueeze(-1)
            hidden = (hidden * weights).sum(1)  # [batch, width]
        return SimpleNamespace(logits=self.head(self.dropout(hidden)))


def tiny_model(config: dict[str, Any]) -> tuple[Any, None]:
    """The model for a head with `num_labels`, else for one with `vocab_size`; without a tokenizer."""
    head = config["head"]
    rows = head["vocab_size"]
    labels = head.get("num_labels")
    return TinyModel(rows, labels or rows, pooled=labels is not None), None


def tiny_tokenizer(config: dict[str, Any]) -> Any:
    """One token a byte, so that it takes any text and gives it back; ids 0 and 1 pad and end, the last masks."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    pad, end, mask = "[PAD]", "[EOS]", "[MASK]"
    words = [pad, end, *sorted(pre_tokenizers.ByteLevel.alphabet()), mask]
    inner = Tokenizer(models.BPE({word: index for index, word in enumerate(words)}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=inner, pad_token=pad, eos_token=end, mask_token=mask)
