"""The conformance kit: checks of a component, for the test suite of the package that it is in.

An author subclasses the class of the component's kind, says which component is meant and what it is to give, and pytest
runs the checks. The package must be installed, as a component is found through its entry point::

    from codex_ml.testing import MetricTests


    class TestErrorRate(MetricTests):
        name = "error_rate"
        cases = [(["a", "b"], ["a", "c"], 0.5)]
"""

from __future__ import annotations

from codex_ml.testing.data_loader import DataLoaderTests
from codex_ml.testing.metric import MetricTests
from codex_ml.testing.model import ModelTests
from codex_ml.testing.plugin import PluginTests
from codex_ml.testing.task import TaskTests
from codex_ml.testing.tokenizer import TokenizerTests
from codex_ml.testing.trainer import TrainerTests

__all__ = [
    "DataLoaderTests",
    "MetricTests",
    "ModelTests",
    "PluginTests",
    "TaskTests",
    "TokenizerTests",
    "TrainerTests",
]
