"""Where this user's caches lie, and small files there that are whole or as good as missing."""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any
from zlib import crc32

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
    """What `write_json` wrote; None where the file is missing, or is not to the last byte what was written."""
    try:
        checksum, _, content = path.read_bytes().partition(b"\n")
    except OSError:
        return None
    return json.loads(content) if content and checksum == b"%08x" % crc32(content) else None


def write_json(path: Path, content: Any) -> None:
    """Writes a file for the next time, whole or not at all; where that fails, the next time is slower, no more.

    Several processes may write at once: the last one wins.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            text = json.dumps(content, separators=(",", ":")).encode()
            partial.write_bytes(b"%08x\n%s" % (crc32(text), text))
            os.replace(partial, path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
