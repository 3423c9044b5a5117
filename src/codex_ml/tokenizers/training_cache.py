"""Tokenizers that were trained once: a folder for each corpus and options, whole or not there."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from codex_addons.cache import cache_home, read_json, write_json

__all__ = ["trained"]

log = logging.getLogger(__name__)

_SEAL = "files.json"
_STAGED = ".staged"
# Nobody trains a tokenizer for longer: what is older was left by a process that was killed.
_LEFT_AFTER = 7 * 24 * 3600.0


@contextmanager
def trained(key: Mapping[str, Any], train: Callable[[Path], None]) -> Iterator[Path]:
    """The folder that `train` filled, now or earlier under the same key; good until the end of the `with` block.

    Folders lie in `tokenizers/` of the user's cache (`CODEX_ML_CACHE_DIR`). An entry that isn't to the last byte what
    was written is made anew. Processes that ask at once may each train; the first to be done wins.

    Args:
        key: JSON; all that the result depends on.
        train: Writes files, and no folders, into the empty folder that it is called with.
    """
    name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]
    home = cache_home()
    target = None if home is None else home / "tokenizers" / name
    if target is not None and _is_whole(target):
        log.info("tokenizer from %s, where it was trained before", target)
        yield target
        return
    staged = _staged(target)
    try:
        began = time.monotonic()
        train(staged)
        log.info("tokenizer trained in %.1f s", time.monotonic() - began)
        _seal(staged)
        kept = target is not None and staged.parent == target.parent and _publish(staged, target)
        yield target if target is not None and kept else staged
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _staged(target: Path | None) -> Path:
    """A new empty folder; a temporary one where there is no cache, or it cannot be written."""
    if target is not None:
        with suppress(OSError):
            target.parent.mkdir(parents=True, exist_ok=True)
            for left in target.parent.glob(f".*{_STAGED}"):
                if time.time() - left.stat().st_mtime > _LEFT_AFTER:
                    shutil.rmtree(left, ignore_errors=True)
            folder = target.parent / f".{target.name}.{uuid.uuid4().hex}{_STAGED}"
            folder.mkdir()
            return folder
    log.warning("the trained tokenizer is not kept for the next run: set CODEX_ML_CACHE_DIR to a folder to write in")
    return Path(tempfile.mkdtemp(prefix="codex-ml-tokenizer-"))


def _publish(staged: Path, target: Path) -> bool:
    """Gives a folder its name; whether something whole has it then."""
    with suppress(OSError):
        os.rename(staged, target)
        return True
    if not _is_whole(target):
        aside = target.with_name(f".{target.name}.{uuid.uuid4().hex}{_STAGED}")
        with suppress(OSError):
            os.rename(target, aside)
        with suppress(OSError):
            os.rename(staged, target)
        shutil.rmtree(aside, ignore_errors=True)
        with suppress(OSError):
            aside.unlink()
    return _is_whole(target)


def _seal(folder: Path) -> None:
    """Writes down what the folder holds, and has it on the disk before its name is."""
    digests = {path.name: _digest(path) for path in sorted(folder.iterdir())}
    write_json(folder / _SEAL, digests)
    for path in [*folder.iterdir(), folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _is_whole(folder: Path) -> bool:
    digests = read_json(folder / _SEAL)
    try:
        return bool(digests) and all(_digest(folder / name) == digest for name, digest in digests.items())
    except (OSError, AttributeError):
        return False


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
