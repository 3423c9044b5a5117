"""What a finished run prints: its metrics, the split they were measured on, and where everything is."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codex_ml.launch.paths import shown
from codex_ml.launch.record import PREDICTIONS_FILE

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
    chosen = record.get("components", {}).get("metric") or ()
    options = {each.get("key"): each.get("options") or {} for each in chosen}
    for name, value in record.get("metrics", {}).items():
        about = info.get(name, {})
        # What a trainer says of itself has no direction.
        better = {True: "higher", False: "lower"}.get(about.get("greater_is_better"), "")
        error = about.get("standard_error")
        lost = record.get("non_finite", {}).get(f"metrics.{name}", "n/a")
        shown_value = lost if value is None else f"{value:.4f}" + (f" ± {error:.4f}" if error is not None else "")
        table.add_row(_label(name, options.get(name, {})), shown_value, str(about.get("split", "")), better)
    buffer = io.StringIO()
    Console(file=buffer, width=100, color_system=None).print(table)
    page = "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()).strip("\n")
    if record.get("predictions") is not None:
        page = f"  {record['predictions']} predictions, in {PREDICTIONS_FILE}"
    elif not record.get("metrics"):
        page = "  no metrics were " + ("measured: there were no validation or test records" if chosen else "chosen")
    when = f"finished before, {record.get('started')}" if again else f"done in {record.get('duration_s', 0):.0f} s"
    more = "; run.resume=never runs it again" if again else ""
    return f"{page}\n\n{shown(folder)}  ({when}{more})"


def _label(name: str, options: Mapping[str, Any]) -> str:
    """A metric with the options that are set: `f1 (average:macro)`."""
    told = [f"{key}:{value}" for key, value in sorted(options.items()) if value not in (None, False)]
    return f"{name} ({', '.join(told)})" if told else name
