"""The plugins of a run, and what they are told of its life."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from codex_ml.errors import CodexError
from codex_ml.interfaces import LIFECYCLE
from codex_ml.launch.assembly import Component
from codex_ml.launch.blame import blame
from codex_ml.launch.seeding import seed_everything

__all__ = ["Callbacks"]

logger = logging.getLogger(__name__)


class Callbacks:
    """Passes the events of a run on, in the order in which the plugins were named.

    An exception in a plugin that declares itself an observer is logged once, and the plugin is left out from then on.
    An exception in another one fails the run.
    """

    def __init__(self, plugins: Sequence[Component] = (), *, seed: int = 0, extra: Iterable[object] = ()) -> None:
        """Builds the plugins, each right after seeding.

        Args:
            plugins: The plugins; one whose factory returns None takes no part.
            seed: The run's seed.
            extra: Callbacks that are there already, told after the plugins; their exceptions fail the run.

        Raises:
            CodexError: A plugin that is no observer cannot be built.
        """
        self._callbacks: list[tuple[Component | None, Any]] = []
        for plugin in plugins:
            seed_everything(seed, f"plugin:{plugin.key}")
            try:
                with blame(plugin):
                    built = plugin.factory(**plugin.options)
            except CodexError as error:
                if not plugin.meta.get("observer"):
                    raise
                _report(error, left_out=True)
            else:
                self._callbacks.append((plugin, built))
        self._callbacks += [(None, callback) for callback in extra]
        self._callbacks = [pair for pair in self._callbacks if pair[1] is not None]

    @property
    def should_stop(self) -> bool:
        """Whether one of them asks the run to end early, by an attribute `should_stop` that is True."""
        return any(getattr(callback, "should_stop", None) is True for _, callback in self._callbacks)

    def state(self) -> dict[str, Any]:
        """What each plugin that has a method `state` needs to go on, by its key."""
        kept: dict[str, Any] = {}
        for plugin, callback in tuple(self._callbacks):
            if plugin is not None and hasattr(callback, "state") and hasattr(callback, "load_state"):
                with self._forgiving(plugin, callback, "in state"):
                    kept[plugin.key] = callback.state()
        return kept

    def load_state(self, kept: Mapping[str, Any]) -> None:
        """Gives each plugin back what its `state` returned."""
        for plugin, callback in tuple(self._callbacks):
            if plugin is not None and plugin.key in kept:
                with self._forgiving(plugin, callback, "in load_state"):
                    callback.load_state(kept[plugin.key])

    @contextmanager
    def _forgiving(self, plugin: Component, callback: Any, doing: str) -> Iterator[None]:
        try:
            with blame(plugin, doing):
                yield
        except CodexError as error:
            if not plugin.meta.get("observer"):
                raise
            _report(error, left_out=True)
            self._callbacks = [pair for pair in self._callbacks if pair[1] is not callback]

    def emit(self, event: str, *arguments: Any, failing: bool = False) -> None:
        """Calls the method of this name of every callback that has it.

        Args:
            event: One of the lifecycle methods.
            *arguments: What they are called with.
            failing: The run fails already: exceptions are logged, so that none hides the first one.

        Raises:
            CodexError: A plugin that is no observer failed; the message names it and its distribution.
        """
        if event not in LIFECYCLE:
            raise ValueError(f"{event!r} is none of {', '.join(LIFECYCLE)}")
        for plugin, callback in tuple(self._callbacks):
            method = getattr(callback, event, None)
            if method is None:
                continue
            try:
                if plugin is None:
                    method(*arguments)
                else:
                    with blame(plugin, f"in {event}"):
                        method(*arguments)
            except Exception as error:
                observer = plugin is not None and plugin.meta.get("observer")
                if not observer and not failing:
                    raise
                _report(error, left_out=bool(observer))
                if observer:
                    self._callbacks = [pair for pair in self._callbacks if pair[1] is not callback]


def _report(error: Exception, *, left_out: bool) -> None:
    logger.warning("%s%s", error, "; it is left out of the rest of the run" if left_out else "")
    logger.debug("where it failed", exc_info=error)
