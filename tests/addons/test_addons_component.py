import functools
from dataclasses import dataclass

import pytest

import codex_addons
from codex_addons import api_version, component, meta_of


@dataclass
class Options:
    size: int = 3


def test_the_decorator_declares_and_returns_the_object_itself():
    def model(config):
        return config

    assert component(config=Options, category="toy")(model) is model
    assert model.__codex_api__ == "v1"
    assert model.__codex_config__ is Options
    assert model.__codex_meta__ == {"category": "toy"}


def test_without_options_none_are_declared():
    @component(api="v2")
    class Plugin:
        pass

    assert not hasattr(Plugin, "__codex_config__")
    assert api_version(Plugin) == "v2"


@pytest.mark.parametrize("obj", [len, "text", object(), [].append])
def test_what_takes_no_attributes_is_refused(obj):
    with pytest.raises(TypeError, match="wrap it in a function"):
        component()(obj)


def test_options_must_be_a_dataclass():
    with pytest.raises(TypeError, match="@dataclass"):
        component(config=dict)


def test_the_legacy_attribute_counts_and_the_new_one_wins():
    def my_plugin():
        pass

    assert api_version(my_plugin) == "v1"
    my_plugin.__codex_ext_api__ = "v0"
    assert api_version(my_plugin) == "v0"
    my_plugin.__codex_api__ = "v1"
    assert api_version(my_plugin) == "v1"


def test_meta_is_read_only_and_empty_by_default():
    @component(scale=100)
    def metric():
        pass

    assert meta_of(metric)["scale"] == 100
    with pytest.raises(TypeError):
        meta_of(metric)["scale"] = 1
    assert dict(meta_of(len)) == {}


def test_meta_that_is_no_mapping_is_refused():
    wrong = functools.partial(print)
    wrong.__codex_meta__ = ["category"]
    with pytest.raises(TypeError, match="must be a mapping, not list"):
        meta_of(wrong)


def test_the_package_exports_everything_it_lists():
    assert codex_addons.__all__ == sorted(codex_addons.__all__)
    for name in codex_addons.__all__:
        assert getattr(codex_addons, name) is not None
    assert set(codex_addons.__all__) <= set(dir(codex_addons))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = codex_addons.nothing


def test_the_decorator_keeps_its_place_beside_the_module_of_its_name():
    import codex_addons.component
    from codex_addons.component import component as same

    assert codex_addons.component is same
