"""What the checks of every kind share."""

from __future__ import annotations

import functools
import json
import pickle
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, ClassVar

from codex_addons.component import api_version, meta_of
from codex_addons.entry_points import InstalledEntryPoint
from codex_addons.errors import CodexAddonsError
from codex_ml import registries
from codex_ml.launch.assembly import Component
from codex_ml.launch.conversion import REQUIRED, ConversionError, convert
from codex_ml.launch.schema import Schema, read_schema
from codex_ml.testing.declaration import default_value, wrong_defaults
from codex_ml.testing.expectation import check, raised

__all__ = ["HEAVY", "ComponentTests"]

HEAVY: tuple[str, ...] = ("jax", "pandas", "scipy", "sklearn", "tensorflow", "torch", "transformers")
"""Libraries whose import takes so long that whoever only lists or checks components is to be spared it."""

_MARK = "imported:"
# A path given by PYTHONPATH would lack what the test suite itself put on the path.
_IMPORT = f"""
import importlib, json, sys
sys.path[:] = json.loads(sys.argv[1])
before = set(sys.modules)
importlib.import_module(sys.argv[2])
print("\\n{_MARK}", *{{name.partition(".")[0] for name in set(sys.modules) - before}})
"""


class ComponentTests:
    """Checks that hold for a component of any kind.

    Attributes:
        kind: The kind; each class of the kit sets its own.
        name: The component's name, which is its entry point's; `<distribution>/<name>` where another one hides it.
        options: The options to check it with, beside its defaults.
        bad_options: Options that it must refuse, each a mapping that is put over `options`: by their type, by what the
            declaration says of them, or by a `ValueError`.
        heavy_imports_allowed: Whether its module may import torch and the like at its top.
    """

    kind: ClassVar[str] = ""
    name: str = ""
    options: Mapping[str, Any] = {}
    bad_options: Sequence[Mapping[str, Any]] = ()
    heavy_imports_allowed: bool = False

    # pytest looks at everything that a module holds, also at a base class that was only imported there.
    __test__: ClassVar[bool] = False

    def __init_subclass__(cls, **keywords: Any) -> None:
        """Has pytest collect the classes that name a component, or are meant to."""
        super().__init_subclass__(**keywords)
        cls.__test__ = bool(cls.name) or cls.__name__.startswith("Test")

    @property
    def entry(self) -> InstalledEntryPoint:
        """Where the component comes from."""
        check(self.name, f"{type(self).__name__} names no component: set `name` to that of its entry point")
        plain = self.name.rpartition("/")[2]
        told = f"{plain!r} is no name for an option in YAML: use letters, digits, _ and -, and not true, null, ..."
        check(registries.is_option(plain), told)
        try:
            return registries.find(self.kind, self.name)
        except CodexAddonsError as error:
            raise AssertionError(f"{error} Is the package installed (pip install -e .)?") from error

    @property
    def component(self) -> Any:
        """The component itself, loaded through its entry point."""
        _ = self.entry
        try:
            return registries.load(self.kind, self.name)
        except CodexAddonsError as error:
            raise AssertionError(str(error)) from error

    @property
    def schema(self) -> Schema:
        """Its options, as a run reads them."""
        try:
            return read_schema(self.kind, self.component)
        except Exception as error:
            raise AssertionError(f"the options of {self} cannot be read: {type(error).__name__}: {error}") from error

    def arguments(self, **changes: Any) -> dict[str, Any]:
        """The options as a run gets them: the defaults with `options` and changes over them, converted.

        Raises:
            AssertionError: One is unknown, of another type or not given.
        """
        schema = self.schema
        given = {**{name: default_value(item) for name, item in schema.options.items() if item.listed}, **self.options}
        converted: dict[str, Any] = {}
        for name, value in {**given, **changes}.items():
            option = schema.options.get(name)
            check(
                option or schema.open, f"{self} has no option '{name}'; it has: {', '.join(schema.options) or 'none'}"
            )
            check(value != REQUIRED, f"{self} needs a value for '{name}': give it in `options`")
            try:
                plain = str(value) if isinstance(value, PurePath) else value
                converted[name] = convert(plain, option.annotation if option else Any)
            except ConversionError as error:
                raise AssertionError(f"{self}: the option '{name}{error.where}' {error.message}") from error
        complaints = schema.complaints(converted)
        check(not complaints, f"{self} refuses its options: {'; '.join(complaints)}")
        return converted

    def chosen(self, arguments: Mapping[str, Any] | None = None) -> Component:
        """The component with its options, or with other ones, as a run holds it."""
        options = dict(self.arguments() if arguments is None else arguments)
        key = registries.key_of(self.name)
        return Component(self.kind, key, self.name, options, self.component, self.entry, meta_of(self.component))

    def use(self, folder: Path, arguments: Mapping[str, Any]) -> Any:
        """Calls the component once; each class of the kit knows how."""
        raise NotImplementedError

    def __str__(self) -> str:
        return f"{self.kind} '{self.name}'"

    def test_its_entry_point_gives_something_to_call(self) -> None:
        """A run finds a component by its entry point and calls it."""
        check(
            callable(self.component), f"{self} ({self.entry.target}) is a {type(self.component).__name__}: no callable"
        )

    def test_it_declares_the_api_version(self) -> None:
        """A component that declares nothing is taken as v1."""
        declared = api_version(self.component)
        check(declared == "v1", f"{self} declares the plugin API {declared!r}; this codex-ml has 'v1'")

    def test_what_it_tells_about_itself_can_be_read(self) -> None:
        """`requires` and `uses` name distributions."""
        for key in ("requires", "uses"):
            value = meta_of(self.component).get(key, ())
            names = [value] if isinstance(value, str) else value
            fits = isinstance(names, list | tuple) and all(isinstance(name, str) and name for name in names)
            check(fits, f"{self}: __codex_meta__['{key}'] must be the names of distributions, not {value!r}")

    def test_its_options_can_be_read_and_fit_their_annotations(self) -> None:
        """Every default survives YAML and is of the type that its own annotation names."""
        problems = wrong_defaults(self.component, self.schema)
        check(not problems, f"{self}: " + "; ".join(problems))

    def test_bad_options_are_refused(self, tmp_path: Path) -> None:
        """What is wrong is told, by a `ValueError` at the latest, and never left to go wrong later."""
        for bad in self.bad_options:
            _ = self.arguments()
            try:
                arguments = self.arguments(**bad)
            except AssertionError:
                # As codex-run refuses it, before the component is called.
                continue
            raised(ValueError, f"{self} with {dict(bad)}", lambda given=arguments: self.use(tmp_path, given))

    def test_it_can_be_pickled(self) -> None:
        """Launchers carry components to other processes."""
        try:
            copy = pickle.loads(pickle.dumps(self.component))
        except Exception as error:
            raise AssertionError(
                f"{self} cannot be pickled ({type(error).__name__}: {error}): define it at the top of its module"
            ) from error
        check(type(copy) is type(self.component), f"{self} is a {type(copy).__name__} once pickled and read again")

    def test_importing_its_module_is_cheap(self) -> None:
        """A module that imports torch at its top makes everybody wait who only looks at options."""
        module = self.entry.target.partition(":")[0]
        found = sorted(set(_imported(module)) & {*HEAVY})
        check(
            not found or self.heavy_imports_allowed,
            f"importing {module} imports {', '.join(found)}: import it inside the function that uses it "
            "(or set `heavy_imports_allowed = True`)",
        )

    def test_its_docstring_says_what_it_is(self) -> None:
        """`codex-ml plugins show` prints the first line."""
        first = _docstring(self.component).strip().partition("\n")[0].strip()
        check(first, f"{self} has no docstring: its first line is what `codex-ml plugins show` prints")


def _imported(module: str) -> list[str]:
    """What is imported with a module, by a fresh interpreter; the names at the top."""
    command = [sys.executable, "-P", "-c", _IMPORT, json.dumps(sys.path), module]
    ended = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    marked = [line for line in ended.stdout.splitlines() if line.startswith(_MARK)]
    if ended.returncode or not marked:
        reason = (ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"])[-1]
        raise AssertionError(f"{module} cannot be imported by itself: {reason}")
    return marked[-1].split()[1:]


def _docstring(component: Any) -> str:
    while isinstance(component, functools.partial):
        component = component.func
    text = getattr(component, "__doc__", None) or ""
    # The signature that a dataclass without a docstring gets.
    return "" if isinstance(component, type) and text.startswith(f"{component.__name__}(") else text
