import subprocess
import sys
from collections.abc import Mapping, MutableMapping

import pytest

from codex_addons.errors import UnknownComponentError
from codex_ml.metrics.registry import BUILTIN_METRICS

QUESTIONS = """
import sys
from codex_ml.metrics.registry import BUILTIN_METRICS
assert "accuracy" in BUILTIN_METRICS and "acuracy" not in BUILTIN_METRICS
assert len(BUILTIN_METRICS) == len(list(BUILTIN_METRICS)) == len(BUILTIN_METRICS.keys())
assert "accuracy" in repr(BUILTIN_METRICS)
loaded = lambda: sorted(name for name in sys.modules if name.startswith("codex_ml.metrics."))
assert loaded() == ["codex_ml.metrics.registry"], loaded()
BUILTIN_METRICS["accuracy"]
assert loaded() == ["codex_ml.metrics.accuracy", "codex_ml.metrics.registry"], loaded()
assert not {"codex_ml.registries", "codex_ml.launch", "hydra", "torch"} & set(sys.modules)
"""


def test_questions_load_nothing_and_a_metric_is_loaded_alone():
    subprocess.run([sys.executable, "-c", QUESTIONS], check=True)


def test_it_holds_the_metrics_themselves_sorted():
    from codex_ml.metrics.accuracy import accuracy

    assert BUILTIN_METRICS["accuracy"] is accuracy
    assert BUILTIN_METRICS.get("accuracy") is accuracy
    assert list(BUILTIN_METRICS) == sorted(BUILTIN_METRICS)
    assert dict(BUILTIN_METRICS.items())["f1"]([1, 0], [1, 0]) == 1.0


def test_it_is_read_only():
    assert isinstance(BUILTIN_METRICS, Mapping)
    assert not isinstance(BUILTIN_METRICS, MutableMapping)


def test_an_unknown_name_is_told_with_what_was_probably_meant():
    with pytest.raises(UnknownComponentError, match=r"'acuracy'.*Did you mean 'accuracy'\?"):
        BUILTIN_METRICS["acuracy"]
    assert BUILTIN_METRICS.get("acuracy") is None


def test_what_plugins_add_is_no_part_of_it(install):
    group = {"codex_ml.metrics": {"strange": "strange_metrics:x", "accuracy": "strange_metrics:x"}}
    install("strange-metrics", group, {"strange_metrics.py": "raise RuntimeError('not to be loaded')"})
    assert "strange" not in BUILTIN_METRICS
    assert BUILTIN_METRICS["accuracy"]([1], [1]) == 1.0
