"""The command line: Hydra's own flags, less those that run code."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import hydra
from hydra._internal.utils import get_args_parser

from codex_ml.errors import ConfigError, Problem
from codex_ml.launch.search_paths import config_folder

__all__ = ["parse"]


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The parsed flags and overrides; `config_path` and `config_dir` as absolute folders.

    Raises:
        ConfigError: A flag that would run code, or that cannot stand beside another.
        SystemExit: Flags that the parser itself refuses (code 2), and `--version` (code 0).
    """
    parser = get_args_parser()
    parser.prog = "codex-run"
    if "--version" in argv:
        # Looked up for this alone: it reads the metadata of what is installed.
        from importlib import metadata

        (action,) = (action for action in parser._actions if "--version" in action.option_strings)
        vars(action)["version"] = f"codex-run {metadata.version('codex-ml')} (Hydra {hydra.__version__})"
    arguments = parser.parse_intermixed_args(list(argv))
    if arguments.experimental_rerun is not None:
        flag = f"--experimental-rerun {arguments.experimental_rerun}"
        raise ConfigError([Problem("refused, for it unpickles a file, and that runs code", flag)])
    if arguments.config_path is not None:
        arguments.config_path = config_folder(arguments.config_path, "--config-path")
    if arguments.config_dir is not None:
        arguments.config_dir = config_folder(arguments.config_dir, "--config-dir")
    commands = {
        "--run": arguments.run,
        "--multirun": arguments.multirun,
        "--cfg": arguments.cfg is not None,
        "--info": arguments.info is not None,
        "--shell-completion": arguments.shell_completion,
    }
    given = [flag for flag, value in commands.items() if value]
    if len(given) > 1:
        raise ConfigError([Problem(f"only one of these at a time: {', '.join(given)}")])
    if arguments.resolve and not arguments.cfg:
        raise ConfigError([Problem("goes with --cfg", "--resolve")])
    return arguments
