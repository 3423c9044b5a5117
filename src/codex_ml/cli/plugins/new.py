"""`codex-ml plugins new`."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path

from codex_ml import registries
from codex_ml.cli.plugins.skeleton import Skeleton, plan, write

__all__ = ["add_to", "run"]


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the parser of `codex-ml plugins`."""
    parser = commands.add_parser("new", help="write an installable package with a component, its tests and a README")
    parser.add_argument("name", metavar="NAME", help="what the package and its components are called")
    parser.add_argument(
        "--kind",
        action="append",
        required=True,
        choices=sorted(registries.KINDS),
        help="the kind of component; give it several times for several",
    )
    parser.add_argument("--folder", type=Path, default=Path(), help="where the package's folder is made; here")
    parser.add_argument("--format", choices=("table", "json"), default="table", help="how to tell what was written")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Writes the package; returns the exit code.

    Raises:
        ConfigError: The name will not do, or the package cannot be written.
    """
    skeleton = plan(arguments.name, arguments.kind)
    folder = write(skeleton, arguments.folder.expanduser())
    print(_as_json(skeleton, folder) if arguments.format == "json" else _as_table(skeleton, folder))
    return 0


def _next(skeleton: Skeleton, folder: Path) -> list[str]:
    return [f"cd {shlex.quote(str(folder))}", "pip install -e '.[dev]'", "pytest", *skeleton.usage]


def _as_json(skeleton: Skeleton, folder: Path) -> str:
    components = [
        {"kind": kind, "name": skeleton.name, "target": target} for kind, target in sorted(skeleton.targets.items())
    ]
    told = {
        "folder": str(folder.absolute()),
        "distribution": skeleton.distribution,
        "package": skeleton.package,
        "components": components,
        "files": sorted(skeleton.files),
        "next": _next(skeleton, folder),
    }
    return json.dumps(told, indent=2)


def _as_table(skeleton: Skeleton, folder: Path) -> str:
    lines = [f"{folder}:", *(f"  {name}" for name in sorted(skeleton.files)), "", "Next:"]
    return "\n".join([*lines, *(f"  {command}" for command in _next(skeleton, folder))])
