"""The files that a run reads its records from: paths, folders, globs, URLs and samples."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from codex_addons.component import meta_of
from codex_addons.errors import CodexAddonsError
from codex_ml import registries
from codex_ml.errors import CodexError
from codex_ml.launch.assembly import Component
from codex_ml.launch.digests import file_digest, text_digest
from codex_ml.launch.nearest import nearest
from codex_ml.launch.paths import shown
from codex_ml.launch.sample_files import sample_file
from codex_ml.launch.versions import version_of
from codex_ml.places import Place, Url, files_in, place_of

__all__ = ["SAMPLE", "files_of", "places", "unreadable", "with_samples"]

SAMPLE = "sample://"


def places(name: str, endings: Sequence[str]) -> tuple[list[Place], str]:
    """What a name in `data` stands for, and what is wrong with it.

    Args:
        name: A path, a glob, a URL or `sample://<sample>/<file>`.
        endings: How the names of the data loader's files end; empty where it doesn't say, and gets a folder as it is.

    Returns:
        The files, local ones absolute, and a message, of which one is empty.
    """
    # Without what is secret in a URL.
    shown_name = str(Url(name))
    try:
        place = _sample(name) if name.startswith(SAMPLE) else place_of(name)
        if isinstance(place, Url):
            return files_in(place, endings), ""
        if wrong := _unreadable(place.absolute()):
            return [], wrong
        whole = place.is_dir() and not endings
        found: list[Any] = [place] if whole else files_in(place, endings)
    except (CodexError, CodexAddonsError, ImportError, OSError, RuntimeError, ValueError) as error:
        told = str(error)
        return [], told if shown_name in told else f"{shown_name}: {told}"
    except Exception as error:  # a store's own error, of whatever type its library raises
        return [], f"{shown_name}: {type(error).__name__}: {error}"
    found = [each.absolute() for each in found]
    # An empty part of a data set is no more than that.
    filled = [each for each in found if not _is_empty(each)]
    found = filled or found
    wrong = next((wrong for each in found if (wrong := _unreadable(each))), "")
    return ([], wrong) if wrong else (found, "")


def with_samples(value: Any) -> Any:
    """A component's option with the path of each `sample://` in it.

    Raises:
        CodexError: There is no such sample or file.
        ImportError: The package that the sample is made from is not installed.
    """
    if isinstance(value, str):
        return str(_sample(value)) if value.startswith(SAMPLE) else value
    if isinstance(value, list):
        return [with_samples(item) for item in value]
    return {key: with_samples(item) for key, item in value.items()} if isinstance(value, Mapping) else value


def files_of(component: Component) -> dict[str, tuple[list[Place], list[str]]]:
    """What the options stand for that a component says name data files, with what is wrong with them.

    It says so in `__codex_meta__["files"]`, a mapping of options to how the names of such files end.
    """
    found: dict[str, tuple[list[Place], list[str]]] = {}
    for option, endings in (component.meta.get("files") or {}).items():
        value = component.options.get(option)
        named = [value] if isinstance(value, str) else value or ()
        looked_up = [places(name, endings) for name in named]
        found[option] = [place for there, _ in looked_up for place in there], [wrong for _, wrong in looked_up if wrong]
    return found


def unreadable(component: Component) -> list[tuple[str, str]]:
    """Each of a component's options that name data files which cannot be read, and why."""
    return [(option, wrong) for option, (_, told) in files_of(component).items() for wrong in told]


def _sample(url: str) -> Path:
    name, _, file = url.removeprefix(SAMPLE).partition("/")
    entry, factory = registries.find("sample", name), registries.load("sample", name)
    required = meta_of(factory).get("requires") or ()
    # The sample's own code and what it is made from are part of its version, so that others make it anew.
    made_from = [f"{each}-{version}" for each in required if (version := version_of(each))]
    version = "+".join([entry.version, _code_digest(factory)[:8], *made_from])
    return sample_file(name, factory, version, file)


def _code_digest(factory: Any) -> str:
    """The digest of a sample's module, and of those beside it, which it may import."""
    file = Path(inspect.getfile(factory))
    beside = sorted(file.parent.glob("*.py")) if (file.parent / "__init__.py").exists() else [file]
    return text_digest([[path.name, file_digest(path)] for path in beside])


def _unreadable(path: Path) -> str:
    """Why there is nothing to read at a path; empty where there is, or where a pattern may match other files."""
    if path.is_symlink() and not path.exists():
        return f"{shown(path)} is a link to {os.readlink(path)}, which isn't there"
    if not path.exists():
        if any(mark in str(path) for mark in "*?["):
            return ""
        return f"there is no file {shown(path)}{nearest(path.name, _siblings(path))} (seen from {Path.cwd()})"
    if not path.is_file() and not path.is_dir():
        return f"{shown(path)} is no file"
    if not os.access(path, os.R_OK):
        return f"{shown(path)} may not be read by this user"
    return "" if path.is_dir() or path.stat().st_size else f"{shown(path)} is empty"


def _is_empty(path: Path) -> bool:
    try:
        return path.is_file() and not path.stat().st_size
    except OSError:
        return False


def _siblings(path: Path) -> list[str]:
    try:
        return [item.name for item in path.parent.iterdir()]
    except OSError:
        return []
