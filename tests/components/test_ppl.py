from __future__ import annotations

import math
from array import array

import numpy
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from resampled import brute_force

from codex_ml.metrics.ppl import ppl
from codex_ml.testing import MetricTests

LOGPROBS = st.floats(-60, 0)
LABELS = st.sampled_from([-100, 0, 1, 2])
RECORDS = st.lists(st.lists(st.tuples(LOGPROBS, LABELS), max_size=6), min_size=1, max_size=8)


class TestPpl(MetricTests):
    name = "ppl"
    cases = (
        ([-math.log(2), -math.log(2)], [3, 4], 2.0),
        ([-1.0, -2.0, -3.0], [1, 2, 3], math.exp(2)),
        ([0.0], [9], 1.0),
        ([-1.0, -50.0, -3.0], [1, -100, 3], math.exp(2)),
        ([[-1.0, -1.0, -1.0], [-5.0]], [[1, 2, 3], [4]], math.exp(2)),
        ([-math.inf, -1.0], [1, 2], math.inf),
    )
    bad_inputs = (([], []), ([-1.0], [-100]), ([0.5], [1]), ([math.nan], [1]), ([[-1.0]], [[1, 2]]))


@given(RECORDS)
def test_equals_the_exponential_of_the_mean_loss_of_the_labels_that_are_not_ignored(records):
    scored = [value for pairs in records for value, label in pairs if label != -100]
    nested = [[[pair[side] for pair in pairs] for pairs in records] for side in (0, 1)]
    flat = [[pair[side] for pairs in records for pair in pairs] for side in (0, 1)]
    if scored:
        expected = math.exp(-math.fsum(scored) / len(scored))
        assert ppl(*flat) == pytest.approx(expected, rel=1e-9)
        assert ppl(*nested) == pytest.approx(expected, rel=1e-9)
        assert ppl(array("d", flat[0]), array("q", flat[1])) == pytest.approx(expected, rel=1e-9)
    elif flat[0]:
        with pytest.raises(ValueError, match="no label to score, as all are -100"):
            ppl(*flat)


def test_equals_the_exponential_of_torchs_cross_entropy():
    torch.manual_seed(0)
    logits, labels = torch.randn(4, 7, 11, dtype=torch.float64), torch.randint(0, 11, (4, 7))
    labels[1, 3:] = -100
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
    picked = logits.log_softmax(-1).gather(-1, labels.clamp(min=0)[..., None])[..., 0]
    assert ppl(picked, labels) == pytest.approx(loss.exp().item(), rel=1e-9)
    assert ppl(picked.flatten().numpy(), labels.flatten().tolist()) == pytest.approx(loss.exp().item(), rel=1e-9)


def test_is_no_mean_of_the_records_perplexities_or_of_their_losses():
    predictions, labels = [[-1.0] * 9, [-4.0]], [[1] * 9, [1]]
    assert ppl(predictions, labels) == pytest.approx(math.exp(1.3))
    assert ppl(predictions, labels) != pytest.approx((math.exp(1) + math.exp(4)) / 2)
    assert ppl(predictions, labels) != pytest.approx(math.exp((1 + 4) / 2))


def test_what_no_float_can_hold_is_infinite():
    assert ppl([-709.0], [1]) == pytest.approx(math.exp(709))
    assert ppl([-800.0], [1]) == math.inf
    assert ppl([-800.0, -1e308, -1e308, -1e308], [1] * 4) == math.inf
    assert ppl([[-1e308], [-1e308], [-1.0]], [[1], [2], [3]]) == math.inf


def test_single_precision_may_round_a_certain_token_above_zero():
    assert ppl([1e-7, 0.0], [1, 2]) == 1.0


@pytest.mark.parametrize("ignored", [0.5, math.nan, 0.0])
def test_anything_may_stand_where_the_label_is_ignored(ignored):
    assert ppl([ignored, -1.0], [-100, 1]) == pytest.approx(math.e)


@pytest.mark.parametrize(
    ("predictions", "labels", "message"),
    [
        ([-1.0, 0.5], [1, 2], "position 2 of 2: the prediction 0.5 is above 0; give the natural logarithm"),
        ([[-1.0], [0.0, 3.25]], [[1], [2, 3]], "record 2 of 2, position 2 of 2: the prediction 3.25 is above 0"),
        ([math.inf], [1], "position 1 of 1: the prediction inf is above 0"),
        ([-1.0, math.nan], [1, 2], "position 2 of 2: the prediction nan is NaN"),
        (["a"], [1], "position 1 of 1: the prediction 'a' is no number"),
        ([None], [1], "position 1 of 1: the prediction None is no number"),
        ([-1.0], [0.5], r"position 1 of 1: labels are token ids, which are whole numbers, not 0.5"),
        ([-1.0], [1, 2], "1 predictions but 2 labels"),
        ([[-1.0]], [1], "only the predictions are one list a record"),
        (numpy.zeros((1, 2, 9)), [[1, 2]], "record 1 of 1: predictions hold lists"),
    ],
)
def test_what_does_not_fit_is_named(predictions, labels, message):
    with pytest.raises(ValueError, match=f"ppl: {message}"):
        ppl(predictions, labels)


def test_the_standard_error_is_that_of_resampled_records():
    draw = numpy.random.default_rng(1)
    sizes = draw.integers(0, 20, 80).tolist()
    predictions = [(-draw.exponential(1.5, size)).tolist() for size in sizes]
    labels = [draw.choice([-100, 1, 2], size).tolist() for size in sizes]
    flat = [[value for each in side for value in each] for side in (predictions, labels)]
    error = ppl.__codex_standard_error__(*flat, sizes=sizes, seed=2)
    assert error == pytest.approx(brute_force(ppl, predictions, labels), rel=0.12)
    assert error == ppl.__codex_standard_error__(predictions, labels, seed=2)


def test_the_standard_error_is_near_the_delta_methods():
    draw = numpy.random.default_rng(6)
    losses = draw.exponential(2.0, 5000)
    expected = math.exp(losses.mean()) * losses.std() / math.sqrt(5000)
    error = ppl.__codex_standard_error__((-losses).tolist(), [1] * 5000, sizes=[1] * 5000)
    assert error == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize(
    ("predictions", "sizes"),
    [([-1.0, -2.0], None), ([-1.0, -2.0], [2]), ([-1.0, -math.inf], [1, 1]), ([-900.0, -901.0], [1, 1])],
)
def test_what_cannot_be_told_is_none(predictions, sizes):
    assert ppl.__codex_standard_error__(predictions, [1, 1], sizes=sizes) is None
