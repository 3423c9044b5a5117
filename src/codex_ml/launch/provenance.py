"""Where a result comes from: components, data, machine and code, as the record tells them."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codex_ml.launch.assembly import Assembly, Component
from codex_ml.launch.versions import version_of
from codex_ml.places import without_secrets

__all__ = ["component_record", "components_record", "cpu_model", "environment_record", "git_record", "signature"]

# A tree's own configuration may name programs for these.
_SETTINGS = ("-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}")
# An object that is missing in a partial clone would be fetched, by a program that the tree's configuration names; git
# before 2.45 doesn't know GIT_NO_LAZY_FETCH.
_ENVIRONMENT = {
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
}
# These have names of the tree's choice, so that they can't be set to nothing. A filter of the user's own, as git-lfs
# is one, starts the programs of lfs.extension; virtualfilesystem is one of Microsoft's git.
_PROGRAMS = ("filter.", "lfs.extension.", "core.virtualfilesystem")
_USERS = ("system", "global", "command")
_LIBRARIES = ("codex-ml", "torch", "transformers", "tokenizers", "numpy", "hydra-core")


def component_record(component: Component | None) -> dict[str, Any] | None:
    """One component: its name, where it came from, and its options."""
    if component is None:
        return None
    return {
        "name": component.name,
        "key": component.key,
        "distribution": component.entry.distribution,
        "version": component.entry.version,
        "target": component.entry.target,
        "options": without_secrets(dict(component.options)),
    }


def components_record(assembly: Assembly) -> dict[str, Any]:
    """Every component by its kind; lists for metrics and plugins."""
    single = ("task", "model", "tokenizer", "data_loader", "trainer")
    return {
        **{kind: component_record(getattr(assembly, kind)) for kind in single},
        "metric": [component_record(metric) for metric in assembly.metrics],
        "plugin": [component_record(plugin) for plugin in assembly.plugins],
    }


def signature(metric: Component) -> str:
    """What a metric's value means, in one line: `bleu|tokenize:13a|v1|sacrebleu:2.6.0|codex-ml:0.1.0`.

    Its name, its options, the version of its definition where it declares one, the libraries that compute it, and the
    distribution that it comes from.
    """
    options = [f"{name}:{value}" for name, value in sorted(metric.options.items())]
    version = metric.meta.get("version")
    libraries = [f"{name}:{version_of(name)}" for name in metric.requires]
    parts = [metric.name, *options, *([f"v{version}"] if version is not None else []), *libraries]
    return "|".join([*parts, f"{metric.entry.distribution}:{metric.entry.version}"])


def environment_record() -> dict[str, Any]:
    """The machine and the versions of the libraries, from their metadata; imports none of them."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": {"model": cpu_model(), "count": os.cpu_count()},
        "libraries": {name: version_of(name) for name in _LIBRARIES},
    }


def cpu_model() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def git_record(folder: Path | None = None) -> dict[str, Any] | None:
    """The commit that a folder's work tree stands at, or None where there is none.

    Args:
        folder: The working directory when left out.

    Returns:
        `commit` (None before the first one), `dirty` (whether tracked files differ from it, submodules aside; None
        when it took too long to find out, or would start a program that the tree names) and `root`.
    """
    where = Path() if folder is None else folder
    root = _git(where, "rev-parse", "--show-toplevel")
    if not root:
        return None
    status = ("status", "--porcelain", "--untracked-files=no", "--ignore-submodules=all")
    changes = None if _names_programs(where) else _git(where, *status)
    return {
        "commit": _git(where, "rev-parse", "--verify", "--quiet", "HEAD") or None,
        "dirty": None if changes is None else bool(changes),
        "root": root,
    }


def _names_programs(folder: Path) -> bool:
    """Whether a tree's own configuration, and not the user's, names a program that reading its files would start."""
    names = _git(folder, "config", "--list", "--show-scope", "--name-only", "--includes")
    lines = ["unknown\tfilter."] if names is None else names.splitlines()
    settings = (line.partition("\t") for line in lines)
    return any(scope not in _USERS and name.startswith(_PROGRAMS) for scope, _, name in settings)


def _git(folder: Path, *arguments: str) -> str | None:
    environment: Mapping[str, str] = {**os.environ, **_ENVIRONMENT}
    command = ["git", *_SETTINGS, *arguments]
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=5, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", errors="replace").strip() if done.returncode == 0 else None
