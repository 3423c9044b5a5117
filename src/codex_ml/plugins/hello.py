"""The smallest plugin: a line in the log when a run starts, and one when it ends."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from codex_addons.component import component

__all__ = ["Hello"]

log = logging.getLogger(__name__)


@component(observer=True)
class Hello:
    """Greets somebody in the run's log.

    Args:
        whom: Whom to greet.
    """

    def __init__(self, *, whom: str = "world") -> None:
        self.whom = whom

    def on_run_start(self, record: Mapping[str, Any]) -> None:
        """Greets."""
        log.info("hello, %s: this is run %s", self.whom, record.get("run_id"))

    def on_run_end(self, record: Mapping[str, Any]) -> None:
        """Says how the run ended."""
        log.info("goodbye, %s: run %s is %s", self.whom, record.get("run_id"), record.get("status"))
