"""Checks of what a task's options must be; each message names the option as it is set."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

__all__ = ["check_choice", "check_flag", "check_number", "check_whole"]


def check_whole(option: str, value: Any, *, least: int = 1, of: str = "") -> None:
    """Refuses what is no whole number, `least` or more; `of` says of what (" of tokens")."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"task.{option} must be a whole number{of}, {least} or more, not {value!r}")


def check_number(option: str, value: Any, *, above: float | None = None, least: float = 0, most: float) -> None:
    """Refuses what is no number from `least` (or above `above`) to `most`."""
    low = f"above {above:g}" if above is not None else f"{least:g} or more"
    high = "" if math.isinf(most) else f" and at most {most:g}"
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not number or not (value > above if above is not None else value >= least) or value > most:
        raise ValueError(f"task.{option} must be a number {low}{high}, not {value!r}")


def check_flag(option: str, value: Any) -> None:
    """Refuses what is neither true nor false."""
    if not isinstance(value, bool):
        raise ValueError(f"task.{option} must be true or false, not {value!r}")


def check_choice(option: str, value: Any, choices: Sequence[str]) -> None:
    """Refuses what is none of the choices."""
    if value not in choices:
        raise ValueError(f"task.{option} must be one of {', '.join(choices)}, not {value!r}")
