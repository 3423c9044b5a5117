"""`codex-ml plugins list`."""

from __future__ import annotations

import argparse

from codex_ml import registries
from codex_ml.cli.plugins.inventory import offers
from codex_ml.cli.table import add_format, print_json, print_table

__all__ = ["add_to"]


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the parser of `codex-ml plugins`."""
    parser = commands.add_parser("list", help="every installed component, with its distribution and version")
    parser.add_argument("--kind", choices=tuple(registries.GROUPS), help="of one kind only")
    add_format(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints what there is; returns the exit code."""
    found = [offer for offer in offers() if arguments.kind in (None, offer.kind)]
    if arguments.format == "json":
        print_json([offer.fields() for offer in found])
        return 0
    rows = [
        (each.kind, each.entry.name, f"{each.entry.distribution} {each.entry.version}", _notes(each.stable, each.note))
        for each in found
    ]
    print_table(("kind", "name", "distribution", "notes"), rows)
    return 0


def _notes(stable: bool, note: str) -> str:
    return ", ".join(part for part in ("stable" if stable else "", note) if part)
