"""What holds for a component of any kind, tried on metrics and a model: a right one passes, each wrong one is told."""

import enum
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import pytest

from codex_addons.component import component
from codex_ml.testing import MetricTests, ModelTests
from codex_ml.testing.component import ComponentTests


def scored(predictions, labels):
    if len(predictions) != len(labels) or not labels:
        raise ValueError("one prediction a label, and one at least")
    return sum(p == t for p, t in zip(predictions, labels, strict=True)) / len(labels)


class Color(enum.Enum):
    RED = "r"
    BLUE = "b"


@dataclass(frozen=True)
class Inner:
    depth: int = 2


@dataclass(frozen=True)
class Declared:
    rate: float = field(default=1, metadata={"help": "A number."})
    mode: Literal["a", "b"] = "a"
    path: Path = Path("x/y")
    sizes: tuple[int, ...] = (1, 2)
    color: Color = Color.RED
    inner: Inner = field(default_factory=Inner)
    text: str = "${not.an.interpolation} 2020-01-01"
    nothing: int | None = None
    words: frozenset[str] = frozenset({"a", "b"})

    def __post_init__(self):
        if self.rate < 0:
            raise ValueError("rate must be 0 or more")


@component(config=Declared, requires=("numpy",))
def declared(predictions, labels, **options):
    """A metric with an option of every type."""
    if options["mode"] == "b":
        raise ValueError("b is not for you")
    return scored(predictions, labels)


def plain(predictions, labels, *, rate: float = 0.5, stop: int = None, names=("a",)):  # noqa: RUF013
    """A metric that declares nothing."""
    assert (names, stop) == (["a"], None)
    return scored(predictions, labels)


def no_docstring(predictions, labels):
    return scored(predictions, labels)


@component(api="v2")
def newer(predictions, labels):
    """Declares another API version."""
    return scored(predictions, labels)


not_callable = 3


def wrong_default(predictions, labels, *, steps: int = 0.5):
    """Its default is no int."""
    return scored(predictions, labels)


def wrong_literal(predictions, labels, *, mode: Literal["a", "b"] = "c"):
    """Its default is none of the choices."""
    return scored(predictions, labels)


def default_without_yaml(predictions, labels, *, marker: Any = object()):  # noqa: B008
    """Its default cannot be written."""
    return scored(predictions, labels)


def default_comes_back_changed(predictions, labels, *, where=Path("x")):
    """Its default is a path, and nothing says so."""
    return scored(predictions, labels)


def reserved_option(predictions, labels, *, factory: str = "x"):
    """Its option would be taken for another thing."""
    return scored(predictions, labels)


@dataclass
class RefusesItself:
    rate: float = -1.0

    def __post_init__(self):
        if self.rate < 0:
            raise ValueError("rate must be 0 or more")


@component(config=RefusesItself)
def refuses_its_defaults(predictions, labels, **options):
    """Its declaration cannot be built of its defaults."""
    return scored(predictions, labels)


def unreadable_options(predictions, labels):
    """Its declaration is no dataclass."""
    return scored(predictions, labels)


unreadable_options.__codex_config__ = int


def _made_inside():
    def made(predictions, labels):
        """A metric that is no attribute of its module."""
        return scored(predictions, labels)

    return made


unpicklable = _made_inside()


def wrong_requires(predictions, labels):
    """Names no distribution."""
    return scored(predictions, labels)


wrong_requires.__codex_meta__ = {"requires": (3,)}


def accepts_anything(predictions, labels, *, rate: float = 0.5):
    """Takes a rate below 0."""
    return scored(predictions, labels)


def fails_otherwise(predictions, labels, *, rate: float = 0.5):
    """Raises the wrong thing."""
    if rate < 0:
        raise KeyError("rate")
    return scored(predictions, labels)


COMPONENTS = {
    "metric": [
        *("declared", "plain", "no_docstring", "newer", "not_callable", "wrong_default", "wrong_literal"),
        *("default_without_yaml", "default_comes_back_changed", "reserved_option", "refuses_its_defaults"),
        *("unreadable_options", "unpicklable", "wrong_requires", "accepts_anything", "fails_otherwise"),
        ("no.option", f"{__name__}:plain"),
        ("no_module", "no_such_module_anywhere:metric"),
        ("heavy", "kit_heavy_module:metric"),
    ],
    "model": [("open_model", f"{__name__}:open_model")],
}
CASES = [(["a", "b"], ["a", "c"], 0.5)]


def open_model(config):
    """Builds nothing."""
    raise ValueError("no")


def test_right_ones_pass(failures):
    bad = [{"rate": -1}, {"mode": "b"}, {"mode": "c"}, {"rate": "fast"}, {"unheard_of": 1}]
    assert failures(MetricTests, name="declared", cases=CASES, bad_options=bad) == {}
    assert failures(MetricTests, name="plain", cases=CASES) == {}
    assert failures(MetricTests, name="kit-tests/plain", cases=CASES) == {}


OPTIONS = "its_options_can_be_read_and_fit_their_annotations"


@pytest.mark.parametrize(
    ("name", "check", "message"),
    [
        ("no_docstring", "its_docstring_says_what_it_is", "has no docstring"),
        (
            "wrong_default",
            OPTIONS,
            "'steps' has a default that does not fit its own annotation: it must be int",
        ),
        ("wrong_literal", OPTIONS, "'mode' has a default that does not fit its own annotation: it must be one of a, b"),
        ("default_without_yaml", OPTIONS, "which YAML cannot hold"),
        ("default_comes_back_changed", OPTIONS, "a run would get 'x' of type str: annotate it"),
        ("reserved_option", OPTIONS, "an option may not be called 'factory'"),
        ("unpicklable", "it_can_be_pickled", "define it at the top of its module"),
        ("wrong_requires", "what_it_tells_about_itself_can_be_read", "must be the names of distributions, not (3,)"),
    ],
)
def test_a_wrong_one_fails_one_check(failures, name, check, message):
    found = failures(MetricTests, name=name, cases=CASES)
    assert set(found) == {check}
    assert message in found[check]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("newer", "declares the plugin API 'v2', and 'v1' is required"),
        ("no_module", "No module named 'no_such_module_anywhere'"),
        ("absent", "Is the package installed (pip install -e .)?"),
        ("no.option", "'no.option' is no name for an option in YAML"),
        ("", "names no component: set `name` to that of its entry point"),
        ("not_callable", "is a int: no callable"),
        ("unreadable_options", "cannot be read: TypeError: __codex_config__ must be a dataclass"),
        ("refuses_its_defaults", "rate must be 0 or more"),
    ],
)
def test_one_that_cannot_be_used_at_all_fails_with_the_reason(failures, name, message):
    found = failures(MetricTests, name=name, cases=CASES)
    assert found
    assert any(message in told for told in found.values()), found


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("accepts_anything", "metric 'accepts_anything' with {'rate': -1} must raise ValueError, and gives 0.5"),
        ("fails_otherwise", "must raise ValueError, and raises KeyError: 'rate'"),
    ],
)
def test_a_bad_option_that_is_not_refused_is_told(failures, name, message):
    found = failures(MetricTests, name=name, cases=CASES, bad_options=[{"rate": -1}])
    assert set(found) == {"bad_options_are_refused"}
    assert message in found["bad_options_are_refused"]


@pytest.mark.parametrize("library", ["numpy", "pandas", "polars", "torch"])
def test_a_heavy_import_is_told_by_name_unless_it_is_allowed(failures, library, tmp_path, monkeypatch):
    (tmp_path / f"{library}.py").write_text("")
    (tmp_path / "kit_heavy_module.py").write_text(f"import {library}\nfrom {__name__} import plain as metric\n")
    (tmp_path / f"{__name__}.py").write_text("def plain(predictions, labels): '''It.'''\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("sys.modules", {**sys.modules})

    class Heavy(ComponentTests):
        kind = "metric"
        name = "heavy"

    with pytest.raises(AssertionError, match=f"kit_heavy_module imports {library}: import it inside the function"):
        Heavy().test_importing_its_module_is_cheap()
    Heavy.heavy_imports_allowed = True
    Heavy().test_importing_its_module_is_cheap()


def test_an_import_that_takes_long_is_told_unless_it_is_allowed(tmp_path, monkeypatch):
    (tmp_path / "kit_heavy_module.py").write_text("import time\ntime.sleep(1.1)\n")
    monkeypatch.syspath_prepend(tmp_path)

    class Slow(ComponentTests):
        kind = "metric"
        name = "heavy"

    with pytest.raises(AssertionError, match=r"importing kit_heavy_module takes 1\.\d seconds, more than 1: look for"):
        Slow().test_importing_its_module_is_cheap()
    Slow.heavy_imports_allowed = True
    Slow().test_importing_its_module_is_cheap()


def test_an_import_that_takes_long_only_once_is_not_told(tmp_path, monkeypatch):
    # As the first one does, which compiles.
    code = f"import pathlib, time\nmark = pathlib.Path({str(tmp_path / 'mark')!r})\n"
    code += "time.sleep(0 if mark.exists() else 1.1)\nmark.touch()\n"
    (tmp_path / "kit_heavy_module.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)

    class Slow(ComponentTests):
        kind = "metric"
        name = "heavy"

    Slow().test_importing_its_module_is_cheap()


def test_a_module_that_cannot_be_imported_is_told():
    class Absent(ComponentTests):
        kind = "metric"
        name = "no_module"

    with pytest.raises(AssertionError, match="cannot be imported by itself: ModuleNotFoundError"):
        Absent().test_importing_its_module_is_cheap()


def test_options_are_given_as_a_run_gives_them():
    class Declares(MetricTests):
        name = "declared"
        options = MappingProxyType({"rate": 2, "path": Path("z")})

    arguments = Declares().arguments(sizes=[3])
    assert arguments == {
        **vars(Declared()),
        "rate": 2.0,
        "path": Path("z"),
        "sizes": (3,),
    }
    with pytest.raises(AssertionError, match="metric 'declared' has no option 'rat'; it has: rate, mode"):
        Declares().arguments(rat=1)
    with pytest.raises(AssertionError, match="refuses its options: rate must be 0 or more"):
        Declares().arguments(rate=-1)


def test_an_open_component_takes_any_option():
    class Open(ModelTests):
        name = "open_model"

    assert Open().arguments(anything=3)["anything"] == 3


def test_which_classes_are_collected():
    assert not MetricTests.__test__

    class _OfThisPackage(MetricTests):
        tolerance = 0.1

    class TestForgotTheName(MetricTests):
        pass

    class Named(_OfThisPackage):
        name = "plain"

    assert (_OfThisPackage.__test__, TestForgotTheName.__test__, Named.__test__) == (False, True, True)


def test_importing_the_kit_imports_neither_torch_nor_pytest():
    code = (
        "import sys, codex_ml.testing\nprint(sorted({'torch', 'transformers', 'numpy', 'pytest'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
