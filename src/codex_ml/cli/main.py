"""`codex-ml`: finds the command that is asked for."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from codex_addons.errors import CodexAddonsError
from codex_ml.cli.plugins import doctor, new, show
from codex_ml.cli.plugins import list as listing
from codex_ml.errors import CodexError

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line; returns its exit code: 0 done, 1 something is broken, 2 the command is wrong."""
    try:
        arguments = _parser().parse_args(argv)
        return arguments.run(arguments)
    except SystemExit as done:
        # The parser's, which has said what there is to say.
        return done.code if isinstance(done.code, int) else 1
    except CodexError as error:
        print(f"codex-ml: {error}", file=sys.stderr)
        return error.exit_code
    except CodexAddonsError as error:
        print(f"codex-ml: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="codex-ml", description="What stands beside codex-run.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    plugins = commands.add_parser("plugins", help="what is installed, whether it works, and one of your own")
    actions = plugins.add_subparsers(required=True, metavar="COMMAND")
    for command in (listing, show, doctor, new):
        command.add_to(actions)
    return parser
