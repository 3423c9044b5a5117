"""What a fresh interpreter tells: whatever this process has imported, patched or drawn is not there."""

from __future__ import annotations

import enum
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Imported", "encoded_apart", "imported_apart"]

_MARK = "told:"
# A path given by PYTHONPATH would lack what the test suite itself put on the path.
_START = """
import json, sys
sys.path[:], *given = json.loads(sys.argv[1])
def tell(value):
    print("\\ntold:" + json.dumps(value))
"""
_IMPORT = f"""{_START}
import importlib, time
before, began = set(sys.modules), time.perf_counter()
importlib.import_module(given[0])
seconds = time.perf_counter() - began
tell([seconds, sorted({{name.partition(".")[0] for name in set(sys.modules) - before}})])
"""
_ENCODE = f"""{_START}
from codex_ml.testing.tokenizer import TokenizerTests
name, options, texts = given
tokenizer = type("Apart", (TokenizerTests,), {{"name": name, "options": options}})().built()
tell([list(map(int, tokenizer(text, truncation=True, max_length=512)["input_ids"])) for text in texts])
"""


@dataclass(frozen=True)
class Imported:
    """What importing a module takes.

    Attributes:
        seconds: How long, without the interpreter's own start.
        names: The top-level names of what came along.
    """

    seconds: float
    names: frozenset[str]


def imported_apart(module: str) -> Imported:
    """Imports a module.

    Raises:
        AssertionError: It cannot be imported.
    """
    seconds, names = _told(_IMPORT, f"{module} cannot be imported by itself", module)
    return Imported(seconds, frozenset(names))


def encoded_apart(name: str, options: Mapping[str, Any], texts: Sequence[str], *, seed: int) -> list[list[int]]:
    """The token ids of texts, from a registered tokenizer.

    Args:
        name: The tokenizer's.
        options: Its options.
        texts: One a row.
        seed: What strings' hashes depend on in that interpreter.

    Raises:
        AssertionError: It cannot be built, or fails.
    """
    return _told(_ENCODE, f"tokenizer '{name}' fails in a process of its own", name, options, list(texts), seed=seed)


def _told(program: str, failing: str, *arguments: Any, seed: int | None = None) -> Any:
    given = json.dumps([[each for each in sys.path if isinstance(each, str)], *arguments], default=_plain)
    environment = os.environ if seed is None else {**os.environ, "PYTHONHASHSEED": str(seed)}
    command = [sys.executable, "-P", "-c", program, given]
    ended = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, env=environment)
    marked = [line for line in ended.stdout.splitlines() if line.startswith(_MARK)]
    if ended.returncode or not marked:
        reason = (ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"])[-1]
        raise AssertionError(f"{failing}: {reason}")
    return json.loads(marked[-1].removeprefix(_MARK))


def _plain(value: Any) -> Any:
    """An option as YAML would hold it, where JSON has no form for it."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return list(value)
    return value.name if isinstance(value, enum.Enum) else str(value)
