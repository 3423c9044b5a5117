"""How often bytes occur in a block; by numpy, where it is installed, in a third of the time."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

__all__ = ["byte_counter", "line_counter"]

# Counting it takes less time than counting both together, b"\r\n".
_LONE_RETURN = re.compile(rb"\r(?!\n)")
Count = Callable[[bytes, int], int]


def _numpy() -> Any:
    try:
        import numpy as np
    except ImportError:
        return None
    return np


def byte_counter(byte: bytes) -> Count:
    """A function that counts a byte, or several in a row, in a block up to an end."""
    np = _numpy()
    if np is None or len(byte) != 1:
        return lambda data, end: data.count(byte, 0, end)
    wanted = byte[0]
    return lambda data, end: int(np.count_nonzero(np.frombuffer(data, np.uint8, end) == wanted)) if end else 0


def line_counter() -> Count:
    """A function that counts the lines that end in a block up to an end; one ends with a newline, a return or both."""
    newlines, returns = byte_counter(b"\n"), _lone_returns(_numpy())
    return lambda data, end: newlines(data, end) + (returns(data, end) if data.find(b"\r", 0, end) >= 0 else 0)


def _lone_returns(np: Any) -> Count:
    if np is None:
        return lambda data, end: len(_LONE_RETURN.findall(data, 0, end))

    def count(data: bytes, end: int) -> int:
        text = np.frombuffer(data, np.uint8, end)
        behind = np.flatnonzero(text == 13) + 1
        at_end = int(len(behind) and behind[-1] == end)
        return int(np.count_nonzero(text[behind[: len(behind) - at_end]] != 10)) + at_end

    return count
