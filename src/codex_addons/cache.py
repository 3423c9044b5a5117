"""Where this user's caches lie, and small files there that are whole or not there."""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["cache_home", "read_json", "write_json"]


def cache_home() -> Path | None:
    """The folder of this user's caches, absolute: it may not exist yet; None without a home.

    It is `CODEX_ML_CACHE_DIR`, else `$XDG_CACHE_HOME/codex-ml`, else `~/.cache/codex-ml`.
    """
    try:
        if named := os.environ.get("CODEX_ML_CACHE_DIR"):
            return Path(named).expanduser().absolute()
        base = os.environ.get("XDG_CACHE_HOME", "")
        # The XDG specification says to ignore a relative path.
        return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "codex-ml"
    except RuntimeError:
        return None


def read_json(path: Path) -> Any:
    """A file's content; None where there is none that is JSON."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None


def write_json(path: Path, content: Any) -> None:
    """Writes a file for the next time, whole or not at all; where that fails, the next time is slower, no more.

    Several processes may write at once: the last one wins.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_text(json.dumps(content, separators=(",", ":")), encoding="utf-8")
            os.replace(partial, path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
