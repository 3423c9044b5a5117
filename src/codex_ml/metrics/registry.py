"""This project's own metrics by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from codex_addons import entry_points
from codex_addons.entry_points import InstalledEntryPoint
from codex_addons.errors import UnknownComponentError
from codex_ml.interfaces import Metric

__all__ = ["BUILTIN_METRICS"]

GROUP = "codex_ml.metrics"
OWN = "codex-ml"


class _BuiltinMetrics(Mapping[str, Metric]):
    """A read-only mapping that loads a metric when it is asked for; nothing else loads any."""

    def __getitem__(self, name: str) -> Metric:
        own = _own()
        if name not in own:
            raise UnknownComponentError("metric", name, own)
        loaded: object = entry_points.load(own[name])
        return loaded  # pyright: ignore[reportReturnType] (a protocol that only a call can check)

    # The mapping's own asks __getitem__, which loads.
    def __contains__(self, name: object) -> bool:
        return name in _own()

    def __iter__(self) -> Iterator[str]:
        return iter(_own())

    def __len__(self) -> int:
        return len(_own())

    def __repr__(self) -> str:
        return f"BUILTIN_METRICS({', '.join(_own())})"


def _own() -> dict[str, InstalledEntryPoint]:
    """The entry points of this project alone: a plugin that offers a metric of the same name is no part of it."""
    entries = entry_points.installed(GROUP)
    return {entry.name: entry for entry in entries if entry_points.canonical(entry.distribution) == OWN}


BUILTIN_METRICS: Mapping[str, Metric] = _BuiltinMetrics()
"""The metrics that come with codex-ml, by name, sorted.

`in`, `len`, iteration and `repr` load nothing; `[name]` loads that metric, and an unknown name is an
`UnknownComponentError` with close matches. What plugins add is found by `codex_ml.plugins.registry.discover`.
"""
