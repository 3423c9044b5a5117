"""The files of sample data sets, made when first used."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from codex_ml.errors import ConfigError
from codex_ml.launch.cache_folder import cache_folder, publish, staged_folder

__all__ = ["sample_file"]


def sample_file(name: str, factory: Callable[[Path], None], version: str, file: str) -> Path:
    """The path of a sample's file; the sample is made first where it isn't there.

    Processes that ask at once may each make it; the first to be done wins, and all get the same path.

    Args:
        name: The sample's registry name.
        factory: Writes the sample's files into the empty folder it is called with.
        version: Of the factory's distribution: another version makes the sample anew.
        file: The file's path within the sample, "train.jsonl".

    Raises:
        ConfigError: The sample has no such file; the message lists those it has.
        OSError: The cache folder is full.
    """
    for part in (name, version):
        if not re.fullmatch(r"[\w.+!-]+", part) or part.startswith("."):
            raise ConfigError(f"a sample's name and version are plain words, not {part!r}")
    relative = PurePosixPath(file)
    if relative.is_absolute() or ".." in relative.parts or not relative.parts:
        raise ConfigError(f"{file!r} does not name a file in the sample {name!r}")
    folder = cache_folder() / "samples" / f"{name}-{version}"
    if not folder.is_dir():
        _make(name, factory, folder)
    path = folder / relative
    if not path.is_file():
        there = ", ".join(_files(folder)) or "nothing"
        raise ConfigError(f"the sample {name!r} has no file {file!r}; it has {there} (in {folder})")
    return path


def _make(name: str, factory: Callable[[Path], None], folder: Path) -> None:
    with staged_folder(folder) as staged:
        factory(staged)
        if not _files(staged):
            raise ConfigError(f"the sample {name!r} wrote no files")
        publish(staged, folder, Path.is_dir)


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
