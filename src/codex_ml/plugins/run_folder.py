"""What a tracker reads in a run's folder, and keeps there to find its own run again."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

__all__ = ["first_lines", "folder_of", "keep_id", "kept_id"]

log = logging.getLogger(__name__)


def folder_of(record: Mapping[str, Any]) -> Path | None:
    """The run's folder, from what `on_run_start` gets; None, with a warning, where it isn't told."""
    folder = record.get("folder")
    if folder is None:
        log.warning("the run has no folder: nothing is tracked")
        return None
    return Path(folder)


def first_lines(folder: Path, count: int) -> list[tuple[int, dict[str, float]]]:
    """The first lines of the run's `metrics.jsonl`, each as its step and its values; what JSON lacks is NaN.

    Args:
        folder: The run's folder.
        count: How many lines: a run that is continued drops those behind its checkpoint.
    """
    lines: list[tuple[int, dict[str, float]]] = []
    with (folder / "metrics.jsonl").open(encoding="utf-8") as file:
        for line in islice(file, count):
            values = json.loads(line)
            step = values.pop("step")
            lines.append((step, {name: math.nan if value is None else value for name, value in values.items()}))
    return lines


def keep_id(folder: Path, tracker: str, run_id: str, own: str) -> None:
    """Keeps a tracker's own id of the run in `<tracker>.json`."""
    (folder / f"{tracker}.json").write_text(json.dumps({"run_id": run_id, "id": own}) + "\n", encoding="utf-8")


def kept_id(folder: Path, tracker: str, run_id: str) -> str | None:
    """The tracker's own id of the run; None where there is none, or the folder held another run then."""
    try:
        kept = json.loads((folder / f"{tracker}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return kept.get("id") if isinstance(kept, dict) and kept.get("run_id") == run_id else None
