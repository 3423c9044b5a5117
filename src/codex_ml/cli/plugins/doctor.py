"""`codex-ml plugins doctor`."""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from codex_addons.distributions import visible
from codex_ml.cli.plugins.inventory import Offer, module_file, offers
from codex_ml.cli.table import add_format, print_json, print_table
from codex_ml.launch.declarations import inspect_apart

__all__ = ["add_to"]


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the parser of `codex-ml plugins`."""
    parser = commands.add_parser("doctor", help="loads every component in a process of its own and says what is broken")
    add_format(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints the state of every component; returns 1 when one is broken."""
    # Each is a process that mostly waits for the disk.
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        components = list(pool.map(_examined, offers()))
    warnings = [f"{each.path}: {each.problem}" for each in visible() if each.problem]
    broken = [each for each in components if each["status"] == "broken"]
    if arguments.format == "json":
        print_json({"components": components, "warnings": warnings})
    else:
        _print(components, warnings, len(broken))
    return 1 if broken else 0


def _examined(offer: Offer) -> dict[str, Any]:
    fields = {**offer.fields(), "file": module_file(offer.entry.target) or None}
    untried = {"api": None, "seconds": None, "heavy": [], "error": None}
    if offer.refused:
        return {**fields, **untried, "status": "not allowed"}
    found = inspect_apart(offer.kind, offer.entry)
    known = {name: found.get(name) for name in ("seconds", "heavy", "error", "threads")}
    status = "hidden" if offer.hidden_by else "no option" if offer.unusable else "ok"
    api = found.get("declaration", {}).get("api")
    return {**fields, **known, "api": api, "status": "broken" if found.get("error") else status}


def _remarks(told: dict[str, Any]) -> str:
    heavy = f"imports {', '.join(told['heavy'])}" if told["heavy"] else ""
    threads = "starts a thread that keeps a program from ending" if told.get("threads") else ""
    return "; ".join(part for part in (heavy, threads) if part)


def _print(components: list[dict[str, Any]], warnings: list[str], broken: int) -> None:
    rows = [
        (
            each["kind"],
            each["name"],
            f"{each['distribution']} {each['version']}",
            each["api"] or "",
            each["status"],
            "" if each["seconds"] is None else f"{1000 * each['seconds']:.0f} ms",
            each["error"] or each["note"] or _remarks(each),
        )
        for each in components
    ]
    print_table(("kind", "name", "distribution", "API", "status", "import", "notes"), rows)
    for warning in warnings:
        print(f"warning: unreadable metadata, ignored: {warning}")
    print(f"{broken} of {len(components)} components are broken" if broken else f"{len(components)} components work")
