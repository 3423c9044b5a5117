"""`codex-run`: composes a config, checks it, and runs it."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr
from io import StringIO

from hydra import version
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf.errors import OmegaConfBaseException

from codex_ml.errors import CodexError, ConfigError
from codex_ml.launch import arguments as command_line
from codex_ml.launch import config_source, help_page, resolvers, wording
from codex_ml.launch.compose import CONFIG_NAME, Composed, compose, compose_job
from codex_ml.launch.loader import Loader

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code: 0 done, 1 a run failed, 2 the config is wrong."""
    try:
        return _main(sys.argv[1:] if argv is None else argv)
    except SystemExit as done:
        # The parser's, which has said what there is to say: --version, or a flag that it doesn't know.
        return done.code if isinstance(done.code, int) else 1
    except CodexError as error:
        if os.environ.get("HYDRA_FULL_ERROR") == "1":
            raise
        return _report(error)
    except (HydraException, OmegaConfBaseException) as error:
        # What no check foresaw, as an interpolation that only Hydra resolves.
        if os.environ.get("HYDRA_FULL_ERROR") == "1":
            raise
        return _report(ConfigError(wording.of_failure(error)))
    except KeyboardInterrupt:
        print("codex-run: interrupted", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever read our output has left.
        return 1
    except OSError as error:
        if os.environ.get("HYDRA_FULL_ERROR") == "1":
            raise
        print(f"codex-run: {error}", file=sys.stderr)
        return 1
    finally:
        GlobalHydra.instance().clear()


def _report(error: CodexError) -> int:
    lines = [str(problem) for problem in error.problems] if isinstance(error, ConfigError) else [str(error)]
    for line in lines:
        # A plugin's own message may have several lines; a problem has one.
        print(f"codex-run: {' '.join(line.split())}", file=sys.stderr)
    return error.exit_code


def _main(argv: Sequence[str]) -> int:
    arguments = command_line.parse(argv)
    version.setbase("1.3")
    resolvers.register()
    loader = _loader(arguments)
    hydra = Hydra(task_name="codex-run", config_loader=loader)
    GlobalHydra.instance().initialize(hydra)
    if arguments.shell_completion:
        return _complete(hydra, loader, arguments)
    multirun = arguments.multirun or _asks_for_multirun(arguments.overrides)
    # What is only shown needn't be right: a config is looked at to see what is wrong with it.
    checked = not (arguments.help or arguments.hydra_help or arguments.cfg or arguments.info)
    run_mode = RunMode.MULTIRUN if multirun else RunMode.RUN
    composed = compose(loader, arguments.overrides, run_mode=run_mode, checked=checked)
    if not multirun and composed.config.hydra.mode == RunMode.MULTIRUN:
        multirun = True
        composed = compose(loader, arguments.overrides, run_mode=RunMode.MULTIRUN)
    loader.frozen = composed.config
    return _dispatch(hydra, composed, arguments, multirun=multirun)


def _dispatch(hydra: Hydra, composed: Composed, arguments: argparse.Namespace, *, multirun: bool) -> int:
    config_name = composed.config.hydra.job.config_name
    if arguments.help:
        print(help_page.text(composed, hydra))
    elif arguments.hydra_help:
        try:
            hydra.hydra_help(config_name=config_name, args_parser=_parser(), args=arguments)
        except (KeyError, ValueError) as error:
            raise ConfigError(f"hydra.hydra_help.template cannot be filled in: {error}") from error
    elif arguments.info:
        # Hydra logs what it tells; a reader that leaves early is no error of logging's.
        logging.raiseExceptions = False
        hydra.show_info(arguments.info, config_name=config_name, overrides=arguments.overrides)
    elif arguments.cfg:
        return _show(composed, arguments)
    else:
        from codex_ml.launch import run

        return run.sweep(hydra, composed) if multirun else run.single(hydra, composed)
    return 0


def _parser() -> argparse.ArgumentParser:
    from hydra._internal.utils import get_args_parser

    return get_args_parser()


def _loader(arguments: argparse.Namespace) -> Loader:
    config_source.register()
    search_path = create_config_search_path(arguments.config_path or config_source.SHIPPED)
    if arguments.config_dir is not None:
        search_path.prepend("command-line", f"file://{arguments.config_dir}", anchor=SearchPathQuery(provider="schema"))
    loader = Loader(search_path)
    if arguments.shell_completion:
        from codex_ml.launch.completion import CompletingLoader

        loader = CompletingLoader(search_path)
    loader.config_name = arguments.config_name or CONFIG_NAME
    loader.compose = compose_job
    return loader


def _asks_for_multirun(overrides: Sequence[str]) -> bool:
    return any(override.replace(" ", "").lstrip("+") == "hydra.mode=MULTIRUN" for override in overrides)


def _complete(hydra: Hydra, loader: Loader, arguments: argparse.Namespace) -> int:
    """Answers the shell; a line that cannot be completed is no error to somebody who is still typing."""
    query = any(override.startswith("query=") for override in arguments.overrides)
    try:
        # A flag that is half typed makes the parser write to the terminal, and exit.
        with redirect_stderr(StringIO() if query else sys.stderr):
            hydra.shell_completion(config_name=loader.config_name, overrides=arguments.overrides)
    except (Exception, SystemExit) as error:
        if query:
            return 1
        raise ConfigError(" ".join(str(error).split())) from error
    return 0


def _show(composed: Composed, arguments: argparse.Namespace) -> int:
    # What Hydra's own resolver reads.
    HydraConfig.instance().set_config(composed.config)
    package = None if arguments.package == "_global_" else arguments.package
    print(help_page.config(composed, arguments.cfg, package=package, resolve=arguments.resolve))
    return 0
