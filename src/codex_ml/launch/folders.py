"""A run's folder: which one it is, whether it may be written, and that only one process works in it."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from codex_ml.errors import CodexError, ConfigError, Problem
from codex_ml.launch import record
from codex_ml.launch.checkpoints import Checkpoints
from codex_ml.launch.paths import shown

__all__ = ["choose", "finished", "locked", "name_of"]

_LOCK = ".lock"
# What lies in the folder of a run that has no record yet: the lock, what was to become the record, logs, Hydra's files.
_BEGUN = (_LOCK, f".{record.RECORD_FILE}.*", ".trial-*", "*.log", "multirun.yaml")


def name_of(choices: dict[str, Any], run_id: str) -> str:
    """`<experiment, or task-model>-<run_id>` from the chosen options of the groups."""
    experiment = choices.get("experiment")
    if experiment and experiment != "none":
        title = str(experiment).replace("/", "-")
    else:
        title = f"{choices.get('task')}-{choices.get('model')}".replace("/", "-")
    return f"{title}-{run_id}"


def choose(folder: Path, run_id: str, resume: str, *, given: bool, make: bool = True, subdir: str = ".hydra") -> Path:
    """The folder that a run gets.

    Args:
        folder: The one that its name or the user asks for.
        run_id: The run's identity.
        resume: `run.resume`.
        given: Whether the user named the folder.
        make: Whether to make it; else it is only seen whether it could be.
        subdir: Hydra's own folder in it.

    Raises:
        ConfigError: Another run or something else is in it, it can't be written, or there is nothing to resume.
    """
    held = record.read(folder)
    if given and held is not None and held.get("run_id") != run_id:
        raise ConfigError(
            [
                Problem(
                    f"{shown(folder)} holds another run ({held.get('run_id')}, {held.get('status')}); name another",
                    f"hydra.run.dir={shown(folder)}",
                )
            ]
        )
    if resume == "must" and finished(folder, run_id) is None and not resumable(folder, run_id):
        raise ConfigError([Problem(f"there is nothing to resume in {shown(folder)}", "run.resume=must")])
    if resume == "never":
        folder = _free(folder)
    _refuse_others(folder, subdir)
    if make:
        _writable(folder)
    else:
        _probe(folder)
    return folder


def _refuse_others(folder: Path, subdir: str) -> None:
    """Refuses a folder in which something else than a run lies: a run replaces files there.

    Raises:
        ConfigError: It holds other files, and no record of a run.
    """
    if record.read(folder) is not None or not folder.is_dir():
        return
    begun = (*_BEGUN, subdir)
    names = sorted(path.name for path in folder.iterdir())
    others = [name for name in names if not any(fnmatch.fnmatchcase(name, pattern) for pattern in begun)]
    if others:
        what = f"{', '.join(others[:3])}{', ...' if len(others) > 3 else ''}"
        raise ConfigError(
            f"{shown(folder)} holds {what}, and no run: a run gets a folder of its own; name one that is empty or "
            "isn't there with hydra.run.dir=<folder>"
        )


def finished(folder: Path, run_id: str) -> dict[str, Any] | None:
    """The record of the run in a folder if it is this one and done, else None."""
    held = record.read(folder)
    return held if held and held.get("run_id") == run_id and held.get("status") == "completed" else None


def resumable(folder: Path, run_id: str) -> bool:
    """Whether the run in a folder is this one, and has a checkpoint to go on from."""
    held = record.read(folder)
    return bool(held and held.get("run_id") == run_id and Checkpoints(folder).newest())


def _free(folder: Path) -> Path:
    """The folder, or where a run is in it already, its name with the next free number."""
    number, candidate = 1, folder
    while (candidate / record.RECORD_FILE).exists() or (candidate / _LOCK).exists():
        number += 1
        candidate = folder.with_name(f"{folder.name}-{number}")
    return candidate


def _probe(folder: Path) -> None:
    """Sees whether a folder could be made and written, without making it.

    Raises:
        ConfigError: It could not.
    """
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise ConfigError(
            f"the run's folder {shown(folder)} cannot be written: {shown(there)} is "
            f"{'not writable' if there.is_dir() else 'no folder'}; set run.root=<folder> or hydra.run.dir=<folder>"
        )


def _writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial = folder / f".trial-{os.getpid()}"
        try:
            trial.write_bytes(b"x")
        finally:
            trial.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(
            f"the run's folder {shown(folder)} cannot be written: {error.strerror or error}; "
            "set run.root=<folder> or hydra.run.dir=<folder>"
        ) from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds a run's folder for this process; the lock goes with the process, however it ends.

    Raises:
        CodexError: Another process is at work there.
    """
    lock = FileLock(str(folder / _LOCK))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise CodexError(
            f"another process is at work on this run, in {shown(folder)}; wait for it, or pass run.resume=never "
            "for a second run"
        ) from None
    try:
        yield
    finally:
        lock.release()
