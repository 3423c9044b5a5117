"""Training a byte-level BPE or a WordPiece vocabulary with the library tokenizers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["END", "WORDPIECE_TOKENS", "train"]

END = "<|endoftext|>"
"""GPT-2's only special token."""
WORDPIECE_TOKENS = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}
"""BERT's special tokens, in the order of their ids."""


def train(
    texts: Callable[[], Iterator[str]],
    folder: Path,
    *,
    algorithm: str,
    vocab_size: int,
    min_frequency: int,
    lowercase: bool,
) -> None:
    """Trains a tokenizer and saves it as transformers does; the same texts give the same bytes on any machine.

    Only the words and their counts are held, never the texts.

    Args:
        texts: Reads the corpus, from its start each time.
        folder: Where `tokenizer.json` and `tokenizer_config.json` are written.
        algorithm: "bpe", byte-level as GPT-2's (Radford et al., "Language Models are Unsupervised Multitask Learners",
            2019), or "wordpiece", as BERT's (Devlin et al., "BERT", 2019).
        vocab_size: How many tokens to learn at most, special ones included.
        min_frequency: How often a pair must be seen to be merged.
        lowercase: Whether WordPiece lowers the case and strips accents, as the uncased BERT does.

    Raises:
        ValueError: The corpus holds more characters than `vocab_size`.
    """
    from transformers import PreTrainedTokenizerFast

    if algorithm == "bpe":
        backend = _byte_level_bpe(texts(), vocab_size, min_frequency)
        special: dict[str, Any] = dict.fromkeys(("bos_token", "eos_token", "unk_token", "pad_token"), END)
        names = ["input_ids", "attention_mask"]
    else:
        backend = _wordpiece(texts, vocab_size, min_frequency, lowercase=lowercase)
        special, names = WORDPIECE_TOKENS, ["input_ids", "token_type_ids", "attention_mask"]
    if (size := backend.get_vocab_size()) > vocab_size:
        raise ValueError(
            f"tokenizer.vocab_size={vocab_size} is less than the {size} that the special tokens and the single "
            "characters of the corpus take; raise it"
        )
    PreTrainedTokenizerFast(tokenizer_object=backend, model_input_names=names, **special).save_pretrained(folder)


def _byte_level_bpe(texts: Iterator[str], vocab_size: int, min_frequency: int) -> Tokenizer:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    backend: Any = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.post_processor = processors.ByteLevel(trim_offsets=True)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        special_tokens=[END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    backend.train_from_iterator(texts, trainer)
    return backend


def _wordpiece(
    texts: Callable[[], Iterator[str]], vocab_size: int, min_frequency: int, *, lowercase: bool
) -> Tokenizer:
    from tokenizers import processors, trainers

    special = list(WORDPIECE_TOKENS.values())
    backend = _wordpiece_of({}, lowercase=lowercase)
    backend.train_from_iterator(
        texts(), trainers.WordPieceTrainer(vocab_size=0, special_tokens=special, show_progress=False)
    )
    # The trainer numbers the characters within words in the order of a hash table, which is random, and ties between
    # pairs are broken by number. As special tokens they get theirs from here.
    inner = sorted(each for each in backend.get_vocab() if each.startswith("##") and len(each) == 3)
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size, min_frequency=min_frequency, special_tokens=[*special, *inner], show_progress=False
    )
    backend = _wordpiece_of({}, lowercase=lowercase)
    backend.train_from_iterator(texts(), trainer)
    vocabulary = json.loads(backend.to_str())["model"]["vocab"]
    backend = _wordpiece_of(vocabulary, lowercase=lowercase)
    backend.add_special_tokens(special)
    cls, sep = WORDPIECE_TOKENS["cls_token"], WORDPIECE_TOKENS["sep_token"]
    backend.post_processor = processors.TemplateProcessing(
        single=f"{cls} $A {sep}",
        pair=f"{cls} $A {sep} $B:1 {sep}:1",
        special_tokens=[(token, vocabulary[token]) for token in (cls, sep)],
    )
    return backend


def _wordpiece_of(vocabulary: dict[str, int], *, lowercase: bool) -> Any:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    backend: Any = Tokenizer(models.WordPiece(vocabulary, unk_token=WORDPIECE_TOKENS["unk_token"]))
    backend.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    return backend
