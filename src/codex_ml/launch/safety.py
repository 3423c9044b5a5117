"""What a composed config may not hold, so that no string of it is ever imported, evaluated or unpickled.

Hydra calls whatever `_target_` names in its own node, and Python's logging imports what `class`, `()` and `ext://`
name; both happen before a run's function is called. So these rules are applied to the config before Hydra gets it.
"""

from __future__ import annotations

import fnmatch
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from codex_ml import registries
from codex_ml.errors import Problem
from codex_ml.launch.config_source import factory_of
from codex_ml.launch.loader import Loader
from codex_ml.launch.nodes import written_out
from codex_ml.launch.sources import Sources

__all__ = ["problems"]

# What each place of the `hydra` node may name.
_TARGETS = {
    "launcher": frozenset(
        {
            "hydra._internal.core_plugins.basic_launcher.BasicLauncher",
            "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher",
            "hydra_plugins.hydra_ray_launcher.ray_launcher.RayLauncher",
            "hydra_plugins.hydra_submitit_launcher.submitit_launcher.LocalLauncher",
            "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher",
        }
    ),
    "sweeper": frozenset({"hydra._internal.core_plugins.basic_sweeper.BasicSweeper"}),
    "callbacks": frozenset(
        {
            "hydra.experimental.callbacks.LogJobReturnCallback",
            "hydra.experimental.callbacks.PickleJobInfoCallback",
        }
    ),
}
_LOGGING = ("job_logging", "hydra_logging")
# Variables through which a child process, an interpreter, a shared library or a tool runs code of another's choice.
_VARIABLES = (
    *("LD_*", "DYLD_*", "PYTHON*", "PATH", "*LIBRARY_PATH", "HYDRA_*", "CODEX_*", "GIT_*", "PIP_*", "SETUPTOOLS_*"),
    *(
        "BASH*",
        "ENV",
        "SHELL*",
        "IFS",
        "PS4",
        "PROMPT_*",
        "ZDOTDIR",
        "HOME",
        "USERPROFILE",
        "XDG_*",
        "EDITOR",
        "VISUAL",
    ),
    *("PAGER", "BROWSER", "LESSOPEN", "CC", "CXX", "NVCC*", "*FLAGS", "CUDA_HOME", "CUDA_PATH", "*_INJECTION*"),
    *("*_PLUGIN*", "*PRELOAD*", "*_HOOK*", "OMP_TOOL*", "GCONV_*", "OPENSSL_*", "*TRUST_REMOTE_CODE*", "MPL*"),
    *("TORCHINDUCTOR_*", "TORCH_EXTENSIONS_*", "TRITON_*", "NUMBA_*", "ARROW_*", "HADOOP_*", "JAVA_*", "_JAVA_*"),
    *("NODE_*", "PERL5*", "RUBY*", "COVERAGE_*", "PYTEST_*", "RAY_*", "SLURM_*", "SBATCH_*", "SRUN_*"),
)
# Launcher options that end up in a shell script or as code of a worker: a person types them, a file doesn't. So it is
# with a cluster's address, for what the cluster answers is unpickled.
_COMMAND_LINE_ONLY = frozenset(
    {
        *("setup", "teardown", "additional_parameters", "srun_args", "python", "command"),
        *("runtime_env", "job_config", "_system_config", "_tracing_startup_hook", "address"),
    }
)
_HARMLESS = (None, "", [], {}, "auto", "local")
# Older joblibs evaluate it.
_PRE_DISPATCH = re.compile(r"all|[\d\s.*+/-]*(n_jobs)?[\d\s.*+/-]*")
_INTERPOLATION = re.compile(r"(?<!\\)(?:\\\\)*\$\{")
_RESOLVER_OF_PARTS = re.compile(r"\$\{[^{}:]*(?:\$\{[^{}]*\}[^{}:]*)+:")
# Where a text may begin that logging is not to take for ext://..., whatever its interpolations turn out to be; and no
# program reads a file of such a name.
_LOG_FILE = re.compile(
    r"(?:\$\{hydra\.runtime\.output_dir\}/|(?=[a-z]*[^a-z:$])|(?=[a-z]:)).*\.(?:log|txt|out)", flags=re.DOTALL
)


def problems(config: DictConfig, sources: Sources, loader: Loader) -> list[Problem]:
    """Everything in a composed config that could run code; empty for a config that is safe to hand to Hydra.

    Interpolations in what Hydra calls are replaced by their values, so that what is checked is what runs: they could
    lead elsewhere once the run's folder or a job's number is known.
    """
    found: list[Problem] = []
    for path, message in (*_job(config), *_hydra(config, sources, loader)):
        problem = Problem(message, sources.of(path))
        if problem not in found:
            found.append(problem)
    return found


def _walk(node: Any, path: str = "") -> Iterator[tuple[str, str, Any]]:
    """Every `(path, key, value)` of a plain tree."""
    items = node.items() if isinstance(node, Mapping) else enumerate(node) if isinstance(node, list | tuple) else ()
    for key, value in items:
        where = f"{path}.{key}" if path else str(key)
        yield where, str(key), value
        yield from _walk(value, where)


def _raw(node: Any) -> Any:
    return OmegaConf.to_container(node, resolve=False) if isinstance(node, DictConfig | ListConfig) else node


def _job(config: DictConfig) -> Iterator[tuple[str, str]]:
    for name in config:
        if name == "hydra":
            continue
        for path, key, value in _walk({name: _raw(config._get_node(name))}):
            if key == "_target_":
                yield path, f"'{path}' is refused: a config names registered components, never code ({value!r})"
            elif key == "factory" and path.partition(".")[0] in registries.KINDS:
                kind = path.partition(".")[0]
                if value != factory_of(kind):
                    yield path, f"'{path}' may not be overridden; choose {kind}=<name> instead"
            else:
                yield from _resolver(path, value)


def _resolver(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, str) and "codex.factory" in value.replace(" ", ""):
        yield path, f"'{path}' is refused: components are chosen by their group, not by ${{codex.factory:...}}"
    elif isinstance(value, str) and _RESOLVER_OF_PARTS.search(value):
        yield path, f"'{path}' is refused: a resolver's name must be written out, not put together"


def _hydra(config: DictConfig, sources: Sources, loader: Loader) -> Iterator[tuple[str, str]]:
    hydra = config._get_node("hydra")
    if not isinstance(hydra, DictConfig) or not all(written_out(node) for node in (hydra, hydra._get_node("job"))):
        yield "hydra", "'hydra' and 'hydra.job' must be mappings that are written out"
        return
    for path, key, value in _walk(_raw(hydra), "hydra"):
        if key == "_target_" and not _allowed_place(path):
            yield path, f"'{path}' is refused: a config may not name code to run ({value!r})"
        elif not path.startswith(("hydra.overrides.", "hydra.job.override_dirname")):  # the command line once more
            yield from _resolver(path, value)
    for place in _TARGETS:
        yield from _targets(hydra, place)
    for name in _LOGGING:
        yield from _logging(hydra, name, sources, loader)
    yield from _environment(hydra.job)
    yield from _launcher(hydra, sources, loader)


def _allowed_place(path: str) -> bool:
    parts = path.split(".")[1:-1]
    return parts in (["launcher"], ["sweeper"]) or (len(parts) == 2 and parts[0] == "callbacks")


def _settle(parent: Any, key: Any, only: str | None = None) -> None:
    """Puts their values in the place of interpolations, of all or of those under one key."""
    node = parent._get_node(key)
    if node is None:
        return
    if node._is_interpolation():
        if only in (None, key):
            value = parent[key]
            value = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
            with read_write(parent), open_dict(parent):
                parent[key] = _escaped(value)
    elif isinstance(node, DictConfig | ListConfig) and not (node._is_none() or node._is_missing()):
        for inner in list(node) if isinstance(node, DictConfig) else range(len(node)):
            _settle(node, inner, only)


def _escaped(value: Any) -> Any:
    """A value that is to be taken as it is, in a config."""
    if isinstance(value, str):
        return re.sub(r"(\\*)\$\{", r"\1\1\\${", value)
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items()}
    return [_escaped(item) for item in value] if isinstance(value, list) else value


def _settled(hydra: DictConfig, key: str, only: str | None = None) -> Iterator[tuple[str, str]]:
    try:
        _settle(hydra, key, only)
    except OmegaConfBaseException as error:
        yield f"hydra.{key}", f"'hydra.{key}' must be known before the run: {str(error).partition(chr(10))[0]}"


def _targets(hydra: DictConfig, place: str) -> Iterator[tuple[str, str]]:
    unknown = [*_settled(hydra, place)]
    values = _raw(hydra._get_node(place))
    if unknown or not (values is None or isinstance(values, dict)):
        yield from unknown or [(f"hydra.{place}", f"'hydra.{place}' must be a mapping")]
        return
    for path, key, value in _walk(values or {}, f"hydra.{place}"):
        if key != "_target_":
            continue
        if not _allowed_place(path):
            yield path, f"'{path}' is refused: a config may not name code to run ({value!r})"
        elif str(value) not in _TARGETS[place]:
            known = ", ".join(sorted(target.rpartition(".")[2] for target in _TARGETS[place]))
            yield path, f"'{path}' may not be {value!r}; known here are {known}"


def _shipped(name: str, sources: Sources, loader: Loader) -> Iterator[Any]:
    """The logging options that something installed ships: those of `pkg://` sources (see search_paths)."""
    chosen = [layer.result for layer in sources.layers if layer.package == f"hydra.{name}"]
    if chosen and all(str(result.path).startswith("pkg://") for result in chosen):
        yield from (_raw(result.config) for result in chosen)
        return
    group = f"hydra/{name}"
    for source in loader.repository.get_sources():
        if source.scheme() == "pkg" and source.is_group(group):
            yield from (_raw(source.load_config(f"{group}/{option}").config) for option in source.list(group, None))


def _logging(hydra: DictConfig, name: str, sources: Sources, loader: Loader) -> Iterator[tuple[str, str]]:
    path = f"hydra.{name}"
    unknown = [*_settled(hydra, name, only="level")]
    actual = _raw(hydra._get_node(name))
    if not unknown and not any(_masked(actual) == _masked(option) for option in _shipped(name, sources, loader)):
        allowed = "only the levels and 'filename' may be set, for its classes are called"
        unknown = [(path, f"'{path}' must be one of the options of hydra/{name} as shipped; {allowed}")]
    yield from unknown
    levels = logging.getLevelNamesMapping()
    for where, key, value in () if unknown else _walk(actual, path):
        if key == "level" and not (isinstance(value, int) or (isinstance(value, str) and value in levels)):
            yield where, f"'{where}' must be one of {', '.join(levels)}, not {value!r}"
        elif key == "filename" and not (isinstance(value, str) and _LOG_FILE.fullmatch(value)):
            form = "begin with a folder or ${hydra.runtime.output_dir}/ and end in .log, .txt or .out"
            yield where, f"'{where}' must {form}, not {value!r}"


def _masked(node: Any, *path: str) -> Any:
    """Without what a user may set: the level of the root, a logger or a handler, and a handler's file name."""
    if not isinstance(node, Mapping):
        return node
    entry = path == ("root",) or (len(path) == 2 and path[0] in ("handlers", "loggers"))
    masked = {key: _masked(value, *path, str(key)) for key, value in node.items() if not (entry and key == "level")}
    return masked | {"filename": ""} if entry and "filename" in masked else masked


def _environment(job: DictConfig) -> Iterator[tuple[str, str]]:
    path, variables = "hydra.job.env_set", _raw(job._get_node("env_set"))
    if not isinstance(variables, Mapping):
        yield path, f"'{path}' must be a mapping that is written out"
        return
    for name, value in variables.items():
        # What hydra.job.env_copy took from this environment is there already.
        copied = name in (_raw(job._get_node("env_copy")) or ()) and value == os.environ.get(str(name))
        if not copied and any(fnmatch.fnmatchcase(str(name).upper(), pattern) for pattern in _VARIABLES):
            yield f"{path}.{name}", f"'{path}.{name}' is refused: this variable can run code; set it in the shell"


def _launcher(hydra: DictConfig, sources: Sources, loader: Loader) -> Iterator[tuple[str, str]]:
    top, written = "hydra.launcher", loader.yaml_launcher
    if isinstance(written, str):
        yield top, f"'{top}' must be a mapping that is written out"
    risky = {path for path, key, value in _walk(written, top) if key in _COMMAND_LINE_ONLY and value not in _HARMLESS}
    for path, key, value in _walk(_raw(hydra._get_node("launcher")), top):
        if key in _COMMAND_LINE_ONLY:
            if value not in _HARMLESS and (path in risky or not _typed(path, sources.overrides)):
                yield path, f"'{path}' counts only from the command line, for it can run code; pass {path}=..."
        elif _COMMAND_LINE_ONLY.isdisjoint(path.split(".")) and isinstance(value, str):
            if any(ord(letter) < 32 for letter in value):
                yield path, f"'{path}' is refused: a line break would end up in a job script"
            elif key == "pre_dispatch" and not _PRE_DISPATCH.fullmatch(value):
                yield path, f"'{path}' must be a number, all, or a multiple of n_jobs, not {value!r}"


def _typed(path: str, overrides: Sequence[Override]) -> bool:
    """Whether a value was given on the command line, and as itself."""
    given: list[Any] = []
    for override in overrides:
        key = override.key_or_group
        value = None if override.is_sweep_override() else override.value()
        if key == path or key.startswith(f"{path}."):
            given.append(value)
        elif path.startswith(f"{key}."):
            for part in path.removeprefix(f"{key}.").split("."):
                value = value.get(part) if isinstance(value, dict) else None
            given += [value] if value is not None else []
    texts = (text for _, _, text in _walk(given) if isinstance(text, str))
    return bool(given) and not any(_INTERPOLATION.search(text) for text in texts)
