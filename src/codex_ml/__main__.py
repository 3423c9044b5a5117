"""The commands `codex-run` (also `python -m codex_ml`) and `codex-ml`: what must hold around whatever they do."""

from __future__ import annotations

import logging
import os
import signal
import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from io import TextIOWrapper
from typing import Any

from codex_addons.errors import CodexAddonsWarning

__all__ = ["main", "manage"]


def main() -> int:
    """`codex-run`: composes, checks and runs; returns the exit code."""
    return _command("codex-run", "codex_ml.launch.app")


def manage() -> int:
    """`codex-ml`: everything beside runs; returns the exit code."""
    return _command("codex-ml", "codex_ml.cli.main")


def _command(name: str, module: str) -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A terminal that lacks a character is no reason to lose a result.
            stream.reconfigure(errors="replace")
    _say_warnings(name)
    try:
        # Importing Hydra takes long enough for a Ctrl-C.
        run: Callable[[], int] = import_module(module).main
        code = run()
        return code if _told(name) else code or 1
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return 1
    finally:
        # All is said and written; another Ctrl-C, or what libraries log at their end, would only be noise.
        logging.disable()
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _say_warnings(name: str) -> None:
    """Writes this project's own warnings as one line each; where they come from in the source is nobody's concern."""
    usual = warnings.showwarning

    def say(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, CodexAddonsWarning):
            print(f"{name}: warning: {message}", file=sys.stderr)
        else:
            usual(message, category, *where, **more)

    warnings.showwarning = say


def _told(name: str) -> bool:
    """Whether all output has gone where it should; the interpreter would say less clearly that it hasn't."""
    if sys.stdout is None:  # closed by the shell: >&-
        return True
    try:
        sys.stdout.flush()
    except OSError as error:
        # A reader that has left, as `head` does, is nobody's error.
        if not isinstance(error, BrokenPipeError):
            print(f"{name}: cannot write the output: {error.strerror}", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
