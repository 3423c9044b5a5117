"""What the texts of a CSV file may stand for."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal

__all__ = ["CONVERTERS", "ColumnType"]

ColumnType = Literal["str", "int", "float", "bool"]

_INT = re.compile(r"[+-]?[0-9]+")
# As JSON and others write them; `1_000` and digits of other scripts, which Python's own take, are text.
_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?(?:inf|infinity|nan)", re.IGNORECASE)
_BOOLS = {"true": True, "false": False, "1": True, "0": False}


def _int(text: str) -> int:
    if not _INT.fullmatch(text):
        raise ValueError(f"{_shown(text)} is no int")
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{_shown(text)} is an int of too many digits") from None


def _float(text: str) -> float:
    if not _FLOAT.fullmatch(text):
        raise ValueError(f"{_shown(text)} is no float")
    return float(text)


def _bool(text: str) -> bool:
    value = _BOOLS.get(text.lower())
    if value is None:
        raise ValueError(f"{_shown(text)} is no bool (true, false, 1 or 0)")
    return value


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "...")


CONVERTERS: dict[str, Callable[[str], Any] | None] = {"str": None, "int": _int, "float": _float, "bool": _bool}
"""Type to what makes a value of a text, or raises a ValueError that says why not; None where it stays."""
