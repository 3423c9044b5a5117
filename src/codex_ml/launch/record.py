"""The record of a run, `run.json`, and its log of values, `metrics.jsonl`."""

from __future__ import annotations

import math
import os
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import orjson

from codex_ml.errors import CodexError

__all__ = [
    "METRICS_FILE",
    "PREDICTIONS_FILE",
    "RECORD_FILE",
    "MetricsLog",
    "RunRecord",
    "read",
    "sync_folder",
    "write_atomically",
]

RECORD_FILE = "run.json"
METRICS_FILE = "metrics.jsonl"
PREDICTIONS_FILE = "predictions.jsonl"
STATUSES = ("running", "completed", "failed", "interrupted")

_EMPTY: dict[str, Any] = {
    "run_id": None,
    "status": "running",
    "mode": "train",
    "metrics": {},
    "metric_info": {},
    "objective": None,
    "components": {},
    "data": {},
    "task_state": {},
    "environment": {},
    "git": None,
    "seed": None,
    "threads": None,
    "started": None,
    "duration_s": None,
    "predictions": None,
    "resumed_from": [],
    "error": None,
}


def sync_folder(folder: Path) -> None:
    """Makes the folder's names durable, where the system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file so that a reader, at any moment, finds the old content or the new one, never a part.

    Raises:
        OSError: It can't be written; what was there is whole, and nothing is left beside it.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with partial.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _plain(value: Any, where: str, lost: dict[str, str]) -> Any:
    """The value in JSON's terms; a float that JSON lacks becomes null, and `lost` says under its place what it was."""
    inside = f"{where}." if where else ""
    if isinstance(value, Mapping):
        return {str(key): _plain(item, f"{inside}{key}", lost) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{inside}{index}", lost) for index, item in enumerate(value)]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, Real):
        number = int(value) if isinstance(value, Integral) else float(value)
        if math.isfinite(number):
            return number
        lost[where] = str(number)
        return None
    return str(value)


class RunRecord:
    """The record of one run in its folder.

    A float that JSON has no word for (NaN, infinity) is written as null, and `non_finite` says what it was:
    `{"metrics.ppl": "inf"}`.

    Attributes:
        path: The file.
        fields: What was last written.
    """

    def __init__(self, folder: Path, **fields: Any) -> None:
        self.path = Path(folder) / RECORD_FILE
        self._began = time.monotonic()
        self._fields = {**_EMPTY, "started": datetime.now(UTC).isoformat(timespec="milliseconds"), **fields}
        self.fields: dict[str, Any] = {}

    @classmethod
    def start(cls, folder: Path, **fields: Any) -> RunRecord:
        """Writes the record of a run that starts now.

        Raises:
            CodexError: The file cannot be written.
        """
        record = cls(folder, **{**fields, "status": "running"})
        record._write()
        return record

    @property
    def known(self) -> dict[str, Any]:
        """Everything that is to be written, as it will stand there."""
        lost: dict[str, str] = {}
        return {**_plain(self._fields, "", lost), "non_finite": lost}

    def note(self, **fields: Any) -> None:
        """Keeps fields for the next time the record is written."""
        self._fields.update(fields)

    def update(self, **fields: Any) -> dict[str, Any]:
        """Replaces the record of the run, which goes on, by one with these fields.

        Raises:
            CodexError: The file cannot be written.
        """
        self.note(**fields)
        return self._write()

    def finish(self, status: str, **fields: Any) -> dict[str, Any]:
        """Replaces the record by the final one, with the seconds that the run took.

        Args:
            status: `completed`, `failed` or `interrupted`.
            **fields: What is known at the end.

        Returns:
            The record as a reader of the file gets it.

        Raises:
            CodexError: The file cannot be written.
        """
        if status not in STATUSES:
            raise ValueError(f"a run's status is one of {', '.join(STATUSES)}, not {status!r}")
        self._fields |= {**fields, "status": status, "duration_s": round(time.monotonic() - self._began, 3)}
        return self._write()

    def _write(self) -> dict[str, Any]:
        lost: dict[str, str] = {}
        self.fields = _plain(self._fields, "", lost)
        if lost:
            self.fields["non_finite"] = lost
        try:
            write_atomically(self.path, orjson.dumps(self.fields, option=orjson.OPT_INDENT_2) + b"\n")
        except (OSError, orjson.JSONEncodeError) as error:
            raise CodexError(f"cannot write the run's record {self.path}: {error}") from error
        return self.fields


def read(folder: Path) -> dict[str, Any] | None:
    """The record in a run's folder, or None where there is none.

    Raises:
        CodexError: There is a file, and it is no record.
    """
    path = Path(folder) / RECORD_FILE
    try:
        fields = orjson.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise CodexError(
            f"{path} is no readable record of a run ({error}); move the folder away, or delete it"
        ) from error
    if not isinstance(fields, dict) or fields.get("status") not in STATUSES:
        raise CodexError(f"{path} is no record of a run: it has no status; move the folder away, or delete it")
    return fields


class MetricsLog:
    """`metrics.jsonl`: one line per logged step, whole at any moment, and without times, so that runs compare.

    Args:
        folder: The run's folder.
        fresh: Whether what an earlier attempt left there goes now; else with the first line, as far as `keep` doesn't
            hold it.
    """

    def __init__(self, folder: Path, *, fresh: bool = True) -> None:
        self.path = Path(folder) / METRICS_FILE
        self._length = 0
        self._cut = fresh
        try:
            # Unbuffered: a line is one write, which no signal handler of Python's can cut.
            self._file = self.path.open("wb" if fresh or not self.path.exists() else "r+b", buffering=0)
        except OSError as error:
            raise CodexError(f"cannot write {self.path}: {error}") from error

    @property
    def length(self) -> int:
        """How many bytes of the file are of this run so far."""
        return self._length

    def keep(self, length: int) -> None:
        """Takes the first bytes of what is there for this run's.

        Raises:
            CodexError: There are not so many.
        """
        if self.path.stat().st_size < length:
            raise CodexError(f"{self.path} is shorter than it was when the checkpoint was written; run.resume=never")
        self._length, self._cut = length, False

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Appends a line; NaN and infinities become null.

        Raises:
            CodexError: The file cannot be written.
        """
        try:
            line = orjson.dumps({"step": step, **values}) + b"\n"
            self._ready()
            self._file.write(line)
        except (OSError, ValueError, orjson.JSONEncodeError) as error:
            raise CodexError(f"cannot write {self.path}: {error}") from error
        self._length += len(line)

    def _ready(self) -> None:
        if not self._cut:
            self._file.truncate(self._length)
            self._file.seek(self._length)
            self._cut = True

    def close(self) -> None:
        """Closes the file; a second time does nothing."""
        self._file.close()
