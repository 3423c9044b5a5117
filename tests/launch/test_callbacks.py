import logging
import random

import pytest
from tiny_run import Recorder, component

from codex_ml.errors import CodexError
from codex_ml.launch.callbacks import Callbacks


def plugin(built, **arguments):
    return component("plugin", arguments.pop("name", "mine"), lambda **options: built, **arguments)


class Failing:
    def __init__(self):
        self.calls = 0

    def on_step(self, *_):
        self.calls += 1
        raise RuntimeError("no server")


def test_events_reach_every_callback_that_has_the_method_in_order():
    class Some:
        def on_log(self, step, values):
            first.events.append("some")

    first = Recorder()
    callbacks = Callbacks([plugin(first), plugin(Some()), plugin(None)], extra=[first])
    callbacks.emit("on_log", 1, {"a": 0.5})
    callbacks.emit("on_train_end")
    assert first.events == [("on_log", 1, {"a": 0.5}), "some", ("on_log", 1, {"a": 0.5}), *[("on_train_end",)] * 2]


def test_an_event_that_does_not_exist_is_a_mistake():
    with pytest.raises(ValueError, match="on_lunch"):
        Callbacks().emit("on_lunch")


def test_an_observer_that_fails_is_logged_once_and_left_out(caplog):
    failing, other = Failing(), Recorder()
    callbacks = Callbacks([plugin(failing, meta={"observer": True}), plugin(other)])
    for step in range(3):
        callbacks.emit("on_step", step, 1, {})
    assert failing.calls == 1
    assert len(other.events) == 3
    warnings = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "plugin=mine (tiny-plugin 1.2) in on_step: RuntimeError: no server; it is left out" in warnings[0]


def test_any_other_plugin_that_fails_fails_the_run_with_its_name():
    with pytest.raises(CodexError, match=r"plugin=mine \(tiny-plugin 1\.2\) in on_step: RuntimeError: no server"):
        Callbacks([plugin(Failing())]).emit("on_step", 1, 1, {})


def test_while_the_run_fails_no_plugin_hides_why(caplog):
    other = Recorder()
    Callbacks([plugin(Failing()), plugin(other)]).emit("on_step", 1, 1, {}, failing=True)
    assert len(other.events) == 1
    assert "no server" in caplog.text
    assert "left out" not in caplog.text


def test_a_plugin_that_cannot_be_built_is_treated_as_one_that_fails(caplog):
    def broken():
        raise ValueError("no such server")

    with pytest.raises(CodexError, match=r"plugin=broken \(tiny-plugin 1\.2\): no such server"):
        Callbacks([component("plugin", "broken", broken)])
    Callbacks([component("plugin", "broken", broken, meta={"observer": True})]).emit("on_train_end")
    assert "no such server" in caplog.text


def test_a_plugin_is_built_from_its_options_after_seeding():
    drawn = []
    mine = component("plugin", "mine", lambda every: drawn.append((every, random.random())), every=3)
    Callbacks([mine], seed=1)
    random.seed(99)
    Callbacks([plugin(None, name="other"), mine], seed=1)
    Callbacks([mine], seed=2)
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_plugin_may_ask_the_run_to_stop():
    class Early:
        should_stop = False

    class Unlike:
        def should_stop(self): ...

    early = Early()
    callbacks = Callbacks([plugin(early), plugin(Unlike())])
    assert not callbacks.should_stop
    early.should_stop = True
    assert callbacks.should_stop


@pytest.mark.parametrize("method", ["state", "load_state"])
def test_a_checkpoint_does_without_the_state_of_an_observer_that_fails(method, caplog):
    class Stateful:
        def state(self):
            return {"a": 1}

        def load_state(self, state):
            pass

    def broken(*_):
        raise OSError("no server")

    observer, other = Stateful(), Stateful()
    setattr(observer, method, broken)
    callbacks = Callbacks([plugin(observer, name="observing", meta={"observer": True}), plugin(other)])
    kept = callbacks.state()
    callbacks.load_state(kept)
    assert callbacks.state() == {"mine": {"a": 1}}
    assert "plugin=observing (tiny-plugin 1.2) in " in caplog.text
    assert "left out of the rest of the run" in caplog.text
    with pytest.raises(CodexError, match="no server"):
        getattr(Callbacks([plugin(observer)]), method)(*([kept | {"mine": {}}] if method == "load_state" else []))
