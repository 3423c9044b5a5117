"""What a folder that `save_pretrained` wrote may hold, for every component that reads one."""

from __future__ import annotations

__all__ = ["VOCABULARY_FILES"]

VOCABULARY_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "vocab.txt",
    "vocab.json",
    "spiece.model",
    "sentencepiece.bpe.model",
)
