"""What commands print: a table for people, JSON for programs."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import Any

__all__ = ["add_format", "print_json", "print_table"]

# Where there is no terminal to fit into, a row is a line.
_WIDE = 240


def add_format(parser: argparse.ArgumentParser) -> None:
    """Adds `--format table|json`."""
    parser.add_argument("--format", choices=("table", "json"), default="table", help="for people, or for programs")


def print_json(content: Any) -> None:
    """Prints a value as JSON."""
    print(json.dumps(content, indent=2, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Prints rows of text under headings; in a narrow terminal the cells are broken into lines."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDE
    Console(width=max(width, 40), highlight=False, markup=False).print(table)
