from __future__ import annotations

import math
from array import array

import numpy
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from resampled import brute_force
from sklearn.metrics import accuracy_score

from codex_ml.metrics.accuracy import accuracy
from codex_ml.testing import MetricTests

CLASSES = st.sampled_from([st.integers(-3, 3), st.sampled_from(["a", "b", "ü", ""]), st.booleans()])
PAIRS = CLASSES.flatmap(lambda each: st.lists(st.tuples(each, each), min_size=1, max_size=40))


class TestAccuracy(MetricTests):
    name = "accuracy"
    cases = (
        (["a", "b"], ["a", "c"], 0.5),
        ([1, 2, 3], [1, 2, 3], 1.0),
        ([True], [False], 0.0),
        ([7, 7], [8, 9], 0.0),
        (["ü"], ["ü"], 1.0),
    )
    bad_inputs = (([], []), (["a"], ["a", "b"]), (["a"], [None]), (["1"], [1]))


@given(PAIRS)
def test_equals_scikit_learn(pairs):
    predictions, labels = map(list, zip(*pairs, strict=True))
    assert accuracy(predictions, labels) == pytest.approx(accuracy_score(labels, predictions), abs=1e-9)


@pytest.mark.parametrize("kind", [list, tuple, lambda values: array("q", values), numpy.array, torch.tensor])
def test_takes_any_sequence(kind):
    score = accuracy(kind([1, 2, 3, 1]), kind([1, 2, 0, 1]))
    assert score == 0.75
    assert type(score) is float


def test_numpy_scalars_and_tensors_in_a_list_are_the_numbers_that_they_hold():
    assert accuracy([numpy.int64(1), torch.tensor(2), numpy.str_("a")], [1, 2, "a"]) == 1.0


def test_a_string_never_equals_a_number():
    assert accuracy(["1", 2, "b"], [1, 2, "b"]) == pytest.approx(2 / 3)


def test_only_strings_beside_only_numbers_are_refused():
    with pytest.raises(ValueError, match=r"the first prediction is '1' \(str\), the first label 1 \(int\)"):
        accuracy(["1", "2"], [1, 2])


def test_different_lengths_are_named():
    with pytest.raises(ValueError, match="2 predictions but 3 labels"):
        accuracy([1, 2], [1, 2, 3])


@pytest.mark.parametrize("empty", [[], (), array("q"), numpy.array([])])
def test_nothing_to_score_is_an_error(empty):
    with pytest.raises(ValueError, match="no predictions"):
        accuracy(empty, empty)


@pytest.mark.parametrize(
    ("predictions", "labels", "message"),
    [
        ([1, 2, 3], [1, None, 3], "record 2 of 3: the label is None"),
        ([1, None], [1, 2], "record 2 of 2: the prediction is None"),
        ([[1], [2]], [1, 2], r"record 1 of 2: the prediction is \[1\]; labels must be"),
        (numpy.zeros((2, 3)), [1, 2], r"record 1 of 2: the prediction is \[0.0, 0.0, 0.0\]"),
        ([1.0, math.nan], [1.0, 2.0], "record 2 of 2: the prediction is NaN"),
        ("ab", ["a", "b"], "predictions must be a list, not a str"),
        (["a"], {"a": 1}, "labels must be a list, not a dict"),
        (iter([1]), [1], "predictions must be a list, not a list_iterator"),
        ([1], None, "labels must be a list, not a NoneType"),
        (numpy.int64(3), [1], "predictions must be a list, not a int64"),
    ],
)
def test_what_is_no_label_is_refused_with_its_record(predictions, labels, message):
    with pytest.raises(ValueError, match=f"accuracy: {message}"):
        accuracy(predictions, labels)


def test_the_standard_error_is_the_binomial_one():
    labels = [1] * 400
    predictions = [1] * 300 + [0] * 100
    error = accuracy.__codex_standard_error__(predictions, labels)
    assert error == pytest.approx(math.sqrt(0.75 * 0.25 / 400), rel=0.1)
    assert error == pytest.approx(brute_force(accuracy, predictions, labels), rel=0.12)
    assert accuracy.__codex_standard_error__([1], [1]) is None


def test_declares_what_it_measures():
    assert accuracy.__codex_api__ == "v1"
    assert accuracy.__codex_meta__ == {"input": "labels", "greater_is_better": True, "scale": "0-1", "version": 1}
