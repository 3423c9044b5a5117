"""What each component declares, known without importing anything heavy.

This project's own components are cheap to import. A stranger's is imported in a process of its own first, which tells
what it declares and which libraries came along; that is kept on disk as long as the distribution and its files stay as
they are. One that brings no heavy library is then imported here as well, as nothing is as good as the object itself.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import sysconfig
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

from codex_addons import entry_points
from codex_addons.cache import cache_home, read_json, write_json
from codex_addons.component import api_version, meta_of
from codex_addons.entry_points import InstalledEntryPoint, canonical
from codex_addons.errors import CodexAddonsError, PluginLoadError
from codex_addons.index import is_settled, stamp_of
from codex_ml import registries
from codex_ml.launch.annotation_json import from_json, to_json
from codex_ml.launch.child import ChildError, spawned
from codex_ml.launch.schema import Option, Schema, read_schema

__all__ = ["Declaration", "declaration_of", "inspect_apart", "loaded_declaration", "schema_of"]

_FORMAT = 2
_OWN = "codex-ml"
# Libraries that take a noticeable part of a second to import, or are promised to stay out of composing.
HEAVY = frozenset(
    {
        *(
            "torch",
            "transformers",
            "accelerate",
            "lightning",
            "pytorch_lightning",
            "tensorflow",
            "keras",
            "jax",
            "flax",
        ),
        *("numpy", "scipy", "pandas", "polars", "pyarrow", "sklearn", "datasets", "evaluate", "tokenizers"),
        *("sentencepiece", "sacrebleu", "nltk", "spacy", "matplotlib", "mlflow", "wandb", "ray", "optuna"),
    }
)


@dataclass(frozen=True)
class Declaration:
    """What a component says of itself.

    Attributes:
        schema: Its options.
        meta: Its `__codex_meta__`.
        api: The version of the plugin API that it is written for.
        doc: Its docstring; empty where it has none of its own.
        heavy: The heavy libraries that importing its module brings.
        threads: Whether importing its module starts a thread that keeps a program from ending.
    """

    schema: Schema
    meta: Mapping[str, Any] = field(default_factory=dict)
    api: str = "v1"
    doc: str = ""
    heavy: tuple[str, ...] = ()
    threads: bool = False

    @property
    def deferred(self) -> bool:
        """Whether the component itself is not to be imported as long as nothing is run."""
        return self.threads or any(name not in sys.modules for name in self.heavy)


def schema_of(kind: str, name: str) -> Schema:
    """The options of a registered component; see `declaration_of`."""
    return declaration_of(kind, name).schema


def declaration_of(kind: str, name: str) -> Declaration:
    """What a registered component declares; nothing heavy is imported for it.

    Raises:
        UnknownComponentError: There is no such component.
        PluginLoadError: It cannot be imported, or what it declares cannot be read.
    """
    entry = registries.find(kind, name)
    if canonical(entry.distribution) != _OWN and entry.target.partition(":")[0] not in sys.modules and sys.executable:
        known = _known(kind, entry)
        if known.deferred:
            return known
    return _loaded(kind, entry)


def loaded_declaration(kind: str, name: str) -> Declaration:
    """The same, from the component itself, which is loaded; raises likewise."""
    return _loaded(kind, registries.find(kind, name))


@cache
def _loaded(kind: str, entry: InstalledEntryPoint) -> Declaration:
    factory = registries.load_entry(entry)
    try:
        if not callable(factory):
            raise TypeError(f"{entry.target} is a {type(factory).__name__}, which cannot be called")
        schema = read_schema(kind, factory)
    except Exception as cause:
        # The declaration is a stranger's: a default factory that raises, something that is no dataclass.
        raise PluginLoadError(
            f"the options of {kind} '{entry.name}' of {entry.distribution} cannot be read: "
            f"{type(cause).__name__}: {cause}",
            name=entry.name,
            distribution=entry.distribution,
            cause=cause,
        ) from cause
    return Declaration(schema, meta_of(factory), api_version(factory), _doc_of(factory))


def _doc_of(factory: Any) -> str:
    # A dict or a functools.partial would show its type's docstring, which tells nothing of this one.
    inherited = factory.__doc__ == type(factory).__doc__
    return "" if inherited else str(factory.__doc__ or "")


def inspect_apart(kind: str, entry: InstalledEntryPoint) -> dict[str, Any]:
    """Imports a component in a process of its own and tells what came of it.

    Returns:
        `declaration`, as JSON, or `error`, why there is none; `heavy`, the libraries that came along; `seconds`, how
        long its import took; `file`, that of its module; `modules`, the files of what else it imported; `threads`,
        whether it started one that keeps a program from ending.
    """
    location = None if entry.location is None else str(entry.location)
    try:
        return spawned(f"{__name__}:told", kind, {**asdict(entry), "location": location})
    except ChildError as error:
        return {"error": f"{entry.name!r} of {entry.distribution} {entry.version} cannot be loaded: {error}"}


def told(kind: str, fields: dict[str, Any]) -> dict[str, Any]:
    """What `inspect_apart` returns, said in that process."""
    location = fields.pop("location")
    entry = InstalledEntryPoint(**fields, location=None if location is None else Path(location))
    before, began = set(sys.modules), time.perf_counter()
    found: dict[str, Any] = {}
    try:
        entry_points.load(entry)
        found["seconds"] = time.perf_counter() - began
        found["declaration"] = _to_json(_loaded(kind, entry))
    except CodexAddonsError as error:
        found["error"] = str(error)
    module = sys.modules.get(entry.target.partition(":")[0])
    found["file"] = getattr(module, "__file__", None)
    # One that isn't a daemon keeps the interpreter from ending.
    found["threads"] = any(not thread.daemon for thread in threading.enumerate()[1:])
    found["modules"] = _others(set(sys.modules) - before, entry.target)
    return found | {"heavy": sorted(HEAVY.intersection(sys.modules))}


def _others(names: set[str], target: str) -> list[str]:
    """The files of modules that came along, but for a component's own package, the standard library and the heavy ones.

    Of an installed library only an upgrade changes the files; it changes the folder that it lies in, too.
    """
    own, library = target.partition(":")[0].partition(".")[0], sysconfig.get_path("stdlib")
    tops = {own, *HEAVY, *sys.stdlib_module_names}
    files = [
        str(getattr(sys.modules.get(name), "__file__", None) or "")
        for name in names
        if name.partition(".")[0] not in tops
    ]
    return sorted(file for file in files if os.path.isfile(file) and not file.startswith(library + os.sep))


@cache
def _known(kind: str, entry: InstalledEntryPoint) -> Declaration:
    """What is kept of a component, or read in another process now."""
    file, now, key = _file(kind, entry), time.time_ns(), _key(kind, entry)
    kept: Any = read_json(file) if file else None
    if kept is not None and kept["key"] == key and kept["modules"] == _stamps(kept["told"]["modules"]):
        return _from_json(kept["told"])
    found = inspect_apart(kind, entry)
    if "error" in found:
        raise PluginLoadError(found["error"], name=entry.name, distribution=entry.distribution)
    modules = _stamps(found["modules"])
    settled = all(is_settled(tuple(stamp), now) for stamp in (*key["state"], *modules))
    if file and key["state"] and settled and key == _key(kind, entry):
        write_json(file, {"key": key, "modules": modules, "told": found})
    return _from_json(found)


def _file(kind: str, entry: InstalledEntryPoint) -> Path | None:
    home = None if os.environ.get("CODEX_ML_NO_CACHE") == "1" else cache_home()
    name = f"{kind}-{canonical(entry.distribution)}-{entry.name}-{crc32(os.fsencode(sys.prefix)):08x}.json"
    return home / "declarations" / name if home else None


def _key(kind: str, entry: InstalledEntryPoint) -> dict[str, Any]:
    """What a declaration depends on."""
    of = [_FORMAT, kind, entry.name, entry.target, canonical(entry.distribution), entry.version, sys.version]
    return {"of": of, "state": _stamps(_package_files(entry.target))}


def _stamps(files: Iterable[str]) -> list[list[int]]:
    """The stamps of files, each with a checksum of its name; one that is gone has none."""
    found: list[list[int]] = []
    for name in files:
        with suppress(OSError):
            found.append([*stamp_of(name), crc32(os.fsencode(name))])
    return found


def _package_files(target: str) -> list[str]:
    """The files of a component's package, found without importing it; none where it has none."""
    package = target.partition(":")[0].partition(".")[0]
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return []
    places = list(spec.submodule_search_locations or [spec.origin or ""]) if spec else []
    return sorted(name for place in places for name in ([place] if os.path.isfile(place) else _files_in(place)))


def _files_in(folder: str) -> Iterator[str]:
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        yield from (os.path.join(place, name) for name in names)


def _to_json(declaration: Declaration) -> dict[str, Any]:
    options = [
        [item.name, to_json(item.annotation), _paired(item.default), item.help, item.listed]
        for item in declaration.schema.options.values()
    ]
    told = {"api": declaration.api, "doc": declaration.doc, "meta": _plain(declaration.meta)}
    return {**told, "options": options, "open": declaration.schema.open}


def _plain(value: Any) -> Any:
    """What a component tells of itself, as JSON; what has no form there as text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | None) else str(value)


def _paired(value: Any) -> Any:
    """A default with its mappings as pairs, as JSON has no keys but strings."""
    if isinstance(value, dict):
        return {"pairs": [[key, _paired(item)] for key, item in value.items()]}
    return [_paired(item) for item in value] if isinstance(value, list) else value


def _unpaired(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _unpaired(item) for key, item in value["pairs"]}
    return [_unpaired(item) for item in value] if isinstance(value, list) else value


def _from_json(content: Mapping[str, Any]) -> Declaration:
    told = content["declaration"]
    options = [
        Option(name, from_json(annotation), _unpaired(default), help_line, listed)
        for name, annotation, default, help_line, listed in told["options"]
    ]
    schema = Schema({option.name: option for option in options}, told["open"])
    return Declaration(
        schema, told["meta"], told["api"], told["doc"], tuple(content["heavy"]), threads=content["threads"]
    )
