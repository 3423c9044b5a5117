"""The bootstrap that the metrics share, against its definition and against formulas."""

from __future__ import annotations

import inspect
import math
import subprocess
import sys
import time
import tracemalloc

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from resampled import brute_force

from codex_ml.metrics.bootstrap import RESAMPLES, has_standard_error, of_mean, of_ratio, of_sums, spread, weights


@pytest.mark.parametrize(("share", "count"), [(0.5, 100), (0.9, 2000), (0.02, 500), (0.7, 100_000)])
def test_the_error_of_a_share_is_that_of_the_binomial_distribution(share, count):
    right = round(share * count)
    error = of_mean([True] * right + [False] * (count - right), seed=0)
    assert error == pytest.approx(math.sqrt(share * (1 - share) / count), rel=0.1)


@pytest.mark.parametrize("count", [3, 50, 5000])
def test_the_error_of_a_mean_is_the_deviation_over_the_root_of_the_number(count):
    values = numpy.random.default_rng(5).exponential(size=count)
    assert of_mean(values.tolist(), seed=3) == pytest.approx(values.std() / math.sqrt(count), rel=0.1)


def test_equals_brute_force_where_many_values_occur_twice():
    values = [0.1, 0.5, 0.5, 0.7, 0.7, 0.7, 2.0]
    expected = brute_force(lambda drawn, _: sum(drawn) / len(drawn), values, values)
    assert of_mean(values, seed=0) == pytest.approx(expected, rel=0.12)


def test_the_error_of_a_ratio_weighs_the_records_by_their_counts():
    draw = numpy.random.default_rng(2)
    counts = draw.integers(1, 50, 80).tolist()
    pairs = [(float(draw.binomial(count, 0.3)), count) for count in counts]
    expected = brute_force(lambda drawn, _: sum(a for a, _ in drawn) / sum(n for _, n in drawn), pairs, pairs)
    assert of_ratio(pairs, seed=0) == pytest.approx(expected, rel=0.12)


def test_a_ratio_leaves_records_without_count_out():
    pairs = [(1.0, 2), (3.0, 4), (0.0, 5)]
    assert of_ratio([*pairs, (0.0, 0)], seed=1) == of_ratio(pairs, seed=1)
    assert of_ratio([(1.0, 2), (0.0, 0)], seed=1) is None


@given(st.lists(st.sampled_from([0.0, 0.25, 1.0, 7.5]), min_size=2, max_size=60), st.integers(0, 2**40))
def test_the_same_seed_gives_the_same_error_and_order_does_not_matter(values, seed):
    error = of_mean(values, seed=seed)
    assert error == of_mean(values, seed=seed) == of_mean(sorted(values), seed=seed)
    assert error >= 0
    assert (error < 1e-12) == (len(set(values)) == 1)


def test_another_seed_draws_other_records():
    values = [0.0, 1.0, 3.0, 4.0]
    assert of_mean(values, seed=0) != of_mean(values, seed=1)


@pytest.mark.parametrize("counts", [[1] * 7, [1, 2, 3], [50, 1, 49], [400, 600], [3]])
def test_each_resample_draws_as_many_records_as_there_are_each_as_often_as_it_occurs(counts):
    blocks = list(weights(numpy.array(counts), seed=0))
    drawn = numpy.concatenate(blocks)
    assert drawn.shape == (RESAMPLES, len(counts))
    assert (drawn.sum(axis=1) == sum(counts)).all()
    assert (drawn >= 0).all()
    expected = numpy.array(counts, dtype=float)
    deviation = numpy.sqrt(expected * (1 - expected / sum(counts)) / RESAMPLES)
    assert (abs(drawn.mean(axis=0) - expected) <= 5 * deviation).all()


@pytest.mark.parametrize("values", [[], [0.5]])
def test_fewer_than_two_records_have_no_error(values):
    assert of_mean(values, seed=0) is None


def test_what_is_not_finite_has_no_error():
    assert of_mean([1.0, math.inf], seed=0) is None
    assert of_sums(numpy.array([[1.0], [2.0]]), lambda sums: sums[:, 0] * math.inf, seed=0) is None
    assert spread([[1.0, math.nan]]) is None


def test_a_hundred_thousand_records_take_little_time_and_memory():
    draw = numpy.random.default_rng(0)
    table = draw.random((100_000, 10))
    of_mean([0.0, 1.0], seed=0)
    began = time.process_time()
    assert of_sums(table, lambda sums: sums[:, 0] / sums[:, 1], seed=0)
    assert time.process_time() - began < 3  # 0.8 on an idle machine
    # A copy, its order and a block of resamples, and not the 8 * 1000 * 100,000 bytes of all of them.
    tracemalloc.start()
    of_mean(table[:, 0].tolist(), seed=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6


def test_the_decorator_sets_the_attribute_and_gives_back_the_metric():
    def error(predictions, labels, *, sizes=None, seed=0):
        return 0.5 + seed

    def metric(predictions, labels):
        return 1.0

    assert has_standard_error(error)(metric) is metric
    assert metric.__codex_standard_error__([1], [1], seed=2) == 2.5
    assert "sizes" in inspect.signature(metric.__codex_standard_error__).parameters


def test_without_numpy_a_metric_scores_and_its_standard_error_says_what_to_install():
    code = """
import sys
sys.modules["numpy"] = None
from codex_ml.metrics.accuracy import accuracy
assert accuracy([1, 2], [1, 1]) == 0.5
accuracy.__codex_standard_error__([1, 2], [1, 1])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.rstrip().endswith("a standard error needs numpy: pip install 'codex-ml[metrics]'")


def test_importing_it_leaves_numpy_alone():
    code = "import sys, codex_ml.metrics.bootstrap; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
