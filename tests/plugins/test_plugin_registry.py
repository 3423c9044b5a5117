import sys
import warnings

import pytest

import codex_addons.registry
from codex_addons.errors import ApiVersionError, EntryPointWarning, PluginLoadError
from codex_ml.plugins import registry
from codex_ml.plugins.registry import discover, get

GROUP = "plugins_test.things"
GOOD = """
    class Greeter:
        pass


    def other():
        pass


    other.__codex_api__ = "v2"
"""


@pytest.fixture
def mixed(install):
    """A good distribution, and one whose module raises."""
    targets = {"greeter": "good_things:Greeter", "alpha": "good_things:Greeter"}
    install("good-things", {GROUP: targets}, {"good_things.py": GOOD})
    install("bad-things", {GROUP: {"broken": "bad_things:x"}}, {"bad_things.py": "raise SystemExit('no')"})


def test_the_registry_is_the_plugin_systems_own():
    assert registry.Registry is codex_addons.registry.Registry


def test_discover_loads_and_sorts(install):
    targets = {"greeter": "good_things:Greeter", "alpha": "good_things:Greeter"}
    install("good-things", {GROUP: targets}, {"good_things.py": GOOD})
    found = discover(GROUP)
    assert list(found) == ["alpha", "greeter"]
    assert found["greeter"] is sys.modules["good_things"].Greeter


def test_discover_of_a_group_nobody_offers_is_empty():
    assert discover("plugins_test.nobody") == {}


def test_discover_looks_at_plugins_unless_told_otherwise():
    assert discover()["progress"] is get("progress")


def test_discover_leaves_a_broken_one_out_and_tells_its_distribution_and_cause(mixed):
    with pytest.warns(EntryPointWarning, match=r"left out of .*'broken' of bad-things 1\.0 .*SystemExit: no") as told:
        assert list(discover(GROUP)) == ["alpha", "greeter"]
    assert [warning.filename for warning in told] == [__file__]


def test_discover_leaves_out_what_is_made_for_another_api(install):
    install("good-things", {GROUP: {"other": "good_things:other"}}, {"good_things.py": GOOD})
    with pytest.warns(EntryPointWarning, match="good-things 1.0 declares the plugin API 'v2', and 'v1' is required"):
        assert discover(GROUP) == {}


def test_what_is_denied_is_not_discovered(mixed, monkeypatch):
    monkeypatch.setenv("CODEX_ML_PLUGINS_DENY", "bad_things")
    assert list(discover(GROUP)) == ["alpha", "greeter"]
    assert get("broken", GROUP) is None


def test_get_loads_that_one_alone(mixed):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert get("greeter", GROUP) is sys.modules["good_things"].Greeter
    assert "bad_things" not in sys.modules


def test_get_of_a_name_nobody_offers_is_none(mixed):
    assert get("greter", GROUP) is None
    assert "good_things" not in sys.modules


def test_get_of_a_broken_one_says_whose_it_is(mixed, install):
    with pytest.raises(PluginLoadError, match=r"bad-things 1\.0 .*SystemExit: no"):
        get("broken", GROUP)
    install("new-things", {GROUP: {"other": "new_things:other"}}, {"new_things.py": GOOD})
    with pytest.raises(ApiVersionError, match="new-things"):
        get("other", GROUP)
