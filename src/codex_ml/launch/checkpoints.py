"""Checkpoints as transactions: one is there whole, or it isn't there."""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from codex_ml.launch.record import sync_folder

__all__ = ["Checkpoints", "clear_partial", "is_complete", "mark_complete"]

logger = logging.getLogger(__name__)

FOLDER = "checkpoints"
_MARKER = "complete.json"
_NAME = re.compile(r"(?:step|checkpoint)-(\d+)")
_PARTIAL = re.compile(r"\.step-\d+\.\d+-[0-9a-f]{8}")


def mark_complete(folder: Path) -> None:
    """Says of a checkpoint that it is whole: makes its files durable, then writes down their names and sizes.

    Raises:
        OSError: A file cannot be read, or the marker not be written.
    """
    sizes = dict(_sizes(folder))
    for name in sizes:
        with (folder / name).open("rb") as file:
            os.fsync(file.fileno())
    partial = folder / f".{_MARKER}"
    with partial.open("w", encoding="utf-8") as file:
        json.dump({"format": 1, "files": sizes}, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, folder / _MARKER)
    sync_folder(folder)


def is_complete(folder: Path) -> bool:
    """Whether a folder is a checkpoint that was written to its end, and has all its files at their full size."""
    try:
        told = json.loads((folder / _MARKER).read_text(encoding="utf-8"))
        return told["format"] == 1 and dict(told["files"]) == dict(_sizes(folder))
    except (OSError, ValueError, LookupError, TypeError):
        return False


def _sizes(folder: Path) -> Iterator[tuple[str, int]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in (_MARKER, f".{_MARKER}"):
            yield path.relative_to(folder).as_posix(), path.stat().st_size


def clear_partial(folder: Path) -> None:
    """Removes from a run's folder the checkpoints that processes were killed in the middle of."""
    with suppress(OSError):
        for path in (folder / FOLDER).iterdir():
            if _PARTIAL.fullmatch(path.name) and path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)


class Checkpoints:
    """The checkpoints of a run: `checkpoints/step-<n>/`.

    Attributes:
        folder: Their folder.
    """

    def __init__(self, run_folder: Path) -> None:
        self.folder = Path(run_folder) / FOLDER

    def all(self) -> list[tuple[int, Path]]:
        """Every checkpoint with its step, complete or not, the newest first."""
        try:
            found = [(int(match[1]), path) for path in self.folder.iterdir() if (match := _NAME.fullmatch(path.name))]
        except OSError:
            return []
        return sorted(found, reverse=True)

    def remove(self) -> None:
        """Removes every checkpoint, not the best weights."""
        for _, path in self.all():
            shutil.rmtree(path, ignore_errors=True)

    def clear(self) -> None:
        """Removes them all, the best weights with them."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def newest(self) -> tuple[int, Path] | None:
        """The newest checkpoint that is complete; those that are not are passed over with a warning."""
        for step, path in self.all():
            if is_complete(path):
                return step, path
            logger.warning("%s is not complete and is passed over", path)
        return None

    def save(self, step: int, write: Callable[[Path], None], *, keep: int = 1) -> bool:
        """Writes a checkpoint, then removes those before it but for the newest `keep`.

        A disk that is full fails the save, not the run: it is a warning, and the earlier checkpoints stay whole.

        Args:
            step: The step it is of. One of the same step that is whole is the same, and stays.
            write: Writes its files into the folder that it is called with.
            keep: How many checkpoints to keep, this one among them.

        Returns:
            Whether it was written.
        """
        place = self.folder / f"step-{step:08d}"
        if is_complete(place):
            return True
        partial = self.folder / f".{place.name}.{os.getpid()}-{secrets.token_hex(4)}"
        try:
            partial.mkdir(parents=True)
            write(partial)
            mark_complete(partial)
            shutil.rmtree(place, ignore_errors=True)
            os.replace(partial, place)
            sync_folder(self.folder)
        except OSError as error:
            logger.warning("no checkpoint of step %d: %s; the run goes on", step, error.strerror or error)
            return False
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        self._prune(keep)
        return True

    def complete(self, folder: Path, write: Callable[[Path], None], *, keep: int = 1) -> bool:
        """Makes a checkpoint of a folder in which another one has written, `checkpoints/checkpoint-<step>`.

        As `save` does, it keeps the earlier ones whole where the disk is full.
        """
        try:
            write(folder)
            mark_complete(folder)
        except OSError as error:
            logger.warning("no checkpoint in %s: %s; the run goes on", folder, error.strerror or error)
            shutil.rmtree(folder, ignore_errors=True)
            return False
        self._prune(keep)
        return True

    def _prune(self, keep: int) -> None:
        whole = 0
        for _, path in self.all():
            whole += is_complete(path)
            if whole > max(1, keep):
                shutil.rmtree(path, ignore_errors=True)
