"""How much of a file is read, by whatever opens it through Python's `open`."""

from __future__ import annotations

import builtins
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

__all__ = ["Counted", "reads_counted"]

# The arguments of `open` after the mode.
_OPTIONS = ("buffering", "encoding", "errors", "newline", "closefd", "opener")


@dataclass
class Counted:
    """What was read so far.

    Attributes:
        read: Bytes, those read twice counted twice.
    """

    read: int = 0


@contextmanager
def reads_counted(path: Path) -> Iterator[Counted]:
    """Counts what is read of a file that is opened meanwhile."""
    counted, plain_open = Counted(), builtins.open

    class File(io.FileIO):
        def readinto(self, buffer: Any, /) -> int | None:
            return noted(super().readinto(buffer))

        def read(self, size: int | None = -1, /) -> Any:
            return noted(super().read(-1 if size is None else size))

        def readall(self) -> Any:
            return noted(super().readall())

    def noted(given: Any) -> Any:
        counted.read += given if isinstance(given, int) else len(given or b"")
        return given

    def opened(file: Any, mode: str = "r", *others: Any, **keywords: Any) -> Any:
        options = dict(zip(_OPTIONS, others, strict=False)) | keywords
        ours = isinstance(file, str | bytes | os.PathLike) and Path(os.fsdecode(file)).absolute() == path.absolute()
        if not ours or {*mode} & {*"wax+"} or options.get("opener"):
            return plain_open(file, mode, *others, **keywords)
        raw, size = File(file, "r"), options.get("buffering", -1)
        if size == 0:
            return raw
        buffered = io.BufferedReader(raw, size if size > 1 else io.DEFAULT_BUFFER_SIZE)
        if "b" in mode:
            return buffered
        text = {name: value for name, value in options.items() if name in ("encoding", "errors", "newline")}
        return io.TextIOWrapper(buffered, **text)

    # pathlib has the one of io.
    with patch.object(builtins, "open", opened), patch.object(io, "open", opened):
        yield counted
