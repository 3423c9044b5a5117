"""Checks of a plugin."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from codex_addons.errors import closest
from codex_ml.errors import CodexError
from codex_ml.interfaces import LIFECYCLE
from codex_ml.testing.component import ComponentTests
from codex_ml.testing.expectation import check
from codex_ml.testing.tiny_run import ran, tiny_assembly

__all__ = ["PluginTests"]


class PluginTests(ComponentTests):
    """Checks that a plugin is one: `plugin(**options)` gives a callback with any of the lifecycle methods, or None."""

    kind: ClassVar[str] = "plugin"

    def use(self, folder: Path, arguments: Mapping[str, Any]) -> Any:
        """Builds the callback."""
        return self.component(**arguments)

    def test_its_methods_are_those_of_the_lifecycle(self) -> None:
        """A method that is spelled otherwise would never be called, and nobody would say so."""
        callback = self.use(Path(), self.arguments())
        if callback is None:
            return
        for name, meant in _strays(callback):
            hint = f"did you mean {meant}?" if meant else f"there are {', '.join(LIFECYCLE)}"
            check(False, f"{self} has the method {name}, which is never called; {hint}")
        for name in LIFECYCLE:
            method = getattr(callback, name, None)
            check(method is None or callable(method), f"{self}: {name} is a {type(method).__name__}, and is called")

    def test_it_lives_through_a_run(self, tmp_path: Path) -> None:
        """Each of its methods is called as a run calls it, and none of them fails."""
        # What an observer raises is only logged in a run; here it is to be seen.
        plugin = replace(self.chosen(), meta={})
        try:
            record = ran(tmp_path, tiny_assembly(tmp_path, plugins=(plugin,)))
        except CodexError as error:
            raise AssertionError(str(error)) from error
        check(record["status"] == "completed", f"the run with {self} ended with {record['error']}")

    def test_it_lives_through_a_run_that_fails_early(self) -> None:
        """A run that fails before training starts tells of its beginning and its end alone."""
        callback = self.use(Path(), self.arguments())
        record = {"status": "failed", "error": {"type": "DataError", "message": "there are no records"}, "metrics": {}}
        for event in ("on_run_start", "on_run_end"):
            method = getattr(callback, event, None)
            if method is None:
                continue
            try:
                method({"status": "running"} if event == "on_run_start" else record)
            except Exception as error:
                raise AssertionError(
                    f"{self} fails in {event} of a run that failed early: {type(error).__name__}: {error}"
                ) from error

    def test_an_observer_changes_no_result(self, tmp_path: Path) -> None:
        """One that declares itself an observer has no part in a run's identity, so it may have none in its numbers."""
        plugin = self.chosen()
        if not plugin.meta.get("observer"):
            return
        results = []
        for name, plugins in {"with": (plugin,), "without": ()}.items():
            folder = tmp_path / name
            folder.mkdir()
            record = ran(folder, tiny_assembly(folder, plugins=plugins))
            results.append((record["metrics"], (folder / "model" / "model.safetensors").read_bytes()))
        check(results[0] == results[1], f"{self} declares itself an observer, and the run's result is another with it")


def _strays(callback: object) -> Iterator[tuple[str, str]]:
    """The methods that look like lifecycle methods and are none, and what each was probably meant to be."""
    plain = {name.replace("_", ""): name for name in LIFECYCLE}
    for name in dir(callback):
        if name in LIFECYCLE or not name.lower().startswith("on"):
            continue
        # Statically, as a property must not be called by a look at it.
        found = inspect.getattr_static(callback, name)
        if not callable(getattr(found, "__func__", found)):
            continue
        near = closest(name.replace("_", ""), plain, 1)
        if near or name.startswith("on_"):
            yield name, plain[near[0]] if near else ""
