import sys

import pytest
from cohen_kappa.metric import cohen_kappa

from codex_ml.testing import MetricTests


class TestCohenKappa(MetricTests):
    name = "cohen_kappa"
    cases = [
        (["a", "b", "a", "b"], ["a", "b", "a", "b"], 1.0),
        (["a", "a", "b", "b"], ["a", "b", "a", "b"], 0.0),
        (["b", "a"], ["a", "b"], -1.0),
        ([1, 2, 3, 3], [1, 2, 3, 2], 0.8, {"weights": "quadratic"}),
    ]
    bad_inputs = [([], []), (["a", "a"], ["a", "a"]), (["a", 1], ["a", 1])]
    bad_options = [{"weights": "cubic"}]


def test_a_far_miss_costs_more_with_weights():
    near, far = [1, 2, 3, 2], [1, 2, 3, 1]
    assert cohen_kappa(near, [1, 2, 3, 3]) == pytest.approx(cohen_kappa(far, [1, 2, 3, 3]), abs=0.05)
    assert cohen_kappa(near, [1, 2, 3, 3], weights="linear") > cohen_kappa(far, [1, 2, 3, 3], weights="linear") + 0.2


def test_without_scikit_learn_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)
    with pytest.raises(ImportError, match=r"pip install 'codex-example-cohen-kappa\[sklearn\]'"):
        cohen_kappa(["a", "b"], ["a", "b"])
