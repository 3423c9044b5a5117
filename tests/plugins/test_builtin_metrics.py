import subprocess
import sys
from collections.abc import Mapping, MutableMapping
from importlib.metadata import version

import pytest

from codex_addons.component import meta_of
from codex_addons.errors import UnknownComponentError
from codex_ml.metrics.registry import BUILTIN_METRICS

QUESTIONS = """
import sys
from codex_ml.metrics.registry import BUILTIN_METRICS
assert "accuracy" in BUILTIN_METRICS and "acuracy" not in BUILTIN_METRICS
assert len(BUILTIN_METRICS) == len(list(BUILTIN_METRICS)) == len(BUILTIN_METRICS.keys())
assert "accuracy" in repr(BUILTIN_METRICS)
loaded = lambda: {name for name in sys.modules if name.startswith("codex_ml.metrics.")}
assert loaded() == {"codex_ml.metrics.registry"}, loaded()
BUILTIN_METRICS["accuracy"]
others = {f"codex_ml.metrics.{name}" for name in BUILTIN_METRICS if name != "accuracy"}
assert "codex_ml.metrics.accuracy" in loaded() and not others & loaded(), loaded()
assert not {"codex_ml.registries", "codex_ml.launch", "hydra", "numpy", "torch"} & set(sys.modules)
"""


def test_questions_load_nothing_and_a_metric_is_loaded_alone():
    subprocess.run([sys.executable, "-c", QUESTIONS], check=True)


def test_it_holds_the_metrics_themselves_sorted():
    from codex_ml.metrics.accuracy import accuracy

    assert BUILTIN_METRICS["accuracy"] is accuracy
    assert BUILTIN_METRICS.get("accuracy") is accuracy
    assert list(BUILTIN_METRICS) == sorted(BUILTIN_METRICS)
    assert dict(BUILTIN_METRICS.items())["f1"]([1, 0], [1, 0]) == 1.0


# Name, input, whether greater is better, scale.
DECLARED = [
    ("accuracy", "labels", True, "0-1"),
    ("bleu", "text", True, "0-100"),
    ("exact_match", "text", True, "0-1"),
    ("f1", "labels", True, "0-1"),
    ("ppl", "logprobs", False, "1-inf"),
    ("rouge", "text", True, "0-1"),
    ("squad_f1", "text", True, "0-1"),
    ("token_accuracy", "tokens", True, "0-1"),
]


def test_these_are_all():
    assert list(BUILTIN_METRICS) == [name for name, *_ in DECLARED]


@pytest.mark.parametrize(("name", "scored", "greater", "scale"), DECLARED)
def test_each_says_what_it_scores_and_how(name, scored, greater, scale):
    metric = BUILTIN_METRICS[name]
    meta = meta_of(metric)
    assert (meta["input"], meta["greater_is_better"], meta["scale"]) == (scored, greater, scale)
    assert meta["version"] == 1
    assert all(version(library) for library in meta.get("requires", ()))
    assert ("extra" in meta) == ("requires" in meta)
    assert meta.get("extra", "metrics") == "metrics"
    assert callable(metric.__codex_standard_error__)


@pytest.mark.parametrize("name", [name for name, *_ in DECLARED])
def test_each_is_imported_without_a_library(name):
    heavy = ["numpy", "sklearn", "sacrebleu", "rouge_score", "nltk", "torch", "hydra"]
    code = f"import sys, codex_ml.metrics.{name}\nprint(sorted(set({heavy!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_it_is_read_only():
    assert isinstance(BUILTIN_METRICS, Mapping)
    assert not isinstance(BUILTIN_METRICS, MutableMapping)


def test_an_unknown_name_is_told_with_what_was_probably_meant():
    with pytest.raises(UnknownComponentError, match=r"'acuracy'.*Did you mean 'accuracy'"):
        BUILTIN_METRICS["acuracy"]
    assert BUILTIN_METRICS.get("acuracy") is None


def test_what_plugins_add_is_no_part_of_it(install):
    group = {"codex_ml.metrics": {"strange": "strange_metrics:x", "accuracy": "strange_metrics:x"}}
    install("strange-metrics", group, {"strange_metrics.py": "raise RuntimeError('not to be loaded')"})
    assert "strange" not in BUILTIN_METRICS
    assert BUILTIN_METRICS["accuracy"]([1], [1]) == 1.0
