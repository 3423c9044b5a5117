"""What a composed config may not hold, so that no string of it is ever imported, evaluated or unpickled.

Hydra calls whatever `_target_` names in its own node, and Python's logging imports what `class`, `()` and `ext://`
name; both happen before a run's function is called. So these rules are applied to the config before Hydra gets it.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterator, Sequence
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from codex_ml import registries
from codex_ml.errors import Problem
from codex_ml.launch import safe_environment, safe_logging
from codex_ml.launch.config_source import factory_of
from codex_ml.launch.loader import Loader
from codex_ml.launch.nodes import written_out
from codex_ml.launch.settled import INTERPOLATION, raw, settled, walk
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
# Keywords of Hydra's `instantiate`.
_CALLED_WITH = ("_args_", "_convert_", "_partial_", "_recursive_")
_LOGGING = ("job_logging", "hydra_logging")
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
_PLAIN_NAME = re.compile(r"[\w.-]*\w[\w.-]*")
_RESOLVER_OF_PARTS = re.compile(r"\$\{[^{}:]*(?:\$\{[^{}]*\}[^{}:]*)+:")


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


def _job(config: DictConfig) -> Iterator[tuple[str, str]]:
    for name in config:
        if name == "hydra":
            continue
        for path, key, value in walk({name: raw(config._get_node(name))}):
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
    for path, key, value in walk(raw(hydra), "hydra"):
        if key == "_target_" and not _allowed_place(path):
            yield path, f"'{path}' is refused: a config may not name code to run ({value!r})"
        elif not path.startswith(("hydra.overrides.", "hydra.job.override_dirname")):  # the command line once more
            yield from _resolver(path, value)
    # Where nothing but a placeholder stands, what was chosen has been refused already.
    replaced = {path.split("/")[1] for path in loader.placeholders if path.startswith("hydra/")}
    for place in _TARGETS:
        if place not in replaced:
            yield from _targets(hydra, place)
    for name in _LOGGING:
        if name not in replaced:
            yield from safe_logging.problems(hydra, name, sources, loader)
    yield from safe_environment.problems(hydra.job)
    subdir: Any = hydra._get_node("output_subdir")
    subdir = None if subdir is None else subdir._value()
    if not (subdir is None or (isinstance(subdir, str) and _PLAIN_NAME.fullmatch(subdir))):
        yield "hydra.output_subdir", f"'hydra.output_subdir' must be the plain name of a folder, not {subdir!r}"
    yield from _launcher(hydra, sources, loader)


def _allowed_place(path: str) -> bool:
    parts = path.split(".")[1:-1]
    return parts in (["launcher"], ["sweeper"]) or (len(parts) == 2 and parts[0] == "callbacks")


def _targets(hydra: DictConfig, place: str) -> Iterator[tuple[str, str]]:
    unknown = [*settled(hydra, place)]
    values, top = raw(hydra._get_node(place)), f"hydra.{place}"
    if unknown or (place != "callbacks" and not isinstance(values, dict)):
        yield from unknown or [(top, f"'{top}' must be a mapping")]
    elif place != "callbacks":
        yield from _target(values, top, place)
    elif not (values is None or isinstance(values, dict)):
        yield top, f"'{top}' must be a mapping"
    else:
        for name, entry in (values or {}).items():
            yield from _target(entry, f"{top}.{name}", place)


def _target(entry: Any, path: str, place: str) -> Iterator[tuple[str, str]]:
    known = ", ".join(sorted(target.rpartition(".")[2] for target in _TARGETS[place]))
    if not isinstance(entry, dict) or "_target_" not in entry:
        yield path, f"'{path}' must be a mapping with a _target_, not {reprlib.repr(entry)}; known here are {known}"
        return
    for where, key, value in walk(entry, path):
        if key == "_target_" and where != f"{path}._target_":
            yield where, f"'{where}' is refused: a config may not name code to run ({value!r})"
        elif key == "_target_" and str(value) not in _TARGETS[place]:
            yield where, f"'{where}' may not be {value!r}; known here are {known}"
        elif key in _CALLED_WITH:
            yield where, f"'{where}' is refused: how the target is called is no setting; remove it"


def _launcher(hydra: DictConfig, sources: Sources, loader: Loader) -> Iterator[tuple[str, str]]:
    top, written = "hydra.launcher", loader.yaml_launcher
    if isinstance(written, str):
        yield top, f"'{top}' must be a mapping that is written out"
    risky = {path for path, key, value in walk(written, top) if key in _COMMAND_LINE_ONLY and value not in _HARMLESS}
    for path, key, value in walk(raw(hydra._get_node("launcher")), top):
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
    texts = (text for _, _, text in walk(given) if isinstance(text, str))
    return bool(given) and not any(INTERPOLATION.search(text) for text in texts)
