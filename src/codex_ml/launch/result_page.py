"""What a finished run prints: its metrics, the split they were measured on, and where everything is."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codex_ml.launch.paths import shown

__all__ = ["text"]


def text(record: Mapping[str, Any], folder: Path, *, again: bool = False) -> str:
    """The result of a run as a table, and the path of its folder.

    Args:
        record: The run's record.
        folder: The run's folder.
        again: Whether the run was finished before, and this only shows it.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title_justify="left")
    for column in ("metric", "value", "split", "better"):
        table.add_column(column, justify="right" if column == "value" else "left")
    info = record.get("metric_info", {})
    for name, value in record.get("metrics", {}).items():
        about = info.get(name, {})
        # What a trainer says of itself has no direction.
        better = {True: "higher", False: "lower"}.get(about.get("greater_is_better"), "")
        options = str(about.get("signature", "")).split("|")[1:-1]
        label = f"{name} ({', '.join(options)})" if options else name
        lost = record.get("non_finite", {}).get(f"metrics.{name}", "n/a")
        table.add_row(label, lost if value is None else f"{value:.4f}", str(about.get("split", "")), better)
    buffer = io.StringIO()
    Console(file=buffer, width=100, color_system=None).print(table)
    page = "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()).strip("\n")
    if not record.get("metrics"):
        chosen = record.get("components", {}).get("metric")
        page = "  no metrics were " + ("measured: there were no validation or test records" if chosen else "chosen")
    when = f"finished before, {record.get('started')}" if again else f"done in {record.get('duration_s', 0):.0f} s"
    more = "; run.resume=never runs it again" if again else ""
    return f"{page}\n\n{shown(folder)}  ({when}{more})"
