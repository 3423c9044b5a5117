"""What a run's record says of its metrics."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from numbers import Real
from typing import Any

from codex_ml.errors import CodexError
from codex_ml.launch.best import direction
from codex_ml.launch.context import RunContext
from codex_ml.launch.evaluation import Scores
from codex_ml.launch.provenance import signature

__all__ = ["measured", "own_metrics"]

logger = logging.getLogger(__name__)


def own_metrics(result: Any, trainer: str) -> dict[str, float]:
    """The metrics in what a trainer returned."""
    if result is not None and not isinstance(result, Mapping):
        raise CodexError(f"{trainer} returned a {type(result).__name__}; a trainer returns a mapping or None")
    metrics = (result or {}).get("metrics") or {}
    if not isinstance(metrics, Mapping):
        raise CodexError(
            f"{trainer} returned metrics as a {type(metrics).__name__}, not as a mapping of names to floats"
        )
    for name, value in metrics.items():
        if isinstance(value, bool) or not isinstance(value, Real):
            raise CodexError(f"{trainer} returned the metric {name}={value!r}; it must be a float")
    return {str(name): float(value) for name, value in metrics.items()}


def measured(context: RunContext, own: Mapping[str, float]) -> dict[str, Any]:
    """The record's metrics: those of the final split, and whatever the trainer measured besides.

    Args:
        context: The run, with the weights that are to be measured.
        own: The trainer's own metrics; of the same name as one of the run's, the run's counts.
    """
    parts = context.parts.assembly
    split = context.parts.final_split
    scores = context.parts.measure(split, errors=True) if split and parts.metrics else Scores()
    measured = scores.values
    # What the validation records gave was told when the trainer asked for it, where it did.
    if split and measured and (split == "test" or not context.evaluated):
        context.report(split, measured, step=context.step)
    info: dict[str, Any] = {}
    for metric in parts.metrics:
        if metric.key in measured:
            told = {"greater_is_better": direction(metric), "scale": metric.meta.get("scale")}
            info[metric.key] = {
                **told,
                "input": context.parts.input_of(metric),
                "split": split,
                "standard_error": scores.errors.get(metric.key),
                "signature": signature(metric),
            }
    unknown = {"greater_is_better": None, "scale": None, "input": None, "standard_error": None}
    signed = f"{parts.trainer.name}|{parts.trainer.entry.distribution}:{parts.trainer.entry.version}"
    for name in own.keys() - measured.keys():
        info[name] = {**unknown, "split": "train", "signature": signed}
    metrics = {**measured, **{name: value for name, value in own.items() if name not in measured}}
    return {
        "metrics": metrics,
        "metric_info": info,
        "objective": _objective(parts.objective, metrics, info),
        "best": {"step": context.best.step, "value": context.best.value} if context.best.step is not None else None,
    }


def _objective(name: str | None, metrics: Mapping[str, float], info: Mapping[str, Any]) -> dict[str, Any] | None:
    name = name or next(iter(metrics), None)
    if name is None:
        return None
    if name not in metrics:
        known = ", ".join(metrics) or "none"
        logger.warning("objective=%s is no metric of this run, which has %s", name, known)
    better = info.get(name, {}).get("greater_is_better")
    return {"name": name, "value": metrics.get(name), "greater_is_better": better}
