"""The smallest plugin: a greeting when a run starts."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

__all__ = ["Hello"]

log = logging.getLogger(__name__)


class Hello:
    """Greets somebody in the run's log."""

    def __init__(self, *, whom: str = "world") -> None:
        self.whom = whom

    def on_run_start(self, record: Mapping[str, Any]) -> None:
        """Greets."""
        log.info("hello, %s: this is run %s", self.whom, record.get("run_id"))


Hello.__codex_api__ = "v1"
# It changes nothing in a run's result, so a run is the same with it and without, and goes on should it fail.
Hello.__codex_meta__ = {"observer": True}
