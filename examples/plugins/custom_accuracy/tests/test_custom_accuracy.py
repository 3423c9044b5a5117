import pytest
from custom_accuracy.metric import custom_accuracy


def test_it_is_the_share_of_right_predictions():
    assert custom_accuracy([1, 2, 3, 1], [1, 2, 0, 1]) == 0.75


def test_records_with_the_ignored_label_do_not_count():
    assert custom_accuracy(["a", "b", "a"], ["a", "other", "b"], ignore="other") == 0.5


@pytest.mark.parametrize(
    ("predictions", "labels", "ignore"), [([1], [1, 2], None), ([], [], None), (["a"], ["other"], "other")]
)
def test_inputs_that_do_not_fit_are_refused(predictions, labels, ignore):
    with pytest.raises(ValueError, match=r"predictions|records|record is left"):
        custom_accuracy(predictions, labels, ignore=ignore)
