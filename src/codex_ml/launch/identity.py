"""`run_id`: the same work has the same id; other options, data, code or libraries have another."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Mapping
from functools import cache
from pathlib import Path, PurePath
from typing import Any

from codex_ml.launch.assembly import Assembly, Component
from codex_ml.launch.data_files import files_of
from codex_ml.launch.digests import file_digest, folder_digest, place_digest, text_digest, tree_digest
from codex_ml.launch.versions import version_of
from codex_ml.pretrained import VOCABULARY_FILES

__all__ = ["component_identity", "run_id"]

# Libraries whose version changes the numbers.
_LIBRARIES = ("torch", "transformers")
_CODE = frozenset({".py", ".pyx", ".so", ".json", ".yaml", ".toml"})
# What tells a folder of a model or tokenizer from one that merely bears the name that an option has.
_MODEL_FILES = ("config.json", "tokenizer_config.json", *VOCABULARY_FILES)


def run_id(assembly: Assembly, mode: str) -> str:
    """Twelve hex digits for the work that an assembly describes.

    Observers (`progress`, trackers) and the folders have no part in it; files count by content, not by place.
    """
    work = {
        "mode": mode,
        "seed": assembly.seed,
        "objective": assembly.objective,
        "components": [component_identity(item) for item in _components(assembly)],
        "data": {
            name: [place_digest(place) for place in getattr(assembly.data, name)]
            for name in ("train", "validation", "test")
        },
        "weights": None if assembly.weights is None else folder_digest(assembly.weights.folder),
        "reading": [assembly.data.validation_fraction, assembly.data.limit, dict(assembly.data.columns)],
        "libraries": {name: version_of(name) for name in _LIBRARIES},
    }
    return text_digest(work)[:12]


def _components(assembly: Assembly) -> list[Component]:
    acting = [plugin for plugin in assembly.plugins if not plugin.meta.get("observer")]
    single = [assembly.task, assembly.model, assembly.tokenizer, assembly.data_loader, assembly.trainer]
    return [item for item in [*single, *assembly.metrics, *acting] if item is not None]


def component_identity(component: Component) -> list[Any]:
    """What tells a component from others, as JSON: its code and options, and the libraries that it says it uses."""
    entry = component.entry
    code = _package_digest(entry.target.partition(":")[0].partition(".")[0])
    options = {key: _plain(value) for key, value in component.options.items()}
    options |= {key: [place_digest(place) for place in there] for key, (there, _) in files_of(component).items()}
    libraries = {name: version_of(name) for name in (*component.requires, *component.uses)}
    origin = [component.kind, component.key, entry.distribution, entry.version, entry.target, code]
    return [*origin, libraries, options]


@cache
def _package_digest(package: str) -> str:
    """The digest of a package's files; found without importing it. An edited plugin is another plugin."""
    spec = importlib.util.find_spec(package)
    if spec is None:
        return ""
    folders = [Path(folder) for folder in spec.submodule_search_locations or () if Path(folder).is_dir()]
    if folders:
        return text_digest([tree_digest(folder, _CODE) for folder in folders])
    return file_digest(spec.origin) if spec.origin and Path(spec.origin).is_file() else ""


def _plain(value: Any) -> Any:
    """An option as JSON; a path that exists stands for its content."""
    if isinstance(value, PurePath):
        path = Path(value)
        if path.is_file():
            return {"content": file_digest(path)}
        return {"content": folder_digest(path)} if path.is_dir() else str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = [_plain(item) for item in value]
        return sorted(items, key=repr) if isinstance(value, set | frozenset) else items
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: _plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, str):
        return _local(value)
    return value if value is None or isinstance(value, bool | int | float) else repr(value)


def _local(value: str) -> Any:
    """A string that names a local file, or a folder with a model or tokenizer in it, counts by the content."""
    try:
        path = Path(value).expanduser()
        if value and path.is_file():
            return {"content": file_digest(path)}
        local = bool(value) and any((path / name).is_file() for name in _MODEL_FILES)
    except (OSError, RuntimeError, ValueError):
        # Too long for a path, a NUL in it, or the home folder of nobody: text that is no path.
        return value
    return {"content": folder_digest(path)} if local else value
