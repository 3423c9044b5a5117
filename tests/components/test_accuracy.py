from __future__ import annotations

from array import array

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score

from codex_ml.metrics.accuracy import accuracy

CLASSES = st.sampled_from([st.integers(-3, 3), st.sampled_from(["a", "b", "ü", ""]), st.booleans()])
PAIRS = CLASSES.flatmap(lambda each: st.lists(st.tuples(each, each), min_size=1, max_size=40))


@given(PAIRS)
def test_equals_scikit_learn(pairs):
    predictions, labels = map(list, zip(*pairs, strict=True))
    assert accuracy(predictions, labels) == pytest.approx(accuracy_score(labels, predictions), abs=1e-9)


@pytest.mark.parametrize("kind", [list, tuple, lambda values: array("q", values), numpy.array])
def test_takes_any_sequence(kind):
    score = accuracy(kind([1, 2, 3, 1]), kind([1, 2, 0, 1]))
    assert score == 0.75
    assert type(score) is float


def test_a_string_never_equals_a_number():
    assert accuracy(["1", 2, "b"], [1, 2, "b"]) == pytest.approx(2 / 3)


def test_different_lengths_are_named():
    with pytest.raises(ValueError, match="2 predictions but 3 labels"):
        accuracy([1, 2], [1, 2, 3])


@pytest.mark.parametrize("empty", [[], (), array("q"), numpy.array([])])
def test_nothing_to_score_is_an_error(empty):
    with pytest.raises(ValueError, match="no predictions"):
        accuracy(empty, empty)


def test_declares_what_it_measures():
    assert accuracy.__codex_api__ == "v1"
    assert accuracy.__codex_meta__ == {"input": "labels", "greater_is_better": True, "scale": "0-1"}
