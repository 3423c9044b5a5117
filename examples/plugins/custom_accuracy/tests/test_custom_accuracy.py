import pytest
from custom_accuracy.metric import custom_accuracy

from codex_ml.testing import MetricTests


class TestCustomAccuracy(MetricTests):
    name = "custom_accuracy"
    cases = [
        ([1, 2, 3, 1], [1, 2, 0, 1], 0.75),
        (["a", "b", "a"], ["a", "other", "b"], 0.5, {"ignore": "other"}),
    ]
    bad_options = [{"ignore": ["other"]}]


def test_records_of_the_ignored_label_alone_are_refused():
    with pytest.raises(ValueError, match="no record is left without the label 'other'"):
        custom_accuracy(["a"], ["other"], ignore="other")
