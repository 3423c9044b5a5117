from __future__ import annotations

import math
import re
import string
from collections.abc import Callable

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from resampled import brute_force

from codex_ml.metrics.exact_match import exact_match
from codex_ml.testing import MetricTests

WORDS = st.sampled_from(["the", "The", "a", "an", "cat", "Cat", "cat.", "  ", "naïve", "猫", "U.S.", "the-cat", ""])
TEXTS = st.lists(WORDS, max_size=3).map(" ".join)
PAIRS = st.lists(st.tuples(TEXTS, st.one_of(TEXTS, st.lists(TEXTS, min_size=1, max_size=3))), min_size=1, max_size=12)


def normalize_answer(text: str) -> str:
    """As evaluate-v1.1.py and evaluate-v2.0.py have it, step by step."""

    def white_space_fix(text: str) -> str:
        return " ".join(text.split())

    def remove_articles(text: str) -> str:
        return re.sub(r"\b(a|an|the)\b", " ", text)

    def remove_punc(text: str) -> str:
        exclude = set(string.punctuation)
        return "".join(ch for ch in text if ch not in exclude)

    return white_space_fix(remove_articles(remove_punc(text.lower())))


def squad_evaluation(predictions, labels, score: Callable[[str, str], float]) -> float:
    """The mean of a score of evaluate-v2.0.py: the best gold of each question, "" where no gold has a word."""
    total = 0.0
    for prediction, label in zip(predictions, labels, strict=True):
        answers = [label] if isinstance(label, str) else label
        gold_answers = [answer for answer in answers if normalize_answer(answer)]
        if not gold_answers:
            gold_answers = [""]
        total += max(score(gold, prediction) for gold in gold_answers)
    return total / len(predictions)


def compute_exact(gold: str, prediction: str) -> int:
    return int(normalize_answer(gold) == normalize_answer(prediction))


class TestExactMatch(MetricTests):
    name = "exact_match"
    cases = (
        (["a", "b"], ["a", "c"], 0.5),
        (["The cat."], ["the cat"], 0.0),
        (["The cat."], ["the cat"], 1.0, {"normalize": "squad"}),
        (["cat", "dog"], [["a cat", "cat"], "cat"], 0.5),
        ([""], [""], 1.0),
        (["猫", "é"], ["猫", "e\u0301"], 0.5),
    )
    bad_inputs = (([], []), (["a"], [None]), ([1], ["a"]), (["a"], [[]]), (["a"], [[1]]))
    bad_options = ({"normalize": "all"}, {"normalize": None}, {"normalise": "squad"})


@given(PAIRS)
def test_raw_equals_a_comparison_of_each_pair(pairs):
    predictions, labels = map(list, zip(*pairs, strict=True))
    expected = sum(text == label if isinstance(label, str) else text in label for text, label in pairs) / len(pairs)
    assert exact_match(predictions, labels) == pytest.approx(expected, abs=1e-9)


@given(PAIRS)
def test_normalised_equals_squads_evaluation(pairs):
    predictions, labels = map(list, zip(*pairs, strict=True))
    expected = squad_evaluation(predictions, labels, compute_exact)
    assert exact_match(predictions, labels, normalize="squad") == pytest.approx(expected, abs=1e-9)


@given(st.text(), st.text())
def test_normalised_equals_squads_evaluation_on_any_text(prediction, label):
    expected = squad_evaluation([prediction], [label], compute_exact)
    assert exact_match([prediction], [label], normalize="squad") == expected


@pytest.mark.parametrize("kind", [list, tuple, numpy.array, lambda values: numpy.array(values, dtype=object)])
def test_takes_any_sequence_of_texts(kind):
    assert exact_match(kind(["a", "b"]), kind(["a", "c"])) == 0.5


def test_references_may_stand_in_any_sequence():
    assert exact_match(["a", "b"], numpy.array([["x", "a"], ["y", "z"]])) == 0.5
    assert exact_match(["a", "b"], (("x", "a"), numpy.array(["b"]))) == 1.0


@pytest.mark.parametrize(
    ("predictions", "labels", "message"),
    [
        (["a"], ["a", "b"], "1 predictions but 2 labels"),
        ([], [], "no predictions and no labels to score"),
        (["a", 3], ["a", "b"], r"record 2 of 2: the prediction is 3 \(int\), not a string"),
        (["a", None], ["a", "b"], r"record 2 of 2: the prediction is None \(NoneType\), not a string"),
        ([["a"]], ["a"], r"record 1 of 1: the prediction is \['a'\] \(list\), not a string"),
        (["a", "b"], ["a", None], r"record 2 of 2: the label is None \(NoneType\), not a string or a list of strings"),
        (
            ["a", "b"],
            [["a"], []],
            'record 2 of 2: the list of references is empty: give "" where the right text is none',
        ),
        (["a"], [["a", None]], r"record 1 of 1: a reference is None \(NoneType\), not a string"),
        (["a"], [[["a"]]], r"record 1 of 1: a reference is \['a'\] \(list\), not a string"),
        (["a"], [b"a"], "record 1 of 1: the label is b'a'"),
        (["a"], [7], "record 1 of 1: the label is 7"),
        ("ab", ["a", "b"], "predictions must be a list, not a str"),
        (["a", "b"], "ab", "labels must be a list, not a str"),
    ],
)
def test_what_does_not_fit_is_named(predictions, labels, message):
    with pytest.raises(ValueError, match=f"exact_match: {message}"):
        exact_match(predictions, labels)


def test_references_laid_out_as_sacrebleu_takes_them_are_told_from_ours():
    with pytest.raises(ValueError, match=r"3 predictions but 1 labels; .* as sacreBLEU's do: transpose them"):
        exact_match(["a", "b", "c"], [["a", "b", "c"]])


def test_an_unknown_normalisation_is_refused():
    with pytest.raises(ValueError, match="exact_match: normalize must be one of none, squad, not 'lower'"):
        exact_match(["a"], ["a"], normalize="lower")  # type: ignore[arg-type]


@pytest.mark.parametrize("normalize", ["none", "squad"])
def test_the_standard_error_is_the_binomial_one(normalize):
    predictions, labels = ["a cat"] * 300, ["a cat"] * 240 + [["dog", "bird"]] * 60
    error = exact_match.__codex_standard_error__(predictions, labels, normalize=normalize)
    assert error == pytest.approx(math.sqrt(0.8 * 0.2 / 300), rel=0.1)
    assert error == pytest.approx(brute_force(exact_match, predictions, labels), rel=0.12)
    assert exact_match.__codex_standard_error__(["a"], ["a"], normalize=normalize) is None
