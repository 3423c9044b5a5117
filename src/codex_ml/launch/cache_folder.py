"""Where caches lie, and how a folder gets into one whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import shutil
import stat
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from codex_addons.cache import cache_home
from codex_ml.errors import ConfigError

__all__ = ["cache_folder", "publish", "staged_folder"]

_log = logging.getLogger(__name__)
_STAGED = ".staged"
_TAKEN = {errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR}
_warned: set[Path | None] = set()


def cache_folder() -> Path:
    """The folder of this user's caches, which exists and can be written.

    It is `CODEX_ML_CACHE_DIR`, else `$XDG_CACHE_HOME/codex-ml`, else `~/.cache/codex-ml`. Where that cannot be written
    it is a private folder under the system's temporary one, and a warning is logged once.

    Raises:
        ConfigError: The temporary folder's name is taken by something that is not this user's own.
    """
    wanted = cache_home()
    if wanted is not None:
        with suppress(OSError):
            wanted.mkdir(parents=True, exist_ok=True)
            if os.access(wanted, os.W_OK | os.X_OK):
                return wanted
    private = _private_folder()
    if wanted not in _warned:
        _warned.add(wanted)
        place = "There is no home folder" if wanted is None else f"{wanted} cannot be written"
        _log.warning("%s: caching in %s; set CODEX_ML_CACHE_DIR to a folder that lasts.", place, private)
    return private


def _private_folder() -> Path:
    """This user's own folder where everybody may write: nobody else may have prepared it."""
    folder = Path(tempfile.gettempdir()) / f"codex-ml-cache-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    status = folder.lstat()
    private = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077
    if not private:
        raise ConfigError(f"{folder} is not a private folder of this user; set CODEX_ML_CACHE_DIR to another folder")
    return folder


@contextmanager
def staged_folder(target: Path) -> Iterator[Path]:
    """A new empty folder beside the target to fill and `publish`; removed on the way out where that didn't happen.

    Leftovers of killed processes for the same target are removed first. A staged folder is locked as long as its
    process lives, and the kernel frees the lock however it ends.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with _locked(target.parent):
        for left in list(target.parent.iterdir()):
            if left.name.startswith(f".{target.name}.") and left.suffix == _STAGED:
                _remove_unless_locked(left)
        folder = _beside(target)
        lock = os.open(folder, os.O_RDONLY)
        with suppress(OSError):  # a file system without locks: leftovers then stay
            fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keeps other processes from staging and publishing in a folder, where its file system has locks."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _beside(target: Path) -> Path:
    """A new folder; unlike `tempfile`'s, it may be read by those whom the user's umask lets, who may share a cache."""
    folder = target.parent / f".{target.name}.{uuid.uuid4().hex}{_STAGED}"
    folder.mkdir()
    return folder


def _remove_unless_locked(folder: Path) -> None:
    with suppress(OSError):
        lock = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(lock)


def publish(staged: Path, target: Path, is_whole: Callable[[Path], bool]) -> None:
    """Gives a filled folder its name, durably. A target that is whole already stays: the first one wins.

    Args:
        staged: The folder from `staged_folder(target)`.
        target: Its name to be.
        is_whole: Whether a folder that has the name already is good; one that isn't is replaced.

    Raises:
        OSError: The disk is full or can't be written.
    """
    _sync(staged)
    with _locked(target.parent):
        try:
            os.rename(staged, target)
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
            if is_whole(target):
                return
            aside = _beside(target)
            os.rename(target, aside / "old")
            os.rename(staged, target)
            shutil.rmtree(aside, ignore_errors=True)
        _sync_one(target.parent)


def _sync(folder: Path) -> None:
    """Waits until the folder's files are on the disk."""
    for place, _, names in os.walk(folder):
        for name in names:
            _sync_one(Path(place) / name)
        _sync_one(Path(place))


def _sync_one(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
