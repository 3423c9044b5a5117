"""The tokens of a tokenizer that stand for no text."""

from __future__ import annotations

from itertools import chain
from typing import Any

from codex_ml.errors import ModelError
from codex_ml.tasks.texts import plain_ids

__all__ = ["beginning", "end_token", "mask_token", "padding_token", "wrapping"]

_PROBE = "a"
_TRIED = 1000


def padding_token(tokenizer: Any) -> int:
    """The id to fill shorter rows with.

    Raises:
        ModelError: The tokenizer has neither a padding nor an end token.
    """
    # Padding is masked, so a tokenizer without a padding token may lend any of its own.
    for name in ("pad_token_id", "eos_token_id"):
        token = getattr(tokenizer, name, None)
        if token is not None:
            return token
    raise ModelError(
        "the tokenizer has neither a padding nor an end token to fill shorter texts with: set its pad_token"
    )


def end_token(tokenizer: Any, way_out: str) -> int:
    """The id that ends a text.

    Raises:
        ModelError: The tokenizer has none; `way_out` says what else can be done.
    """
    token = getattr(tokenizer, "eos_token_id", None)
    if token is None:
        raise ModelError(f"the tokenizer has no end token: set its eos_token, {way_out}")
    return token


def mask_token(tokenizer: Any) -> int:
    """The id that stands for a masked token.

    Raises:
        ModelError: The tokenizer has none.
    """
    token = getattr(tokenizer, "mask_token_id", None)
    if token is None:
        raise ModelError(
            "the tokenizer has no mask token, and task=masked_lm needs one: train one that has it with tokenizer=hf "
            "tokenizer.algorithm=wordpiece, or take that of a model that was trained with masks, such as "
            "model=bert_base_uncased, with tokenizer=none"
        )
    return token


def wrapping(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The special tokens that a tokenizer puts before and behind a text, such as `[CLS]` and `[SEP]`.

    Raises:
        ModelError: It changes the text as well when it adds them.
    """
    # Seen from what it does: fast tokenizers have no method that tells.
    probe, plain = _probed(tokenizer)
    whole = list(tokenizer([probe])["input_ids"][0])
    for start in range(len(whole) - len(plain) + 1):
        if whole[start : start + len(plain)] == plain:
            return whole[:start], whole[start + len(plain) :]
    raise ModelError(f"the tokenizer gives {whole} for {probe!r}, in which its own tokens {plain} are not found")


def _probed(tokenizer: Any) -> tuple[str, list[int]]:
    """A text that the tokenizer makes tokens of, and these."""
    known = (tokenizer.decode([token]) for token in range(min(_TRIED, len(tokenizer))))
    for probe in chain([_PROBE], known):
        plain = plain_ids(tokenizer, [probe])[0]
        if plain and not set(plain) & set(tokenizer.all_special_ids):
            return probe, plain
    raise ModelError(f"the tokenizer makes no ordinary token of {_PROBE!r}, nor of its own first {_TRIED} tokens")


def beginning(tokenizer: Any) -> list[int]:
    """The token that begins a text, where the tokenizer puts one there itself; else nothing."""
    token = getattr(tokenizer, "bos_token_id", None)
    return [token] if token is not None and token in wrapping(tokenizer)[0] else []
