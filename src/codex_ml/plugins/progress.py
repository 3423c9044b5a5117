"""Shows how far a training is: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from codex_addons.component import component

__all__ = ["Progress"]

# Without a terminal: a line at each tenth of the steps, or after so many seconds without one.
QUIET_SECONDS = 10.0


@component(observer=True, requires=("rich",))
class Progress:
    """Writes steps, loss, records per second and time left to stderr, and each evaluation's result."""

    def __init__(self, *, refresh_per_second: float = 4.0) -> None:
        if isinstance(refresh_per_second, bool) or not isinstance(refresh_per_second, int | float):
            raise ValueError(f"refresh_per_second must be a number, not {refresh_per_second!r}")
        if not 0 < refresh_per_second <= 60:
            raise ValueError(f"refresh_per_second must be above 0 and at most 60, not {refresh_per_second!r}")
        self.refresh_per_second = refresh_per_second
        self._bar: Any = None
        self._task: Any = None
        self._total = 0
        self._steps = 0
        self._records = 0
        self._started = 0.0
        self._spoke = 0.0

    def on_train_start(self, total_steps: int) -> None:
        """Shows the bar."""
        self._close()
        self._total, self._steps, self._records = total_steps, 0, 0
        self._started = self._spoke = time.monotonic()
        self._bar = _bar(self.refresh_per_second)
        if self._bar is None:
            _say(f"training for {total_steps} steps")
        else:
            self._task = self._bar.add_task("training", total=total_steps, loss="", rate="")
            self._bar.start()

    def on_step(self, step: int, records: int, values: Mapping[str, float]) -> None:
        """Moves the bar."""
        now = time.monotonic()
        if not self._started:
            self._started = self._spoke = now
        # Counted here: a run that continues starts at a later step.
        self._steps += 1
        self._records += records
        rate = self._rate(now)
        loss = f"loss {values['loss']:.4g}" if "loss" in values else ""
        if self._bar is not None:
            self._bar.update(self._task, completed=step, loss=loss, rate=rate)
        elif self._due(step, now):
            self._spoke = now
            of = f" of {self._total}" if self._total else ""
            left = (now - self._started) / self._steps * (self._total - step)
            parts = (f"step {step}{of}", loss, rate, f"{_duration(left)} left" if left > 0 else "")
            _say(", ".join(part for part in parts if part))

    def on_evaluate(self, step: int, split: str, metrics: Mapping[str, float]) -> None:
        """Writes the result, above the bar where there is one."""
        shown = ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
        line = f"step {step}: {split}: {shown or 'no metrics'}"
        if self._bar is None:
            _say(line)
        else:
            self._bar.console.print(line, markup=False, highlight=False)

    def on_train_end(self) -> None:
        """Leaves the bar as it is and gives the terminal back."""
        self._close()

    def on_run_end(self, record: Mapping[str, Any]) -> None:
        """Gives the terminal back if training never ended."""
        self._close()

    def _close(self) -> None:
        bar, self._bar, self._started = self._bar, None, 0.0
        if bar is not None:
            bar.stop()

    def _due(self, step: int, now: float) -> bool:
        # A tenth is reached where the number of whole tenths grows with this step.
        tenth = self._total and step * 10 // self._total > (step - 1) * 10 // self._total
        return bool(tenth) or step == self._total or now - self._spoke >= QUIET_SECONDS

    def _rate(self, now: float) -> str:
        elapsed = now - self._started
        if elapsed <= 0:
            return ""
        return f"{self._records / elapsed:.3g} records/s" if self._records else f"{self._steps / elapsed:.3g} steps/s"


def _bar(refresh_per_second: float) -> Any:
    """A bar on stderr; None where that is no terminal that can redraw a line."""
    # Asked directly: rich takes FORCE_COLOR, which many CI systems set, for a terminal.
    if sys.stderr is None or sys.stderr.closed or not sys.stderr.isatty():
        return None
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if console.is_dumb_terminal:
        return None
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[loss]}"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=console,
        refresh_per_second=refresh_per_second,
        # What is piped elsewhere must arrive there, not on the terminal above the bar.
        redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _say(line: str) -> None:
    # A reader that went away must not end the training; under pythonw there is no stderr at all.
    if sys.stderr is not None:
        with suppress(OSError, ValueError):
            sys.stderr.write(line + "\n")
            sys.stderr.flush()
