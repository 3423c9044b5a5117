"""What a run was started with, from its record, as trackers show it: one flat table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["hyperparameters"]

_OWN = ("mode", "seed", "threads")


def hyperparameters(record: Mapping[str, Any]) -> dict[str, Any]:
    """Names and values: `{"seed": 0, "model": "minilm", "model.dtype": "auto", "metric.f1": "f1", ...}`.

    Plugins are left out: what a tracker is told, an address with a password perhaps, is nothing of the run's.

    Args:
        record: The run's record, as `on_run_start` gets it.

    Returns:
        Plain values and lists of them; the files of the data under `data.<split>`.
    """
    found = {name: record[name] for name in _OWN if record.get(name) is not None}
    for split, told in (record.get("data") or {}).items():
        paths = told.get("paths") or []
        found[f"data.{split}"] = paths[0] if len(paths) == 1 else paths
    for kind, held in (record.get("components") or {}).items():
        if kind == "plugin":
            continue
        for component in held if isinstance(held, list) else [held]:
            if component is not None:
                place = f"{kind}.{component['key']}" if isinstance(held, list) else kind
                found[place] = component["name"]
                found.update(_flat(component.get("options") or {}, place))
    return found


def _flat(options: Mapping[str, Any], place: str) -> Iterator[tuple[str, Any]]:
    for name, value in options.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{place}.{name}")
        else:
            yield f"{place}.{name}", value
