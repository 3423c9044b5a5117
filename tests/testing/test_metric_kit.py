"""MetricTests: a right metric passes, each kind of wrong one fails the check that is meant for it."""

import random
import statistics
from itertools import accumulate

import pytest

from codex_addons.component import component
from codex_ml.testing import MetricTests


def _share(predictions, labels):
    if len(predictions) != len(labels) or not len(labels):
        raise ValueError("one prediction a label, and one at least")
    return sum(p == t for p, t in zip(predictions, labels, strict=True)) / len(labels)


@component(input="labels", greater_is_better=True, scale="0-1")
def right(predictions, labels, *, percent: bool = False):
    """The share of right predictions."""
    return _share(predictions, labels) * (100 if percent else 1)


def off(predictions, labels):
    """Always a little wrong."""
    return _share(predictions, labels) + 0.001


def whole_number(predictions, labels):
    """How many are right."""
    return int(_share(predictions, labels) * len(labels))


def text(predictions, labels):
    """A float as text."""
    return str(_share(predictions, labels))


def wants_lists(predictions, labels):
    """Fails on anything else."""
    _share(predictions, labels)
    return _share(predictions.copy(), labels.copy())


def minds_the_type(predictions, labels):
    """Scores arrays otherwise."""
    return _share(predictions, labels) if isinstance(predictions, list) else 0.0


def sorts_its_inputs(predictions, labels):
    """Changes what it is given."""
    score = _share(predictions, labels)
    if isinstance(predictions, list):
        predictions.sort(key=repr, reverse=True)
    return score


def draws(predictions, labels):
    """Scores at random."""
    return _share(predictions, labels) * random.random()


def cuts_short(predictions, labels):
    """Leaves out what has no partner."""
    if not labels or not predictions:
        raise ValueError("nothing")
    return sum(p == t for p, t in zip(predictions, labels, strict=False)) / len(labels)


def divides_by_zero(predictions, labels):
    """Has no answer for no records."""
    if len(predictions) != len(labels):
        raise ValueError("lengths")
    return sum(p == t for p, t in zip(predictions, labels, strict=True)) / len(labels)


@component(input="logits")
def unknown_input(predictions, labels):
    """Scores what no task gives."""
    return _share(predictions, labels)


@component(greater_is_better="yes")
def unclear_direction(predictions, labels):
    """Says yes."""
    return _share(predictions, labels)


@component(scale=1)
def scale_is_no_text(predictions, labels):
    """Has a number for a scale."""
    return _share(predictions, labels)


@component(scale="0-1")
def leaves_its_scale(predictions, labels):
    """Scores in percent and says that it does not."""
    return 100 * _share(predictions, labels)


@component(greater_is_beter=False)
def misspelt_meta(predictions, labels):
    """Says which direction is better, and nobody hears it."""
    return _share(predictions, labels)


@component(author="me", category="shares", paper="none", uses=("numpy",), extra="x", observer=False)
def tells_more(predictions, labels):
    """Tells also what nobody asks for."""
    return _share(predictions, labels)


def with_error(function):
    """A right metric with a standard error."""

    def metric(predictions, labels):
        """The share of right predictions."""
        return _share(predictions, labels)

    metric.__codex_standard_error__ = function
    return metric


tells_its_error = with_error(lambda p, t, *, sizes=None, seed=0: 0.25 if seed == 0 and sizes is None else None)
tells_no_error = with_error(lambda p, t, *, sizes=None, seed=0: None)
error_is_a_number = with_error(0.1)
error_is_negative = with_error(lambda p, t, *, sizes=None, seed=0: -0.1)
error_is_nan = with_error(lambda p, t, *, sizes=None, seed=0: float("nan"))
error_is_an_int = with_error(lambda p, t, *, sizes=None, seed=0: 0)
error_is_random = with_error(lambda p, t, *, sizes=None, seed=0: random.random())
error_takes_no_seed = with_error(lambda p, t: 0.1)


def _of_tokens(function):
    """A right metric of tokens, flat or one list a record, with a standard error."""

    @component(input="tokens", scale="0-1")
    def metric(predictions, labels):
        """The share of right tokens."""
        return _share(*_flat(predictions, labels))

    metric.__codex_standard_error__ = function
    return metric


def _flat(*sides):
    nested = [all(isinstance(row, list | tuple) for row in side) and len(side) for side in sides]
    return [
        [each for row in side for each in row] if inner else side for side, inner in zip(sides, nested, strict=True)
    ]


def _by_record(predictions, labels, *, sizes=None, seed=0):
    """The standard error of the mean of the records' own shares."""
    if sizes is None:
        sizes = [len(row) if isinstance(row, list | tuple) else 1 for row in labels]
        predictions, labels = _flat(predictions, labels)
    hits = [float(p == t) for p, t in zip(predictions, labels, strict=True)]
    shares = [sum(hits[end - size : end]) / size for size, end in zip(sizes, accumulate(sizes), strict=True) if size]
    return statistics.stdev(shares) / len(shares) ** 0.5 if len(shares) > 1 else None


def _by_token(predictions, labels, *, sizes=None, seed=0):
    predictions, labels = _flat(predictions, labels)
    return _by_record(predictions, labels, sizes=[1] * len(labels))


def _by_halves(predictions, labels, *, sizes=None, seed=0):
    error = _by_record(predictions, labels, sizes=sizes)
    return error and error / (1 if sizes is None else 2)


def _without_sizes(predictions, labels, *, sizes=None, seed=0):
    if sizes is not None:
        raise NotImplementedError("one list a record")
    return _by_record(predictions, labels)


error_by_record = _of_tokens(_by_record)
error_by_token = _of_tokens(_by_token)
error_by_halves = _of_tokens(_by_halves)
error_without_sizes = _of_tokens(_without_sizes)
TOKENS = [([[1, 2], [3], [4, 5]], [[1, 0], [3], [0, 0]], 0.4), ([1, 2, 3], [1, 2, 4], 2 / 3)]

STANDARD_ERROR = "its_standard_error_is_one_and_the_same"

WRONG = [
    ("error_is_a_number", {STANDARD_ERROR: "__codex_standard_error__ is a float, not a function"}),
    ("error_is_negative", {STANDARD_ERROR: "is -0.1; it must be a float, 0 or more, or None"}),
    ("error_is_nan", {STANDARD_ERROR: "is nan; it must be a float"}),
    ("error_is_an_int", {STANDARD_ERROR: "is 0; it must be a float"}),
    ("error_is_random", {STANDARD_ERROR: "with the same seed"}),
    ("error_takes_no_seed", {STANDARD_ERROR: "TypeError"}),
    ("off", {"it_scores_the_cases": "scores 0.501, not 0.5"}),
    ("whole_number", {"it_scores_the_cases": "returns 1 of type int; it must return a float"}),
    ("text", {"it_scores_the_cases": "of type str; it must return a float"}),
    ("wants_lists", {"lists_tuples_and_arrays_score_alike": "AttributeError"}),
    ("minds_the_type", {"lists_tuples_and_arrays_score_alike": "scores 0.5 for lists and 0.0 for the same as tuple"}),
    ("sorts_its_inputs", {"its_inputs_stay_as_they_are": "changes its inputs"}),
    ("draws", {"it_scores_the_cases": "not 0.5"}),
    ("cuts_short", {"inputs_that_do_not_fit_raise_value_error": "must raise ValueError, and gives"}),
    ("divides_by_zero", {"inputs_that_do_not_fit_raise_value_error": "and raises ZeroDivisionError"}),
    ("unknown_input", {"its_meta_can_be_used": "`input` must be one of"}),
    ("unclear_direction", {"its_meta_can_be_used": "`greater_is_better` must be True or False"}),
    ("scale_is_no_text", {"its_meta_can_be_used": "`scale` must be text"}),
    ("leaves_its_scale", {"its_meta_can_be_used": "says its scale is 0-1 and scores 50.0"}),
]
RIGHT = ["right", "tells_its_error", "tells_no_error"]
OF_TOKENS = ["error_by_record", "error_by_token", "error_by_halves", "error_without_sizes"]
COMPONENTS = {"metric": [*RIGHT, *OF_TOKENS, "misspelt_meta", "tells_more", *(name for name, _ in WRONG)]}
CASES = [(["a", "b"], ["a", "c"], 0.5), ([1, 2], [1, 3], 0.5), ([1.5, 2.5], [1.5, 0.5], 0.5)]


def test_a_right_metric_passes(failures):
    cases = [*CASES, (["a"], ["a"], 1.0, {"percent": False})]
    assert failures(MetricTests, name="right", cases=cases) == {}
    assert failures(MetricTests, name="right", cases=CASES, bad_inputs=[(["a"], ["a", "b"])]) == {}


@pytest.mark.parametrize("name", ["tells_its_error", "tells_no_error"])
def test_a_metric_may_tell_its_standard_error(failures, name):
    assert failures(MetricTests, shared=False, name=name, cases=CASES) == {}


def test_a_standard_error_over_records_passes(failures):
    assert failures(MetricTests, shared=False, name="error_by_record", cases=TOKENS) == {}


@pytest.mark.parametrize(
    ("name", "cases", "message"),
    [
        ("error_by_token", TOKENS[1:], "as one record is 0.33"),
        ("error_by_halves", TOKENS, "one list a record, and 0.14"),
        ("error_without_sizes", TOKENS, "NotImplementedError: one list a record"),
    ],
)
def test_a_standard_error_that_minds_no_records_fails(failures, name, cases, message):
    found = failures(MetricTests, shared=False, name=name, cases=cases)
    assert found.keys() == {"its_standard_error_is_one_over_records"}
    assert message in found["its_standard_error_is_one_over_records"]


@pytest.mark.parametrize(("name", "expected"), WRONG)
def test_a_wrong_metric_fails(failures, name, expected):
    found = failures(MetricTests, shared=False, name=name, cases=CASES)
    for check, message in expected.items():
        assert message in found[check], found
    alone = {"minds_the_type", "wants_lists", "sorts_its_inputs", "cuts_short", "divides_by_zero"}
    assert (name not in alone and STANDARD_ERROR not in expected) or found.keys() == expected.keys()


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ((["a"], ["a"], 0.5), "scores 1.0, not 0.5"),
        ((["a", "b"], ["a", "c"], 50.0, {"percent": True}), "says its scale is 0-1 and scores 50.0"),
        ((["a"], ["a"], 1.0, {"percents": True}), "has no option 'percents'; it has: percent"),
    ],
)
def test_a_case_that_does_not_hold_fails(failures, case, message):
    assert message in str(failures(MetricTests, name="right", cases=[case]))


def test_a_misspelt_meta_key_is_told_and_others_are_free(failures):
    told = "nobody reads __codex_meta__['greater_is_beter']; did you mean 'greater_is_better'?"
    assert told in failures(MetricTests, name="misspelt_meta", cases=CASES)["what_it_tells_about_itself_can_be_read"]
    assert failures(MetricTests, name="tells_more", cases=CASES) == {}


def test_a_suite_without_cases_says_so(failures):
    found = failures(MetricTests, name="right")
    assert "set `cases` to [(predictions, labels, score), ...]" in found["it_scores_the_cases"]


def test_a_bad_input_that_is_taken_fails(failures):
    found = failures(MetricTests, name="right", cases=CASES, bad_inputs=[(["a"], ["b"])])
    assert "must raise ValueError, and gives 0.0" in found["inputs_that_do_not_fit_raise_value_error"]


def test_a_task_of_ones_own_may_feed_more(failures):
    found = failures(MetricTests, name="unknown_input", cases=CASES, inputs=("labels", "logits"))
    assert found == {}
