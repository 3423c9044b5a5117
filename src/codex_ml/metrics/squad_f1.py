"""SQuAD's F1: how far the words of an answer are those of the right one; for class labels there is `f1`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import fsum

from codex_addons.component import component
from codex_ml.metrics.bootstrap import has_standard_error, of_mean
from codex_ml.metrics.squad import golds, normalised
from codex_ml.metrics.texts import Reference, references, texts

__all__ = ["squad_f1"]


def _scores(predictions: Sequence[str], labels: Sequence[Reference]) -> Iterator[float]:
    for text, label in zip(*texts("squad_f1", predictions, labels), strict=True):
        yield _best(normalised(text), golds(references(label)))


def _best(answer: str, answers: Sequence[str]) -> float:
    return max([_overlap(answer, gold) for gold in answers])


def _overlap(answer: str, gold: str) -> float:
    if answer == gold:
        return 1.0
    words, wanted = answer.split(), gold.split()
    left: dict[str, int] = {}
    for word in wanted:
        left[word] = left.get(word, 0) + 1
    common = 0
    for word in words:
        if left.get(word):
            left[word] -= 1
            common += 1
    return 2 * common / (len(words) + len(wanted))


def _standard_error(
    predictions: Sequence[str], labels: Sequence[Reference], *, sizes: Sequence[int] | None = None, seed: int = 0
) -> float | None:
    return of_mean(list(_scores(predictions, labels)), seed=seed)


@component(input="text", greater_is_better=True, scale="0-1", version=1)
@has_standard_error(_standard_error)
def squad_f1(predictions: Sequence[str], labels: Sequence[Reference]) -> float:
    """The mean F1 of the words that answer and reference share, 0 to 1; the best reference of each record counts.

    Words are what is left without case, ASCII punctuation and English articles, as in SQuAD's evaluation
    (evaluate-v1.1.py, where it is in percent). Where an answer or a reference has no word the score is 1 if neither has
    one, else 0, and references without a word are left out where others have some (evaluate-v2.0.py).

    Args:
        predictions: One string a record; "" for no answer.
        labels: One string, or a list of one or more, a record; "" where there is no answer.

    Raises:
        ValueError: The lengths differ, there is nothing to score, a prediction is no string, or a label is neither a
            string nor a list of at least one.
    """
    return fsum(_scores(predictions, labels)) / len(labels)
