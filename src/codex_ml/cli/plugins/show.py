"""`codex-ml plugins show`."""

from __future__ import annotations

import argparse
import inspect
from typing import Any

from codex_addons.entry_points import canonical
from codex_addons.errors import CodexAddonsError, closest
from codex_ml import registries
from codex_ml.cli.plugins.inventory import Offer, module_file, offers
from codex_ml.cli.table import add_format, print_json, print_table
from codex_ml.errors import ConfigError
from codex_ml.launch.annotations import type_name
from codex_ml.launch.conversion import REQUIRED
from codex_ml.launch.declarations import declaration_of
from codex_ml.launch.schema import Option

__all__ = ["add_to"]


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the parser of `codex-ml plugins`."""
    parser = commands.add_parser("show", help="one component: its options, where it comes from, what it says of itself")
    parser.add_argument("name", help="its name, or <distribution>/<name>")
    parser.add_argument("--kind", choices=tuple(registries.GROUPS), help="where several kinds have the name")
    add_format(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints what is known of a name; returns the exit code."""
    distribution, slash, name = arguments.name.rpartition("/")
    everything = [each for each in offers() if arguments.kind in (None, each.kind)]
    found = [
        each
        for each in everything
        if each.entry.name == name and (not slash or canonical(each.entry.distribution) == canonical(distribution))
    ]
    if not found:
        near = closest(name, {each.entry.name for each in everything}, 1)
        way = f"did you mean '{near[0]}'?" if near else "see: codex-ml plugins list"
        raise ConfigError(f"no installed component is called '{arguments.name}'; {way}")
    told = [_told(each) for each in found]
    if arguments.format == "json":
        print_json(told)
    else:
        for each in told:
            _print(each)
    return 1 if any("error" in each for each in told) else 0


def _told(offer: Offer) -> dict[str, Any]:
    fields = {**offer.fields(), "file": module_file(offer.entry.target) or None}
    if offer.refused:
        return fields
    try:
        declaration = declaration_of(offer.kind, offer.qualified)
    except CodexAddonsError as error:
        return {**fields, "error": str(error)}
    return {
        **fields,
        "api": declaration.api,
        "meta": dict(declaration.meta),
        "options": [_option(option) for option in declaration.schema.options.values()],
        "takes_any_option": declaration.schema.open,
        "doc": inspect.cleandoc(declaration.doc),
    }


def _option(option: Option) -> dict[str, Any]:
    required = option.default == REQUIRED
    default = None if required or not option.listed else option.default
    told = {"name": option.name, "type": type_name(option.annotation), "default": default, "required": required}
    return {**told, "help": option.help}


def _print(told: dict[str, Any]) -> None:
    print(f"{told['kind']} {told['name']}")
    where = " (editable)" if told["editable"] else ""
    lines = {
        "distribution": f"{told['distribution']} {told['version']}{where}",
        "target": told["target"],
        "file": told["file"] or "",
        "API": told.get("api", ""),
        **{name: _text(value) for name, value in told.get("meta", {}).items()},
        "note": told["note"],
        "error": told.get("error", ""),
    }
    for name, text in lines.items():
        if text:
            print(f"  {name + ':':<20} {text}")
    options = [
        (each["name"], each["type"], "(required)" if each["required"] else _text(each["default"]), each["help"])
        for each in told.get("options", ())
    ]
    if options:
        print()
        print_table(("option", "type", "default", "help"), options)
    elif "options" in told:
        print("  no options of its own")
    if told.get("takes_any_option"):
        print("  It takes any other option as well, added with +.")
    if told.get("doc"):
        print("\n" + "\n".join(f"  {line}".rstrip() for line in told["doc"].splitlines()) + "\n")


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
