import pytest
from custom_callbacks.callbacks import CustomCallbacks

from codex_ml.testing import PluginTests


class TestCustomCallbacks(PluginTests):
    name = "custom_callbacks"
    options = {"patience": 1}
    bad_options = [{"patience": 0}, {"better": "bigger"}]


def told(tmp_path, values, **options):
    """A plugin that was told of these values at the steps 1, 2, ..."""
    plugin = CustomCallbacks(file=str(tmp_path / "posts" / "lines.txt"), **options)
    plugin.on_run_start({"run_id": "abc123"})
    for step, value in enumerate(values, 1):
        plugin.on_evaluate(step, "validation", {"accuracy": value, "loss": 1 - value})
    return plugin


def test_each_evaluation_is_a_line(tmp_path):
    plugin = told(tmp_path, [0.5, 0.75])
    plugin.on_evaluate(2, "test", {})
    assert plugin.path.read_text(encoding="utf-8").splitlines() == [
        "abc123 step 1 validation accuracy=0.5000 loss=0.5000",
        "abc123 step 2 validation accuracy=0.7500 loss=0.2500",
        "abc123 step 2 test ",
    ]


@pytest.mark.parametrize(
    ("values", "options", "stops"),
    [
        ([0.5, 0.4, 0.4], {"patience": 2}, True),
        ([0.5, 0.4, 0.6, 0.5], {"patience": 2}, False),
        ([0.5, 0.5], {"patience": 1}, True),
        ([0.5, 0.4, 0.3, 0.2], {}, False),
        ([0.5, 0.6], {"patience": 1, "monitor": "loss"}, True),
        ([0.5, 0.6], {"patience": 1, "monitor": "loss", "better": "lower"}, False),
    ],
)
def test_it_stops_what_no_longer_gets_better(tmp_path, values, options, stops):
    assert told(tmp_path, values, **options).should_stop is stops


def test_the_test_split_stops_nothing(tmp_path):
    plugin = told(tmp_path, [0.5], patience=1)
    plugin.on_evaluate(2, "test", {"accuracy": 0.1})
    assert not plugin.should_stop


def test_a_metric_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ValueError, match="no metric 'f1'; monitor one of accuracy, loss"):
        told(tmp_path, [0.5], monitor="f1")
