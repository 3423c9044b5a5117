from __future__ import annotations

import subprocess
import sys
from array import array

import numpy
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from resampled import brute_force
from sklearn.metrics import f1_score

from codex_ml.metrics.f1 import f1
from codex_ml.testing import MetricTests

CLASSES = st.sampled_from([st.integers(-3, 3), st.sampled_from(["a", "b", "ü", ""]), st.booleans()])
PAIRS = CLASSES.flatmap(lambda each: st.lists(st.tuples(each, each), min_size=1, max_size=40))
TWO = st.sampled_from([(0, 1), (-2, 7), (False, True), ("no", "yes")])


class TestF1(MetricTests):
    name = "f1"
    cases = (
        (["a", "b", "a"], ["a", "b", "b"], 2 / 3),
        ([1, 0, 1], [1, 1, 1], 0.8, {"average": "binary"}),
        (["a", "b", "c"], ["a", "b", "b"], 2 / 3, {"average": "micro"}),
        (["a", "b", "c"], ["a", "b", "b"], 7 / 9, {"average": "weighted"}),
        # One item, a class that no label has, and nothing right.
        (["ü"], ["ü"], 1.0),
        (["new"], ["old"], 0.0),
    )
    bad_inputs = (([], []), ([1], [None]), (["1"], [1]))
    bad_options = ({"average": "mean"}, {"average": None}, {"averag": "macro"})


@given(PAIRS, st.sampled_from(["macro", "micro", "weighted"]))
def test_equals_scikit_learn(pairs, average):
    predictions, labels = map(list, zip(*pairs, strict=True))
    expected = f1_score(labels, predictions, average=average, zero_division=0)
    assert f1(predictions, labels, average=average) == pytest.approx(expected, abs=1e-9)


@given(TWO.flatmap(lambda two: st.lists(st.sampled_from(two), min_size=2).map(lambda rest: (two, rest))))
def test_binary_scores_the_larger_class(drawn):
    (low, high), rest = drawn
    predictions, labels = [low, high, *rest], [high, low, *reversed(rest)]
    expected = f1_score(labels, predictions, pos_label=high, zero_division=0)
    assert f1(predictions, labels, average="binary") == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("labels", [[1, 1], [0, 1, 2]])
def test_binary_needs_two_classes(labels):
    with pytest.raises(ValueError, match=r"exactly two classes, there are [13]"):
        f1(labels, labels, average="binary")


def test_the_default_is_macro_over_all_classes_that_occur():
    # a: 2/3, b: 0, c: 0
    assert f1(["a", "a", "c"], ["a", "b", "b"]) == pytest.approx((2 / 3) / 3)


@pytest.mark.parametrize("kind", [list, tuple, lambda values: array("q", values), numpy.array, torch.tensor])
def test_takes_any_sequence(kind):
    score = f1(kind([1, 2, 2]), kind([1, 2, 1]))
    assert score == pytest.approx(2 / 3)
    assert type(score) is float


@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
def test_strings_beside_numbers_are_classes_of_their_own(average):
    mixed = f1([1, "1", 2, "b"], [1, 1, 2, "b"], average=average)
    renamed = f1(["one", "text", "two", "b"], ["one", "one", "two", "b"], average=average)
    assert mixed == pytest.approx(renamed, abs=1e-9)


def test_scikit_learns_own_default_would_refuse_three_classes():
    with pytest.raises(ValueError, match="Target is multiclass but average='binary'"):
        f1_score([0, 1, 2], [0, 1, 1])
    assert f1([0, 1, 1], [0, 1, 2]) == pytest.approx((1 + 2 / 3) / 3)


@pytest.mark.parametrize(
    ("predictions", "labels", "message"),
    [
        ([["a"]], [["a"]], r"record 1 of 1: the prediction is \['a'\]; labels must be strings"),
        ([1, 2], [1, None], "record 2 of 2: the label is None"),
        ([bytearray(b"a")], [1], "labels must be strings, numbers or booleans"),
        (["a", "b"], [0, 1], "a string never equals a number"),
    ],
)
def test_labels_that_are_no_labels_are_refused(predictions, labels, message):
    with pytest.raises(ValueError, match=message):
        f1(predictions, labels)


def test_an_unknown_average_is_refused():
    with pytest.raises(ValueError, match="macro, micro, weighted, binary"):
        f1([1], [1], average="samples")  # type: ignore[arg-type]


def test_different_lengths_are_named():
    with pytest.raises(ValueError, match="2 predictions but 3 labels"):
        f1([1, 2], [1, 2, 3])


def test_nothing_to_score_is_an_error():
    with pytest.raises(ValueError, match="no predictions"):
        f1([], [])


@pytest.mark.parametrize(
    ("average", "classes"),
    [
        ("macro", range(5)),
        ("micro", range(5)),
        ("weighted", range(5)),
        ("binary", ["no", "yes"]),
        ("macro", ["b", "a"]),
    ],
)
def test_the_standard_error_is_that_of_resampled_records(average, classes):
    draw = numpy.random.default_rng(4)
    shares = 3.0 ** -numpy.arange(len(classes))
    labels = [classes[at] for at in draw.choice(len(classes), 90, p=shares / shares.sum())]
    others = [classes[at] for at in draw.choice(2, 90)]
    predictions = [label if draw.random() < 0.7 else other for label, other in zip(labels, others, strict=True)]

    def score(predicted, true):
        return f1_score(true, predicted, average=average, zero_division=0, pos_label="yes" if classes[0] == "no" else 1)

    error = f1.__codex_standard_error__(predictions, labels, seed=0, average=average)
    assert error == f1.__codex_standard_error__(predictions, labels, seed=0, average=average)
    assert error == pytest.approx(brute_force(score, predictions, labels), rel=0.12)


def test_a_class_that_few_records_have_is_missing_from_many_resamples():
    labels, predictions = ["a"] * 12 + ["b"], ["a"] * 13
    expected = brute_force(lambda p, t: f1_score(t, p, average="macro", zero_division=0), predictions, labels)
    assert f1.__codex_standard_error__(predictions, labels) == pytest.approx(expected, rel=0.12)
    assert f1.__codex_standard_error__(["a"], ["a"]) is None


def test_without_scikit_learn_the_error_names_the_extra():
    code = "import sys; sys.modules['sklearn'] = None\nfrom codex_ml.metrics.f1 import f1\nf1([1], [1])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ImportError: f1 needs scikit-learn: pip install 'codex-ml[metrics]'" in done.stderr


def test_declares_what_it_measures():
    assert f1.__codex_api__ == "v1"
    assert f1.__codex_meta__["input"] == "labels"
    assert f1.__codex_meta__["greater_is_better"] is True
    assert f1.__codex_meta__["version"] == 1
    assert f1.__codex_meta__["requires"] == ("scikit-learn",)
