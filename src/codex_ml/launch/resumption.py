"""Saving where a run stands, and going on from there as if it had never been cut off."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codex_ml.launch.checkpoints import Checkpoints
from codex_ml.launch.export import WEIGHTS_FILE, read_weights, write_weights
from codex_ml.launch.seeding import random_states, set_random_states
from codex_ml.launch.state import read_state, write_state
from codex_ml.launch.surroundings import changed, surroundings

if TYPE_CHECKING:
    from codex_ml.launch.context import RunContext

__all__ = ["Resumption"]

logger = logging.getLogger(__name__)


class Resumption:
    """A run's checkpoints: weights, best weights, random states, length of the log, state of plugins and trainer.

    Attributes:
        step: The step at which the run was continued; None where it wasn't.
        evaluated: Whether the validation records had been measured by then.
    """

    def __init__(self, folder: Path, *, resume: bool) -> None:
        """Looks for a checkpoint to go on from.

        Args:
            folder: The run's folder.
            resume: Whether to go on from one; else what is there is removed.
        """
        self.step: int | None = None
        self.evaluated = False
        self._checkpoints = Checkpoints(folder)
        self._newest = self._checkpoints.newest() if resume else None
        if self._newest is None:
            # Of an attempt that was cut off before there was one: it must not be taken for this one's.
            self._checkpoints.clear()

    @property
    def possible(self) -> bool:
        """Whether there is a checkpoint to go on from."""
        return self._newest is not None

    def save(self, context: RunContext, step: int, state: Mapping[str, Any], *, keep: int) -> bool:
        """Writes a checkpoint; see `RunContext.save`."""
        write = self._writer(context, state)
        return self._checkpoints.save(step, write, keep=keep)

    def adopt(self, context: RunContext, folder: Path, state: Mapping[str, Any], *, keep: int) -> bool:
        """Completes a checkpoint that something else began; see `RunContext.adopt`."""
        return self._checkpoints.complete(folder, self._writer(context, state), keep=keep)

    def _writer(self, context: RunContext, state: Mapping[str, Any]) -> Callable[[Path], None]:
        whole = {
            "trainer": dict(state),
            "random": random_states(),
            "callbacks": context.callbacks.state(),
            "log": context.metrics_log.length,
            "evaluated": context.evaluated,
            "surroundings": surroundings(),
        }

        def write(folder: Path) -> None:
            write_weights(context.model, folder / WEIGHTS_FILE)
            write_state(folder, {**whole, "best": context.best.save(folder)})

        return write

    def restore(self, context: RunContext) -> dict[str, Any] | None:
        """Puts a run back where its newest checkpoint was written; see `RunContext.restore`."""
        if self._newest is None:
            return None
        self.step, folder = self._newest
        whole = read_state(folder)
        read_weights(context.model, folder / WEIGHTS_FILE)
        context.best.load(folder, whole["best"])
        context.callbacks.load_state(whole["callbacks"])
        context.metrics_log.keep(whole["log"])
        self.evaluated = whole["evaluated"]
        for name, (then, now) in changed(whole["surroundings"]).items():
            logger.warning("%s was %s and is %s now: the numbers may differ in the last digits", name, then, now)
        set_random_states(whole["random"])
        logger.info("continued from step %d", self.step)
        return whole["trainer"]

    def clear(self) -> None:
        """Removes the checkpoints of a run that is completed; the best weights stay."""
        self._checkpoints.remove()
