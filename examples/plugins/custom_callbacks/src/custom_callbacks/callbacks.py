"""Posts each evaluation to a file, and ends a training that no longer gets better."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

__all__ = ["CustomCallbacks"]


class CustomCallbacks:
    """Appends a line to a file at each evaluation: the run, the step, the split and the metrics.

    Args:
        file: Where the lines go, seen from the folder that the run was started in.
        patience: After so many evaluations in a row without a better value the run is asked to stop; None: never.
        monitor: The metric that counts; None: the first.
        better: Whether a higher or a lower value of it is better.

    Attributes:
        should_stop: True once the run is to end early; the trainer looks at it.
    """

    def __init__(
        self,
        *,
        file: str = "evaluations.txt",
        patience: int | None = None,
        monitor: str | None = None,
        better: Literal["higher", "lower"] = "higher",
    ) -> None:
        if patience is not None and patience < 1:
            raise ValueError(f"custom_callbacks: patience must be 1 or more, or null, not {patience}")
        self.path = Path(file).absolute()
        self.patience = patience
        self.monitor = monitor
        self.sign = 1 if better == "higher" else -1
        self.should_stop = False
        self._run = "?"
        self._best = float("-inf")
        self._without = 0

    def on_run_start(self, record: Mapping[str, Any]) -> None:
        """Notes which run it is."""
        self._run = str(record.get("run_id"))

    def on_evaluate(self, step: int, split: str, metrics: Mapping[str, float]) -> None:
        """Writes the line; counts the validation split's evaluations without a better value."""
        values = " ".join(f"{name}={value:.4f}" for name, value in metrics.items())
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{self._run} step {step} {split} {values}\n")
        if split == "validation" and metrics:
            self._compare(metrics)

    def _compare(self, metrics: Mapping[str, float]) -> None:
        name = self.monitor or next(iter(metrics))
        if name not in metrics:
            raise ValueError(f"custom_callbacks: there is no metric {name!r}; monitor one of {', '.join(metrics)}")
        value = self.sign * metrics[name]
        if value > self._best:
            self._best, self._without = value, 0
        else:
            self._without += 1
        if self.patience is not None and self._without >= self.patience:
            self.should_stop = True


CustomCallbacks.__codex_api__ = "v1"
