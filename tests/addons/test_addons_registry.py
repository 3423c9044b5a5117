import copy
import pickle
import sys
import threading
import time
import warnings
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_addons import Registry, UnknownComponentError, component
from codex_addons.errors import DuplicateRegistrationWarning

GROUP = "addons_test.registry"
NAMES = st.text(alphabet="abAB_0-.", min_size=1, max_size=4)


def double(number):
    """Twice a number.

    More about it.
    """
    return 2 * number


@pytest.fixture
def registry():
    return Registry(kind="metrics")


def test_the_sample_of_registry_classes(capsys):
    registry = Registry(kind="my_components")

    @registry.register("my_component")
    class MyComponent:
        pass

    names = registry.list()
    assert names == sorted(names)
    item = registry.get("my_component")
    if "my_component" in registry:
        print("✓ Component registered")

    assert item is MyComponent
    assert capsys.readouterr().out == "✓ Component registered\n"


def test_the_sample_of_the_registration_lifecycle():
    registry = Registry(kind="metrics")

    @registry.register("accuracy")
    def my_accuracy(preds, labels):
        return sum(p == l for p, l in zip(preds, labels)) / len(labels)  # noqa: B905, E741

    registry.register("accuracy", my_accuracy)

    with pytest.warns(DuplicateRegistrationWarning):

        @registry.register("accuracy")
        def new_accuracy(preds, labels):
            return calculate_accuracy_v2(preds, labels)  # noqa: F821

    assert "accuracy" in registry
    assert len(registry) == 1
    assert registry.list() == ["accuracy"]
    assert registry.get("accuracy") is my_accuracy
    assert new_accuracy is not None


def test_the_sample_of_duplicate_registrations(registry, capsys):
    with warnings.catch_warnings(record=True) as w:
        warnings.simplefilter("always")

        @registry.register("duplicate")
        def func1():
            pass

        @registry.register("duplicate")
        def func2():
            pass

        if w:
            print(f"Warning: {w[0].message}")

    assert len(w) == 1
    out = capsys.readouterr().out
    assert out.startswith("Warning: metrics: 'duplicate'")
    assert out.index("func1") < out.index("func2")
    assert registry["duplicate"] is func1


def test_the_samples_of_loading_from_entry_points(install):
    install(
        "my-app",
        entry_points="""
            [my_app.components]
            my_component = my_app_module:make
            broken = my_app_module:missing
            """,
        my_app_module="def make(option):\n    return option.upper()\nmake.__codex_ext_api__ = 'v1'\n",
    )
    registry = Registry(kind="custom_components")
    count, errors = registry.load_from_entry_points(group="my_app.components", require_api="v1")
    assert count == 1
    assert list(errors) == ["broken"]
    assert "my-app 1.0" in errors["broken"]
    assert registry.names() == ["my_component"]
    assert registry.resolve_and_instantiate("my_component", option="value") == "VALUE"


def test_registering_the_same_object_again_is_silent(registry):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            assert registry.register("double", double) is double
    assert len(registry) == 1


def test_two_equal_objects_are_still_two(registry):
    registry.register("table", {})
    with pytest.warns(DuplicateRegistrationWarning):
        registry.register("table", {})


def test_the_warning_points_to_the_line_that_registered(registry):
    registry.register("x", double)
    with pytest.warns(DuplicateRegistrationWarning) as caught:
        registry.register("x", print)
    assert caught[0].filename == __file__


def test_names_are_case_sensitive(registry):
    registry.register("F1", 1)
    registry.register("f1", 2)
    assert registry.list() == ["F1", "f1"]


@pytest.mark.parametrize("name", ["", " ", "a b", "a\n", "a\u00a0b", "a/b", 3, None, ("a",)])
def test_a_name_that_is_not_allowed_is_a_value_error(registry, name):
    with pytest.raises(ValueError, match="non-empty string without whitespace or '/'"):
        registry.register(name, double)
    with pytest.raises(ValueError, match="metrics"):
        registry.register(name)


@given(st.lists(st.tuples(NAMES, st.integers(0, 3))))
def test_names_are_sorted_and_the_first_registration_stays(registrations):
    objects = [object() for _ in range(4)]
    registry, first = Registry("things"), {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DuplicateRegistrationWarning)
        for name, index in registrations:
            registry.register(name, objects[index])
            first.setdefault(name, objects[index])
    assert registry.list() == registry.names() == list(registry) == sorted(first)
    assert registry.items() == sorted(first.items(), key=lambda item: item[0])
    assert len(registry) == len(first)
    assert all(name in registry and registry[name] is first[name] for name in first)


def write(registry, number, end, own):
    """Registers names of its own, names that every writer wants, and one that comes and goes."""
    for count in range(400):
        registry.register(f"own-{number}-{count}", (number, count))
        own.append(f"own-{number}-{count}")
        registry.register(f"shared-{count % 50}", number)
        registry.register(f"passing-{number}", count)
        assert registry.get(f"passing-{number}") == count
        registry.unregister(f"passing-{number}")
        if time.monotonic() > end:
            return


def read(registry, number, end, own):
    """Checks that what is listed is sorted, single and there, and that whoever was first stays."""
    first = {}
    while time.monotonic() < end:
        names = registry.list()
        assert names == sorted(set(names))
        shared = {name: registry[name] for name in names if name.startswith("shared")}
        assert all(first.setdefault(name, holder) == holder for name, holder in shared.items())
        assert all(name in registry for name in names if not name.startswith("passing"))
        assert min(len(registry), len(registry.items())) >= len(first)
        assert repr(registry)


def test_sixteen_threads_that_register_and_read_lose_and_double_no_name(registry):
    failures, own, end = [], [], time.monotonic() + 2

    def guarded(work, number):
        try:
            work(registry, number, end, own)
        except BaseException as error:
            failures.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DuplicateRegistrationWarning)
            threads = [threading.Thread(target=guarded, args=(work, n)) for work in (write, read) for n in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert failures == []
    assert len(own) > 1000
    expected = {*own, *(f"shared-{number}" for number in range(50))}
    assert set(registry.list()) == expected
    assert len(registry) == len(expected) == len(own) + 50


def test_a_registry_pickles_with_its_content(registry):
    registry.register("double", double, category="toy")
    registry.alias("twice", "double", since="0.2", removed_in="0.4")
    for again in (pickle.loads(pickle.dumps(registry)), copy.copy(registry)):
        assert again.kind == "metrics"
        assert again["double"] is double
        assert again.describe("twice") == registry.describe("twice")
        again.register("another", print)
        assert "another" not in registry


def test_a_default_is_given_for_a_missing_name(registry):
    assert registry.get("x") is None
    assert registry.get("x", 3) == 3


def test_an_unknown_name_is_an_error_with_matches_and_the_way_to_list_all(registry):
    registry.register("accuracy", double)
    for look in (registry.__getitem__, registry.describe, registry.resolve_and_instantiate, registry.unregister):
        with pytest.raises(UnknownComponentError, match=r"'acuracy' of kind 'metrics'.*'accuracy'.*list\(\)") as caught:
            look("acuracy")
        assert caught.value.matches == ("accuracy",)


def test_membership_length_and_repr_touch_no_object(registry):
    class Untouchable:
        def __getattribute__(self, name):
            raise AssertionError(f"{name} was read")

        def __repr__(self):
            raise AssertionError("repr was asked")

    registry.register("x", Untouchable())
    assert "x" in registry
    assert 3 not in registry
    assert len(registry) == 1
    assert repr(registry) == "Registry(kind='metrics', names=['x'])"


def test_instantiating_calls_with_any_argument_names(registry):
    registry.register("maker", lambda *args, **kwargs: (args, kwargs))
    assert registry.resolve_and_instantiate("maker", 1, name="n", self=2) == ((1,), {"name": "n", "self": 2})


def test_what_cannot_be_called_is_returned_as_it_is(registry):
    table = {"a": 1}
    registry.register("table", table)
    assert registry.resolve_and_instantiate("table") is table


def test_an_old_name_keeps_working_with_a_deprecation_warning(registry):
    registry.register("double", double)
    registry.alias("twice", "double", since="0.2", removed_in="0.4")
    for look in (registry.get, registry.__getitem__):
        with pytest.warns(DeprecationWarning, match=r"'twice'.*'double'.*0\.2.*0\.4") as caught:
            assert look("twice") is double
        assert caught[0].filename == __file__
    with pytest.warns(DeprecationWarning, match="'twice'"):
        assert registry.resolve_and_instantiate("twice", 2) == 4


def test_an_old_name_is_known_and_not_listed(registry):
    registry.register("double", double)
    registry.alias("twice", "double", since="0.2", removed_in="0.4")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "twice" in registry
        assert registry.list() == ["double"]
        assert len(registry) == 1
        assert "0.4" in registry.describe("twice").deprecation
    assert registry.describe("double").deprecation is None


def test_an_alias_may_come_before_what_it_leads_to(registry):
    registry.alias("twice", "double", since="0.2", removed_in="0.4")
    assert "twice" not in registry
    assert registry.get("twice", 5) == 5
    with pytest.raises(UnknownComponentError):
        registry["twice"]
    registry.register("double", double)
    assert "twice" in registry


def test_an_alias_of_an_alias_is_followed(registry):
    registry.register("c", double)
    registry.alias("b", "c", since="1", removed_in="3")
    registry.alias("a", "b", since="2", removed_in="4")
    with pytest.warns(DeprecationWarning, match="use 'c' instead: deprecated since 2, to be removed in 4"):
        assert registry["a"] is double


def test_an_alias_that_leads_back_is_refused(registry):
    registry.alias("a", "b", since="1", removed_in="2")
    with pytest.raises(ValueError, match="leads back"):
        registry.alias("b", "a", since="1", removed_in="2")
    with pytest.raises(ValueError, match="leads back"):
        registry.alias("c", "c", since="1", removed_in="2")


def test_names_restored_into_a_circle_are_unknown_and_hang_nothing(registry):
    registry.alias("a", "b", since="1", removed_in="2")
    with registry.override("a", double):
        registry.alias("b", "a", since="1", removed_in="2")
        with pytest.warns(DeprecationWarning, match="'b'"):
            assert registry["b"] is double
    assert "a" not in registry
    assert "b" not in registry


def test_the_first_holder_of_a_name_stays_alias_or_not(registry):
    registry.register("double", double)
    registry.alias("twice", "double", since="1", removed_in="2")
    registry.alias("twice", "double", since="1", removed_in="2")
    with pytest.warns(DuplicateRegistrationWarning, match="alias of 'double'"):
        registry.register("twice", print)
    with pytest.warns(DuplicateRegistrationWarning):
        registry.alias("double", "print", since="1", removed_in="2")
    assert registry["double"] is double


def test_unregistering_leaves_no_trace(registry):
    registry.register("x", double)
    registry.unregister("x")
    assert "x" not in registry
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        registry.register("x", print)
    assert registry["x"] is print


def test_an_override_restores_exactly_what_was_there(registry):
    registry.register("x", double, category="toy")
    before = registry.describe("x")
    with registry.override("x", print) as inner:
        assert inner is registry["x"] is print
        with registry.override("x", len):
            assert registry["x"] is len
        assert registry["x"] is print
        registry.unregister("x")
    assert registry.describe("x") == before


def test_an_override_of_a_new_name_removes_it_even_after_an_error(registry):
    def fail():
        assert "x" in registry
        raise RuntimeError

    with pytest.raises(RuntimeError), registry.override("x", double):
        fail()
    assert "x" not in registry


def test_an_override_of_an_alias_restores_the_alias(registry):
    registry.register("double", double)
    registry.alias("twice", "double", since="1", removed_in="2")
    with registry.override("twice", print):
        assert registry["twice"] is print
    with pytest.warns(DeprecationWarning, match="'twice'"):
        assert registry["twice"] is double


def test_a_description_of_what_was_registered_directly(registry):
    registry.register("f1", component(category="toy", scale=1)(partial(double)), scale=100)
    registry.register("double", double)
    f1, plain = registry.describe("f1"), registry.describe("double")
    assert (f1.kind, f1.name, f1.stable, f1.api) == ("metrics", "f1", True, "v1")
    assert f1.meta == {"category": "toy", "scale": 100}
    assert (f1.summary, f1.target, f1.distribution, f1.version) == ("", None, None, None)
    assert plain.summary == "Twice a number."
    assert plain.target == f"{__name__}:double"
    assert not plain.stable
    with pytest.raises(AttributeError):
        plain.name = "other"


def test_a_description_of_what_was_loaded_names_its_distribution(install, registry):
    install(
        "acme",
        version="3.1",
        entry_points=f"[{GROUP}]\nx = acme_described:make\n",
        acme_described='def make():\n    """Makes it."""\n',
    )
    assert registry.load_from_entry_points(GROUP) == (1, {})
    found = registry.describe("x")
    assert (found.distribution, found.version, found.target) == ("acme", "3.1", "acme_described:make")
    assert found.summary == "Makes it."


def test_loading_survives_every_broken_plugin(install, registry):
    install(
        "acme",
        entry_points=f"""
            [{GROUP}]
            good = acme_good:make
            exits = acme_exits:make
            newer = acme_newer:make
            bad name = acme_good:make
            missing = acme_nowhere:make
            """,
        acme_good="def make(): pass\n",
        acme_exits="import sys\nsys.exit('bye')\n",
        acme_newer="def make(): pass\nmake.__codex_api__ = 'v2'\n",
    )
    count, errors = registry.load_from_entry_points(GROUP)
    assert count == 1
    assert registry.list() == ["good"]
    assert sorted(errors) == ["bad name", "exits", "missing", "newer"]
    assert all("acme" in message for message in errors.values())
    assert "SystemExit: bye" in errors["exits"]
    assert "'v1'" in errors["newer"]
    assert "'v2'" in errors["newer"]


def test_loading_twice_changes_nothing(install, registry):
    install("acme", entry_points=f"[{GROUP}]\nx = acme_twice:make\n", acme_twice="def make(): pass\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert registry.load_from_entry_points(GROUP) == registry.load_from_entry_points(GROUP) == (1, {})


def test_what_was_registered_before_loading_stays(install, registry):
    registry.register("x", double)
    install("acme", entry_points=f"[{GROUP}]\nx = acme_late:make\n", acme_late="def make(): pass\n")
    with pytest.warns(DuplicateRegistrationWarning, match=r"double.*acme_late:make of acme 1\.0"):
        assert registry.load_from_entry_points(GROUP) == (0, {})
    assert registry["x"] is double


@pytest.mark.parametrize("name", [1, None, [], ("a",)])
def test_what_is_no_name_is_unknown_like_any_other(registry, name):
    registry.register("one", 1)
    assert registry.get(name, "default") == "default"
    assert name not in registry
    for asked in (registry.__getitem__, registry.describe, registry.unregister, registry.resolve_and_instantiate):
        with pytest.raises(UnknownComponentError):
            asked(name)


def test_overrides_that_end_in_another_order_restore_what_was_there(registry):
    registry.register("one", "original")
    first, second = registry.override("one", "first"), registry.override("one", "second")
    first.__enter__()
    second.__enter__()
    assert registry["one"] == "second"
    first.__exit__(None, None, None)
    assert registry["one"] == "second"
    second.__exit__(None, None, None)
    assert registry["one"] == "original"
    with registry.override("new", 1):
        assert pickle.loads(pickle.dumps(registry))["new"] == 1
    assert "new" not in registry


def test_a_chain_of_aliases_advises_the_name_at_its_end(registry):
    registry.register("one", 1)
    registry.alias("b", "one", since="0.3", removed_in="0.5")
    registry.alias("a", "b", since="0.2", removed_in="0.4")
    with pytest.warns(DeprecationWarning, match="'a' is an old name; use 'one' instead"):
        assert registry["a"] == 1
    assert registry.describe("a").deprecation.startswith("use 'one'")


def test_a_description_cannot_be_changed(registry):
    registry.register("one", 1, category="number")
    with pytest.raises(TypeError):
        registry.describe("one").meta["category"] = "other"
