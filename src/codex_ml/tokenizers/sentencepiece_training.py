"""Training a SentencePiece model."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

__all__ = ["MASK", "MODEL", "train"]

MODEL = "tokenizer.model"
"""The model file's name."""
MASK = "<mask>"

# The trainer gives each thread a share of the sums, whose rounding is part of the result: never the machine's count.
_THREADS = 4
# In bytes; SentencePiece leaves longer texts out without a word, at 4,192 unless told otherwise.
_LONGEST = 2**30


def train(texts: Iterator[str], folder: Path, *, sample: int, **options: Any) -> None:
    """Trains a model (Kudo and Richardson, "SentencePiece", 2018); the same texts give the same bytes.

    The ids begin with `<unk>` 0, `<s>` 1, `</s>` 2, `<pad>` 3 and `<mask>` 4.

    Args:
        texts: The corpus.
        folder: Where `tokenizer.model` is written.
        sample: How many texts the trainer holds in memory at most: of a larger corpus a random sample, the same every
            time.
        **options: The trainer's: `vocab_size`, `model_type`, `character_coverage`, `byte_fallback`,
            `normalization_rule_name` and `remove_extra_whitespaces`.

    Raises:
        ValueError: The corpus cannot give such a vocabulary.
    """
    import sentencepiece

    written = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(  # pyright: ignore[reportAttributeAccessIssue]
            sentence_iterator=iter(_drawn(texts, sample)),
            model_writer=written,
            max_sentence_length=_LONGEST,
            num_threads=_THREADS,
            unk_id=0,
            bos_id=1,
            eos_id=2,
            pad_id=3,
            control_symbols=[MASK],
            minloglevel=2,
            **options,
        )
    except RuntimeError as error:
        raise ValueError(_readable(error, options["vocab_size"])) from error
    (folder / MODEL).write_bytes(written.getvalue())


def _drawn(texts: Iterator[str], size: int) -> list[str]:
    """So many of the texts, each as likely as any other; SentencePiece's own sample differs from run to run."""
    draw = Random(0)
    kept: list[str] = []
    for count, text in enumerate(texts, 1):
        if count <= size:
            kept.append(text)
        elif (place := draw.randrange(count)) < size:
            kept[place] = text
    return kept


def _readable(error: RuntimeError, vocab_size: int) -> str:
    # INTERNAL: src/trainer_interface.cc(744) [(condition)] Vocabulary size too high (8000). Please set it to ...
    reason = re.sub(r"^\s*\w+: \S+\(\d+\) (\[.*\] ?)?", "", str(error)).strip()
    told = re.sub(r" or decrease character_coverage.*", " or decrease tokenizer.character_coverage.", reason)
    return f"tokenizer.vocab_size={vocab_size} does not fit the corpus: {told or error}"
