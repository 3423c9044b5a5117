"""Which metrics a task can feed, among all that are installed."""

from __future__ import annotations

import logging
from typing import Any

from codex_ml import registries
from codex_ml.launch.assembly import Component
from codex_ml.launch.declarations import declaration_of

__all__ = ["fitting"]

logger = logging.getLogger(__name__)


def fitting(component: Component, task: Any) -> str:
    """What to write instead of metrics that a task cannot feed: `task=causal_lm 'metric=[ppl,token_accuracy]'`.

    Args:
        component: The task's component.
        task: The task or its class: anything with `feeds`.
    """
    names = [name for name in registries.options("metric") if _input(name, task) in task.feeds]
    if not names:
        return f"no installed metric scores what task={component.name} gives: metric=[]"
    return f"those that it can feed: task={component.name} 'metric=[{','.join(names)}]'"


def _input(name: str, task: Any) -> str:
    try:
        return declaration_of("metric", name).meta.get("input") or task.feeds[0]
    except Exception:  # somebody else's broken plugin is no help here, and no reason to say so
        logger.debug("metric %s declares nothing", name, exc_info=True)
        return ""
