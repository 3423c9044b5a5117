"""The rows that a data loader left out: kept beside the run's record where that is asked for."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import orjson

from codex_ml.errors import CodexError
from codex_ml.interfaces import BadRow

__all__ = ["QUARANTINE_FILE", "Quarantine"]

QUARANTINE_FILE = "quarantine.jsonl"


class Quarantine:
    """`quarantine.jsonl`: a line for each row that was left out, with its place, its reason and the row itself.

    A run reads its files several times; each row is written once. What an earlier attempt left is replaced.

    Attributes:
        path: The file, which is there from the first row on.
    """

    def __init__(self, folder: Path) -> None:
        self.path = Path(folder) / QUARANTINE_FILE
        self._last: dict[str, int] = {}

    def take(self, row: BadRow) -> None:
        """Keeps a row, unless it is there already: a file's rows come in their order at each reading.

        Raises:
            CodexError: It cannot be written.
        """
        if row.line <= self._last.get(row.place, 0):
            return
        line = orjson.dumps({"path": row.place, "line": row.line, "reason": row.reason, **_raw(row.raw)}) + b"\n"
        try:
            with self.path.open("ab" if self._last else "wb", buffering=0) as file:
                file.write(line)
        except OSError as error:
            raise CodexError(f"cannot write {self.path}: {error.strerror}") from error
        self._last[row.place] = row.line


def _raw(raw: bytes) -> dict[str, Any]:
    """The row as text where it is UTF-8, else in base64, so that nothing of it is lost."""
    try:
        return {"raw": raw.decode("utf-8")}
    except UnicodeDecodeError:
        return {"raw_base64": base64.b64encode(raw).decode("ascii")}
