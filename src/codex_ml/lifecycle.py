"""The lifecycle of a run, as a plugin sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

__all__ = ["LIFECYCLE", "Callback"]


class Callback(Protocol):
    """The lifecycle of a run, as a plugin sees it. A plugin has any of these methods; what it lacks is not called."""

    def on_run_start(self, record: Mapping[str, Any]) -> None:
        """The run's record was written for the first time; here it has the run's `folder` as well."""
        ...

    def on_train_start(self, total_steps: int) -> None:
        """Training starts."""
        ...

    def on_step(self, step: int, records: int, values: Mapping[str, float]) -> None:
        """An optimizer step is done."""
        ...

    def on_log(self, step: int, values: Mapping[str, float]) -> None:
        """A line was written to `metrics.jsonl`."""
        ...

    def on_evaluate(self, step: int, split: str, metrics: Mapping[str, float]) -> None:
        """A split was measured."""
        ...

    def on_train_end(self) -> None:
        """Training ended, also by an error or an interruption."""
        ...

    def on_run_end(self, record: Mapping[str, Any]) -> None:
        """The run's record was written for the last time."""
        ...


LIFECYCLE: tuple[str, ...] = tuple(name for name in vars(Callback) if name.startswith("on_"))
