"""PluginTests: a right plugin passes, each kind of wrong one fails the check that is meant for it."""

import pytest

from codex_addons.component import component
from codex_ml.interfaces import LIFECYCLE
from codex_ml.testing import PluginTests
from codex_ml.testing.tiny_run import ran, tiny_assembly


@component(observer=True)
class Right:
    """Counts what it is told."""

    def __init__(self, *, every: int = 1):
        if every < 1:
            raise ValueError("every must be 1 or more")
        self.counts = {}

    def on_run_start(self, record):
        assert isinstance(record["status"], str)

    def on_train_start(self, total_steps):
        assert isinstance(total_steps, int)

    def on_step(self, step, records, values):
        assert (records > 0, type(values["loss"])) == (True, float)

    def on_log(self, step, values):
        assert values

    def on_evaluate(self, step, split, metrics):
        assert split == "validation"
        assert isinstance(metrics["accuracy"], float)

    def on_train_end(self):
        pass

    def on_run_end(self, record):
        assert record["status"] in ("completed", "failed")

    @property
    def online(self):
        raise RuntimeError("a property is not to be read")


def takes_no_part(*, enabled: bool = False):
    """Gives a callback only where it is enabled."""
    return Right() if enabled else None


class Misspelled:
    """Has a method that is never called."""

    def on_steps(self, step, records, values):
        pass


class Invented:
    """Has a method that nobody knows."""

    def on_holiday(self):
        pass


class CamelCase:
    """Writes as others do."""

    def onTrainEnd(self):
        pass


class NotAMethod:
    """Has a number where a method belongs."""

    on_step = 3


class WrongArguments:
    """Takes too few arguments."""

    def on_step(self, step):
        pass


@component(observer=True)
class Fails:
    """Fails when it is measured, which a run would only log."""

    def on_evaluate(self, step, split, metrics):
        raise RuntimeError("cannot reach the tracker")


class NeedsTraining:
    """Closes what only training opens."""

    def on_train_start(self, total_steps):
        self.file = []

    def on_run_end(self, record):
        self.file.append(record["status"])


@component(observer=True)
class Meddles:
    """Says it only watches, and draws from the generator that training draws from."""

    def on_step(self, step, records, values):
        import torch

        self.chosen = torch.rand(1) < 0.1


METHODS, LIVES = "its_methods_are_those_of_the_lifecycle", "it_lives_through_a_run"
EARLY = "it_lives_through_a_run_that_fails_early"
WRONG = [
    ("Misspelled", METHODS, "has the method on_steps, which is never called; did you mean on_step?"),
    ("Invented", METHODS, "has the method on_holiday, which is never called; there are on_run_start"),
    ("CamelCase", METHODS, "did you mean on_train_end?"),
    ("NotAMethod", METHODS, "on_step is a int, and is called"),
    ("WrongArguments", LIVES, "in on_step"),
    ("Fails", LIVES, "cannot reach the tracker"),
    ("NeedsTraining", EARLY, "fails in on_run_end of a run that failed early: AttributeError"),
    ("Meddles", "an_observer_changes_no_result", "the run's result is another with it"),
]
COMPONENTS = {"plugin": ["Right", "takes_no_part", *(name for name, _, _ in WRONG)]}


def test_a_right_plugin_passes(failures):
    assert failures(PluginTests, name="Right", options={"every": 2}, bad_options=[{"every": 0}]) == {}
    assert failures(PluginTests, name="takes_no_part") == {}
    assert failures(PluginTests, name="takes_no_part", options={"enabled": True}) == {}


@pytest.mark.parametrize(("name", "check", "message"), WRONG)
def test_a_wrong_plugin_fails(failures, name, check, message):
    found = failures(PluginTests, shared=False, name=name)
    assert message in found[check], found
    assert METHODS in found or set(found) == {check}


def test_the_tiny_run_calls_every_method_of_the_lifecycle(tmp_path):
    called = []

    class Watches:
        def __getattr__(self, name):
            return lambda *arguments: called.append(name)

    ran(tmp_path, tiny_assembly(tmp_path), callbacks=[Watches()])
    assert {*LIFECYCLE} <= {*called}
