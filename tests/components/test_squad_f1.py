from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from resampled import brute_force
from test_exact_match import PAIRS, TEXTS, normalize_answer, squad_evaluation

from codex_ml.metrics.squad_f1 import squad_f1
from codex_ml.testing import MetricTests

SENTENCES = st.lists(st.sampled_from(["the", "cat", "Cat", "sat", "sat,", "an", "naïve", "猫"]), max_size=9).map(
    " ".join
)


def compute_f1(gold: str, prediction: str) -> float:
    """As evaluate-v2.0.py has it."""
    gold_tokens, prediction_tokens = normalize_answer(gold).split(), normalize_answer(prediction).split()
    common = Counter(gold_tokens) & Counter(prediction_tokens)
    num_same = sum(common.values())
    if len(gold_tokens) == 0 or len(prediction_tokens) == 0:
        return int(gold_tokens == prediction_tokens)
    if num_same == 0:
        return 0
    precision = 1.0 * num_same / len(prediction_tokens)
    recall = 1.0 * num_same / len(gold_tokens)
    return (2 * precision * recall) / (precision + recall)


def f1_score(prediction: str, ground_truth: str) -> float:
    """As evaluate-v1.1.py has it."""
    prediction_tokens = normalize_answer(prediction).split()
    ground_truth_tokens = normalize_answer(ground_truth).split()
    common = Counter(prediction_tokens) & Counter(ground_truth_tokens)
    num_same = sum(common.values())
    if num_same == 0:
        return 0
    precision = 1.0 * num_same / len(prediction_tokens)
    recall = 1.0 * num_same / len(ground_truth_tokens)
    return (2 * precision * recall) / (precision + recall)


class TestSquadF1(MetricTests):
    name = "squad_f1"
    cases = (
        (["the cat sat"], ["A cat sat."], 1.0),
        (["cat sat"], ["cat"], 2 / 3),
        (["cat cat"], ["cat"], 2 / 3),
        (["dog"], ["cat"], 0.0),
        (["cat sat"], [["dog", "a cat", "cat sat down"]], 0.8),
        # Without an answer: both have no word, one alone has none.
        ([""], [""], 1.0),
        (["cat", ""], ["", "cat"], 0.0),
        (["", "x"], ["the", ["a", "..."]], 0.5),
        (["猫 naïve"], ["猫"], 2 / 3),
    )
    bad_inputs = (([], []), (["a"], [None]), ([1], ["a"]), (["a"], [[]]), (["a"], [[1]]))


@given(PAIRS)
def test_equals_squads_evaluation(pairs):
    predictions, labels = map(list, zip(*pairs, strict=True))
    expected = squad_evaluation(predictions, labels, compute_f1)
    assert squad_f1(predictions, labels) == pytest.approx(expected, abs=1e-9)


@given(SENTENCES, st.lists(SENTENCES, min_size=1, max_size=3))
def test_equals_the_first_evaluation_too_where_there_is_an_answer(prediction, golds):
    if all(map(normalize_answer, [prediction, *golds])):
        expected = max(f1_score(prediction, gold) for gold in golds)
        assert squad_f1([prediction], [golds]) == pytest.approx(expected, abs=1e-9)


@given(st.text(), st.text())
def test_equals_squads_evaluation_on_any_text(prediction, label):
    expected = squad_evaluation([prediction], [label], compute_f1)
    assert squad_f1([prediction], [label]) == pytest.approx(expected, abs=1e-9)


@given(TEXTS, st.lists(TEXTS, min_size=1, max_size=4))
def test_the_order_of_the_references_does_not_matter(prediction, golds):
    assert squad_f1([prediction], [golds]) == squad_f1([prediction], [golds[::-1]])


def test_a_reference_without_a_word_counts_only_where_all_are_so():
    assert squad_f1([""], [["the", "cat"]]) == 0.0
    assert squad_f1([""], [["the", "..."]]) == 1.0


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match="squad_f1: record 2 of 2: the list of references is empty"):
        squad_f1(["a", "b"], ["a", []])
    with pytest.raises(ValueError, match="squad_f1: 1 predictions but 2 labels"):
        squad_f1(["a"], ["a", "b"])


def test_the_standard_error_is_that_of_resampled_records():
    predictions = ["the cat", "a cat sat", "dog", "", "cat", "big dog"] * 7
    labels = ["cat", ["cat", "dog"], "cat", "", "cat sat", "dog"] * 7
    error = squad_f1.__codex_standard_error__(predictions, labels, seed=4)
    assert error == squad_f1.__codex_standard_error__(predictions, labels, seed=4)
    assert error == pytest.approx(brute_force(squad_f1, predictions, labels), rel=0.12)
    assert squad_f1.__codex_standard_error__(["a"], ["a"]) is None
