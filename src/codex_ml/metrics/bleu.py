"""BLEU: the n-grams that translations share with their references, as sacreBLEU counts them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from codex_addons.component import component
from codex_ml.metrics.bleu_tokenizers import Tokenizer, check_tokenizer
from codex_ml.metrics.bootstrap import has_standard_error, of_sums
from codex_ml.metrics.texts import Reference, references, texts

if TYPE_CHECKING:
    from numpy import ndarray

__all__ = ["BleuConfig", "bleu"]

SmoothMethod = Literal["exp", "floor", "add-k", "none"]


@dataclass(frozen=True)
class BleuConfig:
    """The options of sacreBLEU, by its names and with its defaults."""

    tokenize: Tokenizer = field(
        default="13a",
        metadata={"help": "what is a word: 13a is WMT's; zh, ja-mecab, ko-mecab, char or flores200 without spaces"},
    )
    smooth_method: SmoothMethod = field(default="exp", metadata={"help": "what stands for an n-gram precision of 0"})
    smooth_value: float | None = field(
        default=None, metadata={"help": "the value of smooth_method floor (null: 0.1) or add-k (null: 1)"}
    )
    lowercase: bool = field(default=False, metadata={"help": "whether case is left out of account"})
    max_ngram_order: int = field(default=4, metadata={"help": "the longest n-grams that count"})
    effective_order: bool = field(
        default=False, metadata={"help": "whether orders longer than all texts are left out; for single short texts"}
    )

    def __post_init__(self) -> None:
        for name, known in (("tokenize", get_args(Tokenizer)), ("smooth_method", get_args(SmoothMethod))):
            if getattr(self, name) not in known:
                raise ValueError(f"bleu: {name} must be one of {', '.join(known)}, not {getattr(self, name)!r}")
        order = self.max_ngram_order
        if isinstance(order, bool) or not isinstance(order, int) or order < 1:
            raise ValueError(f"bleu: max_ngram_order must be a whole number, 1 or more, not {order!r}")
        value, method = self.smooth_value, self.smooth_method
        if value is None:
            return
        if method not in ("floor", "add-k"):
            raise ValueError(f"bleu: smooth_method={method} takes no smooth_value: only floor and add-k do")
        # Above 1 a floor counts more matches than there are n-grams.
        limit, told = (1.0, "from 0 to 1") if method == "floor" else (sys.float_info.max, "0 or more")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= limit:
            raise ValueError(f"bleu: smooth_value must be {told} with smooth_method={method}, not {value!r}")


def _scorer(config: BleuConfig) -> Any:
    try:
        from sacrebleu.metrics.bleu import BLEU
    except ImportError as error:
        raise ImportError("bleu needs sacrebleu: pip install 'codex-ml[metrics]'") from error
    check_tokenizer(config.tokenize)
    # Its warning of text that is tokenised already is for those who don't say so.
    return BLEU(**vars(config), force=config.tokenize == "none")


def _streams(labels: Sequence[Reference]) -> list[Any]:
    """The references as sacreBLEU takes them: the first of each record, the second of each, ..., None for no more."""
    if set(map(type, labels)) == {str}:
        return [labels]
    several = [references(label) for label in labels]
    width = max(map(len, several))
    return [[each[place] if place < len(each) else None for each in several] for place in range(width)]


def _standard_error(
    predictions: Sequence[str],
    labels: Sequence[Reference],
    *,
    sizes: Sequence[int] | None = None,
    seed: int = 0,
    **options: Any,
) -> float | None:
    import numpy as np

    config = BleuConfig(**options)
    predictions, labels = texts("bleu", predictions, labels)
    # Without smoothing, which changes the counts; the scores of single sentences are not looked at.
    counter = _scorer(replace(config, smooth_method="none", smooth_value=None, effective_order=True))
    counted = [counter.sentence_score(text, references(label)) for text, label in zip(predictions, labels, strict=True)]
    table = np.array([[one.sys_len, one.ref_len, *one.counts, *one.totals] for one in counted], dtype=np.float64)

    def scores(sums: ndarray) -> list[float]:
        return [_of_counts(counter, config, row) for row in sums.astype(np.int64).tolist()]

    return of_sums(table, scores, seed=seed)


def _of_counts(scorer: Any, config: BleuConfig, row: list[int]) -> float:
    lengths, matches = row[:2], row[2 : 2 + config.max_ngram_order]
    return scorer.compute_bleu(
        correct=matches,
        total=row[2 + config.max_ngram_order :],
        sys_len=lengths[0],
        ref_len=lengths[1],
        smooth_method=config.smooth_method,
        smooth_value=config.smooth_value,
        effective_order=config.effective_order,
        max_ngram_order=config.max_ngram_order,
    ).score


@component(
    config=BleuConfig,
    input="text",
    greater_is_better=True,
    scale="0-100",
    version=1,
    requires=("sacrebleu",),
    extra="metrics",
)
@has_standard_error(_standard_error)
def bleu(predictions: Sequence[str], labels: Sequence[Reference], **options: Any) -> float:
    """Corpus BLEU, 0 to 100: `sacrebleu.metrics.BLEU(...).corpus_score` (Post 2018, Papineni et al. 2002).

    Texts are plain, not tokenised. Records may have several references, and not all the same number. Of the tokenizers
    `ja-mecab` and `ko-mecab` need sacreBLEU's extras `ja` and `ko`; `flores101`, `flores200` and `spBLEU-1K` need
    sentencepiece and a model file, which is never downloaded.

    Args:
        predictions: One string a record.
        labels: One string, or a list of one or more, a record.
        **options: Those of `BleuConfig`.

    Raises:
        ValueError: The lengths differ, there is nothing to score, a prediction is no string, a label is neither a
            string nor a list of at least one, or an option has no such value.
        ImportError: sacreBLEU, or what the tokenizer needs, is missing.
        FileNotFoundError: The tokenizer's model file is not there.
    """
    config = BleuConfig(**options)
    predictions, labels = texts("bleu", predictions, labels)
    # Rounding takes the score of equal texts to 100.00000000000004.
    return min(float(_scorer(config).corpus_score(predictions, _streams(labels)).score), 100.0)
