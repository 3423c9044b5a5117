"""What each component declares, known without importing anything heavy.

This project's own components are cheap to import. A stranger's is imported in a process of its own first, which tells
what it declares and which libraries came along; that is kept on disk as long as the distribution and its files stay as
they are. One that brings no heavy library is then imported here as well, as nothing is as good as the object itself.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from collections.abc import Mapping
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
from codex_addons.index import Stamp, is_settled, stamp_of
from codex_ml import registries
from codex_ml.launch.annotation_json import from_json, to_json
from codex_ml.launch.child import ChildError, spawned
from codex_ml.launch.schema import Option, Schema, read_schema

__all__ = ["Declaration", "declaration_of", "inspect_apart", "loaded_declaration", "schema_of"]

_FORMAT = 1
_OWN = "codex-ml"
# Libraries that take a noticeable part of a second to import, or are promised to stay out of composing.
_HEAVY = frozenset(
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
    """

    schema: Schema
    meta: Mapping[str, Any] = field(default_factory=dict)
    api: str = "v1"
    doc: str = ""
    heavy: tuple[str, ...] = ()

    @property
    def deferred(self) -> bool:
        """Whether the component itself is not to be imported as long as nothing is run."""
        return any(name not in sys.modules for name in self.heavy)


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
        long its import took; `file`, that of its module.
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
    began = time.perf_counter()
    found: dict[str, Any] = {}
    try:
        entry_points.load(entry)
        found["seconds"] = time.perf_counter() - began
        found["declaration"] = _to_json(_loaded(kind, entry))
    except CodexAddonsError as error:
        found["error"] = str(error)
    module = sys.modules.get(entry.target.partition(":")[0])
    found["file"] = getattr(module, "__file__", None)
    return found | {"heavy": sorted(_HEAVY.intersection(sys.modules))}


@cache
def _known(kind: str, entry: InstalledEntryPoint) -> Declaration:
    """What is kept of a component, or read in another process now."""
    file, now, key = _file(kind, entry), time.time_ns(), _key(kind, entry)
    kept: Any = read_json(file) if file else None
    if kept is not None and kept["key"] == key:
        return _from_json(kept["told"])
    found = inspect_apart(kind, entry)
    if "error" in found:
        raise PluginLoadError(found["error"], name=entry.name, distribution=entry.distribution)
    if file and key["state"] and all(is_settled(stamp, now) for stamp in key["state"]) and key == _key(kind, entry):
        write_json(file, {"key": key, "told": found})
    return _from_json(found)


def _file(kind: str, entry: InstalledEntryPoint) -> Path | None:
    home = None if os.environ.get("CODEX_ML_NO_CACHE") == "1" else cache_home()
    name = f"{kind}-{canonical(entry.distribution)}-{entry.name}-{crc32(os.fsencode(sys.prefix)):08x}.json"
    return home / "declarations" / name if home else None


def _key(kind: str, entry: InstalledEntryPoint) -> dict[str, Any]:
    """What a declaration depends on."""
    of = [_FORMAT, kind, entry.name, entry.target, canonical(entry.distribution), entry.version, sys.version]
    return {"of": of, "state": [list(stamp) for stamp in _state(entry.target)]}


def _state(target: str) -> list[Stamp]:
    """The stamps of the Python files of a component's package, found without importing it; none where it has none."""
    package = target.partition(":")[0].partition(".")[0]
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return []
    places = list(spec.submodule_search_locations or [spec.origin or ""]) if spec else []
    found: list[Stamp] = []
    for place in places:
        names = [place] if os.path.isfile(place) else _python_files(place)
        found += [(*stamp_of(name), crc32(os.fsencode(name))) for name in names]
    return found


def _python_files(folder: str) -> list[str]:
    return sorted(
        os.path.join(place, name)
        for place, _, names in os.walk(folder)
        for name in names
        if name.endswith((".py", ".so", ".pyd"))
    )


def _to_json(declaration: Declaration) -> dict[str, Any]:
    options = [
        [item.name, to_json(item.annotation), item.default, item.help, item.listed]
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


def _from_json(content: Mapping[str, Any]) -> Declaration:
    told = content["declaration"]
    options = [
        Option(name, from_json(annotation), default, help_line, listed)
        for name, annotation, default, help_line, listed in told["options"]
    ]
    schema = Schema({option.name: option for option in options}, told["open"])
    return Declaration(schema, told["meta"], told["api"], told["doc"], tuple(content["heavy"]))
