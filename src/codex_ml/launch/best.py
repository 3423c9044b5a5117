"""The best weights of a run so far, on disk."""

from __future__ import annotations

import logging
import math
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from codex_ml.launch.assembly import Assembly, Component
from codex_ml.launch.export import WEIGHTS_FILE, read_weights, write_weights

__all__ = ["Best", "direction", "objective_metric"]

# Its name in a checkpoint.
_KEPT = "best.safetensors"

logger = logging.getLogger(__name__)


def direction(metric: Component) -> bool:
    """Whether a greater value of the metric is better; so it is where it declares nothing."""
    return bool(metric.meta.get("greater_is_better", True))


def objective_metric(assembly: Assembly) -> Component | None:
    """The metric that models are chosen by: the objective, or the first where that is none of the metrics."""
    by_key = {metric.key: metric for metric in assembly.metrics}
    return by_key.get(assembly.objective or "") or next(iter(assembly.metrics), None)


class Best:
    """Keeps the weights with the best value in `checkpoints/best/model.safetensors`.

    The file is replaced whole, its header says which step and value it holds. Equal values keep the earlier weights;
    NaN is never best.

    Attributes:
        step: The step of the weights kept; None as long as there are none.
        value: The objective's value at that step.
    """

    def __init__(self, folder: Path, metric: Component | None) -> None:
        self.path = folder / "checkpoints" / "best" / WEIGHTS_FILE
        self.step: int | None = None
        self.value: float | None = None
        self._metric = metric

    def offer(self, model: Any, metrics: Mapping[str, float], *, step: int) -> bool:
        """Keeps the model's weights if they are better than those kept.

        Weights that cannot be written are a warning, and the earlier ones stay: the run is worth more than they are.

        Returns:
            Whether they were kept.
        """
        if self._metric is None or self._metric.key not in metrics or not hasattr(model, "state_dict"):
            return False
        value = metrics[self._metric.key]
        if math.isnan(value) or not self._beats(value):
            return False
        told = orjson.dumps({"step": step, "metric": self._metric.key, "value": value}).decode()
        try:
            write_weights(model, self.path, metadata={"codex": told})
        except OSError as error:
            kept = "there are no earlier ones" if self.step is None else f"those of step {self.step} stay the best"
            logger.warning("cannot keep the best weights, of step %d, in %s: %s; %s", step, self.path, error, kept)
            return False
        self.step, self.value = step, value
        return True

    def _beats(self, value: float) -> bool:
        if self.value is None or self._metric is None:
            return True
        return value > self.value if direction(self._metric) else value < self.value

    def save(self, folder: Path) -> dict[str, Any]:
        """Puts the weights kept into a checkpoint's folder; returns what `load` needs beside them."""
        if self.step is not None:
            _same_file(self.path, folder / _KEPT)
        return {"step": self.step, "value": self.value}

    def load(self, folder: Path, state: Mapping[str, Any]) -> None:
        """Takes up what `save` left in a checkpoint's folder."""
        self.step, self.value = state["step"], state["value"]
        self.path.unlink(missing_ok=True)
        if self.step is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _same_file(folder / _KEPT, self.path)

    def restore(self, model: Any) -> bool:
        """Loads the weights kept into the model; returns whether there were any."""
        if self.step is None:
            return False
        read_weights(model, self.path)
        return True


def _same_file(source: Path, target: Path) -> None:
    """The file under another name: neither is ever written to, only replaced."""
    # A checkpoint that was cut off may have left one there.
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
