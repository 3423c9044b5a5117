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

from codex_ml.metrics.token_accuracy import token_accuracy
from codex_ml.testing import MetricTests

IDS = st.integers(0, 4)
LABELS = st.sampled_from([-100, 0, 1, 2, 3, 4])
# The second is the prediction that stands where the label is ignored, as padding is by transformers.
RECORDS = st.lists(st.lists(st.tuples(IDS, LABELS), max_size=8), min_size=1, max_size=10)


class TestTokenAccuracy(MetricTests):
    name = "token_accuracy"
    cases = (
        ([1, 2, 3], [1, 2, 4], 2 / 3),
        ([5], [5], 1.0),
        ([7, 7], [8, 9], 0.0),
        ([1, 2, 3, -100], [1, 0, -100, -100], 0.5),
        ([[1, 2], [3]], [[1, 0], [3]], 2 / 3),
        ([[1, 2], []], [[1, 2], []], 1.0),
    )
    bad_inputs = (([], []), ([1], [-100]), ([[]], [[]]), (["a"], ["a"]), ([1.0], [1]), ([[1, 2]], [[1]]))


@given(RECORDS)
def test_equals_scikit_learn_on_the_labels_that_are_not_ignored(records):
    pairs = [pair for pairs in records for pair in pairs if pair[1] != -100]
    nested = [[[pair[side] for pair in pairs] for pairs in records] for side in (0, 1)]
    flat = [[pair[side] for pairs in records for pair in pairs] for side in (0, 1)]
    if pairs:
        predictions, labels = zip(*pairs, strict=True)
        expected = accuracy_score(labels, predictions)
        assert token_accuracy(*flat) == pytest.approx(expected, abs=1e-9)
        assert token_accuracy(*nested) == pytest.approx(expected, abs=1e-9)
        assert token_accuracy(*(array("q", side) for side in flat)) == pytest.approx(expected, abs=1e-9)
    elif flat[0]:
        with pytest.raises(ValueError, match="no label to score, as all are -100"):
            token_accuracy(*flat)


@pytest.mark.parametrize("kind", [list, tuple, numpy.array, torch.tensor])
@pytest.mark.parametrize("other", [list, numpy.array, torch.tensor])
def test_takes_lists_arrays_and_tensors_nested_or_flat(kind, other):
    score = token_accuracy(kind([[1, 2, 3], [4, 5, 6]]), other([[1, 2, 0], [4, -100, -100]]))
    assert score == 0.75
    assert type(score) is float
    assert token_accuracy(kind([1, 2, 3]), other([1, 2, -100])) == 1.0


def test_takes_batches_of_different_widths():
    predictions = [torch.tensor([1, 2]), array("q", [3]), numpy.array([4, 4, 4])]
    assert token_accuracy(predictions, [[1, 0], [3], [4, 4, -100]]) == 0.8
    assert token_accuracy([torch.tensor(1), numpy.int64(2)], [1, 2]) == 1.0


def test_tokens_count_alike_whatever_record_they_are_in():
    assert token_accuracy([[1], [1, 1, 1]], [[0], [1, 1, 1]]) == 0.75


def test_a_prediction_padded_with_the_ignored_label_is_no_hit():
    assert token_accuracy([-100, 1], [-100, 1]) == 1.0
    assert token_accuracy([-100, 1], [2, 1]) == 0.5


@pytest.mark.parametrize(
    ("predictions", "labels", "message"),
    [
        ([1, 2], [1], "2 predictions but 1 labels"),
        ([[1], [2, 3]], [[1], [2]], "record 2 of 2: 2 predictions but 1 labels"),
        ([[1], [2]], [1, 2], "only the predictions are one list a record"),
        ([1, 2], [[1], [2]], "only the labels are one list a record"),
        ([[1], 2], [[1], [2]], "record 2 of 2: predictions are one list a record in part"),
        ([1, "2"], [1, 2], r"position 2 of 2: predictions are token ids, which are whole numbers, not '2' \(str\)"),
        ([[1], [0.5]], [[1], [2]], r"record 2 of 2, position 1 of 1: predictions are token ids.* not 0.5 \(float\)"),
        ([1, 2], [1, None], r"position 2 of 2: labels are token ids.* not None \(NoneType\)"),
        ([True], [1], r"position 1 of 1: .*, not True \(bool\)"),
        (array("d", [1.0]), [1], r"position 1 of 1: .*, not 1.0 \(float\)"),
        ([[[1, 2]]], [[[1, 2]]], "record 1 of 1: predictions hold lists; give one value a position"),
        (numpy.zeros((2, 3, 5)), numpy.zeros((2, 3), dtype=int), "record 1 of 2: predictions hold lists"),
        ([[1], "b"], [[1], [2]], "record 2 of 2: predictions are one list a record in part"),
        ("12", [1, 2], "predictions must be a list, not a str"),
    ],
)
def test_what_does_not_fit_is_named(predictions, labels, message):
    with pytest.raises(ValueError, match=f"token_accuracy: {message}"):
        token_accuracy(predictions, labels)


def test_the_standard_error_resamples_records_not_tokens():
    draw = numpy.random.default_rng(3)
    # All tokens of a record are right or none is, so that the tokens tell no more than the records.
    sizes = [10] * 60
    right = draw.random(60) < 0.6
    predictions = [int(each) for each in right for _ in range(10)]
    error = token_accuracy.__codex_standard_error__(predictions, [1] * 600, sizes=sizes)
    share = right.mean()
    assert error == pytest.approx(math.sqrt(share * (1 - share) / 60), rel=0.1)


def test_the_standard_error_is_that_of_resampled_records():
    draw = numpy.random.default_rng(8)
    sizes = draw.integers(0, 12, 70).tolist()
    predictions = [draw.integers(0, 3, size).tolist() for size in sizes]
    labels = [draw.choice([-100, 0, 1, 2], size).tolist() for size in sizes]
    flat = [[value for each in side for value in each] for side in (predictions, labels)]
    error = token_accuracy.__codex_standard_error__(*flat, sizes=sizes, seed=5)
    assert error == pytest.approx(brute_force(token_accuracy, predictions, labels), rel=0.12)
    assert error == token_accuracy.__codex_standard_error__(predictions, labels, seed=5)
    assert error == token_accuracy.__codex_standard_error__(
        array("q", flat[0]), array("q", flat[1]), sizes=sizes, seed=5
    )


def test_without_sizes_flat_tokens_have_no_standard_error():
    assert token_accuracy.__codex_standard_error__([1, 2, 3], [1, 2, 2]) is None
    assert token_accuracy.__codex_standard_error__([1, 2, 3], [1, 2, 2], sizes=[3]) is None
    with pytest.raises(ValueError, match="3 labels, and sizes of 4 in all"):
        token_accuracy.__codex_standard_error__([1, 2, 3], [1, 2, 2], sizes=[2, 2])
