"""Work in a process of its own, so that what it imports, prints or breaks stays there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from signal import Signals
from typing import Any

__all__ = ["ChildError", "forked", "spawned"]

# -P: what it imports comes from where this process would take it, never from the folder that it happens to start in.
# Its standard output is kept for the answer: what an import prints goes nowhere.
_PROGRAM = """\
import importlib, json, os, sys
answer = os.dup(1)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
sys.path[:], function, arguments = json.load(sys.stdin)
module, _, name = function.partition(":")
told = json.dumps(getattr(importlib.import_module(module), name)(*arguments))
with os.fdopen(answer, "w") as file:
    file.write(told)
    file.flush()
    # What was imported may have threads that never end.
    os._exit(0)
"""


# Seconds. The heaviest libraries take a tenth of it on a slow disk.
PATIENCE = 60.0


class ChildError(Exception):
    """The process ended before it gave an answer; the message says how."""


def spawned(function: str, *arguments: Any) -> Any:
    """What a function returns in a fresh interpreter with this one's import path.

    Args:
        function: `module:name`; it takes and returns what JSON has.
        *arguments: What it is called with.

    Raises:
        ChildError: The process ended without an answer, or took longer than `PATIENCE`.
    """
    asked = json.dumps([[each for each in sys.path if isinstance(each, str)], function, arguments])
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", _PROGRAM],
            input=asked.encode(),
            capture_output=True,
            check=False,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        raise ChildError(f"it was not done after {PATIENCE} s") from None
    return _answer(done.stdout, done.returncode, done.stderr.decode(errors="replace").strip().rpartition("\n")[2])


def forked(work: Callable[[], Any]) -> Any:
    """What `work` returns in a copy of this process; it may use everything there is here, and returns what JSON has.

    Raises:
        ChildError: The process ended without an answer.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _answer_and_end(work, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        told = answer.read()
    return _answer(told, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), "")


def _answer_and_end(work: Callable[[], Any], writing: int) -> None:
    code = 1
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        sys.stdout = sys.stderr = open(nowhere, "w", closefd=False)  # noqa: SIM115 (for as long as the process lives)
        told = json.dumps(work()).encode()
        with os.fdopen(writing, "wb") as answer:
            answer.write(told)
        code = 0
    finally:
        # Neither the parent's handlers nor its buffers are to be run and written here once more.
        os._exit(code)


def _answer(told: bytes, code: int, said: str) -> Any:
    try:
        return json.loads(told)
    except ValueError:
        how = f"by {Signals(-code).name}" if code < 0 else f"with exit code {code}"
        raise ChildError(f"the process ended {how}{f': {said}' if said else ''}") from None
