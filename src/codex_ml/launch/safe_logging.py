"""How a run may log. Python's logging imports what `class`, `()` and `ext://` name, so only shipped ways are taken."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any

from hydra.core.object_type import ObjectType
from omegaconf import DictConfig

from codex_ml.launch.loader import Loader
from codex_ml.launch.settled import raw, settled, walk
from codex_ml.launch.sources import Sources

__all__ = ["problems"]

# Where a text may begin that logging is not to take for ext://..., whatever its interpolations turn out to be. A log
# appends to its file, and other programs read files by the name of .txt and .out (requirements.txt, CMakeLists.txt).
_LOG_FILE = re.compile(r"(?:\$\{hydra\.runtime\.output_dir\}/|(?=[a-z]*[^a-z:$])|(?=[a-z]:)).*\.log", flags=re.DOTALL)


def problems(hydra: DictConfig, name: str, sources: Sources, loader: Loader) -> Iterator[tuple[str, str]]:
    """`(path, message)` for what `hydra.job_logging` or `hydra.hydra_logging` holds beside a shipped option."""
    path = f"hydra.{name}"
    unknown = [*settled(hydra, name, only="level")]
    actual = raw(hydra._get_node(name))
    if not unknown and not any(_masked(actual) == _masked(option) for option in _shipped(name, sources, loader)):
        allowed = "only the levels and 'filename' may be set, for its classes are called"
        unknown = [(path, f"'{path}' must be one of the options of hydra/{name} as shipped; {allowed}")]
    yield from unknown
    levels = logging.getLevelNamesMapping()
    for where, key, value in () if unknown else walk(actual, path):
        if key == "level" and not (isinstance(value, int) or (isinstance(value, str) and value in levels)):
            yield where, f"'{where}' must be one of {', '.join(levels)}, not {value!r}"
        elif key == "filename" and not (isinstance(value, str) and _LOG_FILE.fullmatch(value)):
            form = "begin with a folder or ${hydra.runtime.output_dir}/ and end in .log"
            yield where, f"'{where}' must {form}, not {value!r}"


def _shipped(name: str, sources: Sources, loader: Loader) -> Iterator[Any]:
    """The logging options that installed packages ship: those that were chosen, or else all of them."""
    group = f"hydra/{name}"
    # Asked of the sources themselves: a config that was read through one of them may lie anywhere.
    options = [
        (source, option)
        for source in loader.repository.get_sources()
        if source.scheme() == "pkg" and source.is_group(group)
        for option in source.list(group, ObjectType.CONFIG)
    ]
    known = {(f"pkg://{source.path}", f"{group}/{option}") for source, option in options}
    chosen = [layer for layer in sources.layers if layer.package == f"hydra.{name}"]
    if chosen and all((layer.result.path, layer.config_path) in known for layer in chosen):
        yield from (raw(layer.result.config) for layer in chosen)
    else:
        yield from (raw(source.load_config(f"{group}/{option}").config) for source, option in options)


def _masked(node: Any, *path: str) -> Any:
    """Without what a user may set: the level of the root, a logger or a handler, and a handler's file name."""
    if not isinstance(node, Mapping):
        return node
    entry = path == ("root",) or (len(path) == 2 and path[0] in ("handlers", "loggers"))
    masked = {key: _masked(value, *path, str(key)) for key, value in node.items() if not (entry and key == "level")}
    return masked | {"filename": ""} if entry and "filename" in masked else masked
