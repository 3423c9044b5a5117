"""`codex-run`, also as `python -m codex_ml`: what must hold before anything is imported and after all is done."""

from __future__ import annotations

import os
import signal
import sys
from io import TextIOWrapper

__all__ = ["main"]


def main() -> int:
    """Runs the command line and returns its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A terminal that lacks a character is no reason to lose a result.
            stream.reconfigure(errors="replace")
    try:
        # Importing Hydra takes long enough for a Ctrl-C.
        from codex_ml.launch.app import main as run

        code = run()
        return code if _told() else code or 1
    except KeyboardInterrupt:
        print("codex-run: interrupted", file=sys.stderr)
        return 1
    finally:
        # All is said and written; another Ctrl-C would only make the interpreter's own exit noisy.
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _told() -> bool:
    """Whether all output has gone where it should; the interpreter would say less clearly that it hasn't."""
    if sys.stdout is None:  # closed by the shell: >&-
        return True
    try:
        sys.stdout.flush()
    except OSError as error:
        # A reader that has left, as `head` does, is nobody's error.
        if not isinstance(error, BrokenPipeError):
            print(f"codex-run: cannot write the output: {error.strerror}", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
