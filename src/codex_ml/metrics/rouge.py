"""ROUGE: the words that summaries share with their references, as rouge-score counts them."""

from __future__ import annotations

import logging
import re
from array import array
from collections.abc import Sequence
from math import fsum
from typing import Any, Literal, get_args

from codex_addons.component import component
from codex_ml.metrics.bootstrap import has_standard_error, of_mean
from codex_ml.metrics.texts import Reference, references, texts
from codex_ml.metrics.unicode_words import unicode_words

__all__ = ["rouge"]

log = logging.getLogger(__name__)

Variant = Literal["rouge1", "rouge2", "rougeL", "rougeLsum"]
Tokenizer = Literal["default", "unicode"]

_KEPT = re.compile("[a-z0-9]")


class _UnicodeTokenizer:
    """Words of any script, for rouge-score; English ones are stemmed as its own are."""

    def __init__(self, use_stemmer: bool) -> None:
        from nltk.stem.porter import PorterStemmer

        self._stemmer = PorterStemmer() if use_stemmer else None

    def tokenize(self, text: str) -> list[str]:
        words = unicode_words(text)
        if self._stemmer is None:
            return words
        return [self._stemmer.stem(word) if len(word) > 3 and word.isascii() else word for word in words]


def _scores(
    predictions: Sequence[str], labels: Sequence[Reference], variant: str, use_stemmer: bool, tokenizer: str
) -> array[float]:
    """The F-measure of each record."""
    for name, value, known in (
        ("variant", variant, get_args(Variant)),
        ("tokenizer", tokenizer, get_args(Tokenizer)),
    ):
        if value not in known:
            raise ValueError(f"rouge: {name} must be one of {', '.join(known)}, not {value!r}")
    try:
        from rouge_score.rouge_scorer import RougeScorer
        from rouge_score.tokenizers import DefaultTokenizer
    except ImportError as error:
        raise ImportError("rouge needs rouge-score: pip install 'codex-ml[metrics]'") from error
    # Its own is named too, as the scorer logs a line when it has to choose.
    words = _UnicodeTokenizer(use_stemmer) if tokenizer == "unicode" else DefaultTokenizer(use_stemmer)
    score = RougeScorer([variant], use_stemmer=use_stemmer, tokenizer=words).score

    def best(text: str, label: Reference) -> float:
        if isinstance(label, str):
            return float(score(label, text)[variant].fmeasure)
        return max([float(score(each, text)[variant].fmeasure) for each in label])

    return array("d", map(best, predictions, labels))


def _standard_error(
    predictions: Sequence[str],
    labels: Sequence[Reference],
    *,
    sizes: Sequence[int] | None = None,
    seed: int = 0,
    variant: Variant = "rougeL",
    use_stemmer: bool = False,
    tokenizer: Tokenizer = "default",
) -> float | None:
    predictions, labels = texts("rouge", predictions, labels)
    return of_mean(_scores(predictions, labels, variant, use_stemmer, tokenizer), seed=seed)


@component(input="text", greater_is_better=True, scale="0-1", version=1, requires=("rouge-score",), extra="metrics")
@has_standard_error(_standard_error)
def rouge(
    predictions: Sequence[str],
    labels: Sequence[Reference],
    *,
    variant: Variant = "rougeL",
    use_stemmer: bool = False,
    tokenizer: Tokenizer = "default",
) -> float:
    """The mean ROUGE F-measure over the records, 0 to 1, by `rouge_score.rouge_scorer.RougeScorer` (Lin 2004).

    The mean is the plain one, not that of rouge-score's aggregator, which draws at random. Of several references the
    best one of each record counts, as in `RougeScorer.score_multi`.

    Args:
        predictions: One string a record.
        labels: One string, or a list of one or more, a record.
        variant: `rouge1` and `rouge2` count words and pairs of words, `rougeL` the longest common subsequence,
            `rougeLsum` that of each line, so that each sentence of a summary should stand on a line of its own.
        use_stemmer: Whether Porter's stemmer cuts the endings of English words first.
        tokenizer: What is a word: with `default` rouge-score's runs of a to z and 0 to 9 alone, with `unicode` the
            words of every script, or its characters where words are written without spaces. With `default` texts in
            other scripts score 0, and a warning says so.

    Raises:
        ValueError: The lengths differ, there is nothing to score, a prediction is no string, a label is neither a
            string nor a list of at least one, or an option has no such value.
        ImportError: rouge-score is missing.
    """
    predictions, labels = texts("rouge", predictions, labels)
    scores = _scores(predictions, labels, variant, use_stemmer, tokenizer)
    if tokenizer == "default":
        _warn_of_lost_words(predictions, labels, scores)
    return fsum(scores) / len(scores)


def _warn_of_lost_words(predictions: Sequence[str], labels: Sequence[Reference], scores: Sequence[float]) -> None:
    found = zip(predictions, labels, scores, strict=True)
    # A text that lost all its words can have no other score.
    lost = sum(any(map(_loses_all, (text, *references(label)))) for text, label, score in found if not score)
    if lost:
        log.warning(
            "rouge: in %d of %d records a text has letters and none of a to z or 0 to 9, which are all that "
            "tokenizer=default keeps, so that they score 0: tokenizer=unicode serves every script",
            lost,
            len(scores),
        )


def _loses_all(text: Any) -> bool:
    return not _KEPT.search(text.lower()) and any(map(str.isalpha, text))
