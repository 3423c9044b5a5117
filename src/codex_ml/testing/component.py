"""What the checks of every kind share."""

from __future__ import annotations

import functools
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from statistics import median
from typing import Any, ClassVar

from codex_addons.component import api_version, meta_of
from codex_addons.entry_points import InstalledEntryPoint
from codex_addons.errors import CodexAddonsError, closest
from codex_ml import registries
from codex_ml.launch.assembly import Component
from codex_ml.launch.conversion import REQUIRED, ConversionError, convert
from codex_ml.launch.declarations import HEAVY
from codex_ml.launch.schema import Schema, read_schema
from codex_ml.testing.declaration import default_value, wrong_defaults
from codex_ml.testing.expectation import check, raised
from codex_ml.testing.fresh_interpreter import Imported, imported_apart

__all__ = ["ComponentTests"]

# Whoever lists or checks components waits for the import of each.
_LONGEST_IMPORT = 1.0
# What is read in `__codex_meta__` by anyone; other keys are the author's own.
_META = (
    *("input", "greater_is_better", "scale", "version"),
    *("head", "heads", "files", "endings", "bad_rows", "checkpoints"),
    *("requires", "uses", "extra", "category", "observer"),
)


class ComponentTests:
    """Checks that hold for a component of any kind.

    Attributes:
        kind: The kind; each class of the kit sets its own.
        name: The component's name, which is its entry point's; `<distribution>/<name>` where another one hides it.
        options: The options to check it with, beside its defaults.
        bad_options: Options that it must refuse, each a mapping that is put over `options`: by their type, by what the
            declaration says of them, or by a `ValueError`.
        heavy_imports_allowed: Whether its module may import torch and the like at its top, and take long to import.
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
        """`requires` and `uses` name distributions, and no key is a known one misspelt, which nobody would read."""
        for key in meta_of(self.component):
            meant = [] if key in _META else closest(key, _META, 1)
            check(not meant, f"{self}: nobody reads __codex_meta__['{key}']; did you mean {meant and meant[0]!r}?")
        for key in ("requires", "uses"):
            value = meta_of(self.component).get(key, ())
            names = [value] if isinstance(value, str) else value
            fits = isinstance(names, list | tuple) and all(isinstance(name, str) and name for name in names)
            check(fits, f"{self}: __codex_meta__['{key}'] must be the names of distributions, not {value!r}")

    def test_its_options_can_be_read_and_fit_their_annotations(self) -> None:
        """Every default survives YAML and is of the type that its own annotation names."""
        problems = wrong_defaults(self.component, self.schema, self.options)
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
        imports = _imports(module)
        if self.heavy_imports_allowed:
            return
        otherwise = "import it inside the function that uses it (or set `heavy_imports_allowed = True`)"
        found = sorted(imports[0].names & HEAVY)
        check(not found, f"importing {module} imports {', '.join(found)}: {otherwise}")
        seconds = median(each.seconds for each in imports)
        told = (
            f"importing {module} takes {seconds:.1f} seconds, more than {_LONGEST_IMPORT:.0f}: look for what takes long"
        )
        check(seconds <= _LONGEST_IMPORT, f"{told} at its top; if that is an import, {otherwise}")

    def test_its_docstring_says_what_it_is(self) -> None:
        """`codex-ml plugins show` prints the first line."""
        first = _docstring(self.component).strip().partition("\n")[0].strip()
        check(first, f"{self} has no docstring: its first line is what `codex-ml plugins show` prints")


def _imports(module: str) -> list[Imported]:
    """Three imports of a module, or two where these are on one side of the limit, as then their median is as well."""
    imports = [imported_apart(module), imported_apart(module)]
    if len({each.seconds <= _LONGEST_IMPORT for each in imports}) > 1:
        imports.append(imported_apart(module))
    return imports


def _docstring(component: Any) -> str:
    while isinstance(component, functools.partial):
        component = component.func
    text = getattr(component, "__doc__", None) or ""
    # The signature that a dataclass without a docstring gets.
    return "" if isinstance(component, type) and text.startswith(f"{component.__name__}(") else text
