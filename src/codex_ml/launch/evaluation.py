"""Measuring: predictions over a split, in the order of the data, and the metrics of them."""

from __future__ import annotations

import logging
import math
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

from codex_ml.errors import CodexError
from codex_ml.interfaces import Example
from codex_ml.launch.assembly import Component
from codex_ml.launch.blame import blame, label

__all__ = ["Scores", "evaluating", "input_of", "measure", "refusals", "unfit"]

logger = logging.getLogger(__name__)

# How often each value stands in what the metrics are tried with, as a few may be too few for a metric.
_TRIED = 20
# What metrics of other inputs than labels are tried with: predictions and labels that are equal.
_SAMPLES: dict[str, tuple[Sequence[Any], Sequence[Any]]] = {
    "text": (["a text"] * _TRIED, ["a text"] * _TRIED),
    "tokens": (array("q", [1] * _TRIED), array("q", [1] * _TRIED)),
    "logprobs": (array("d", [-1.0] * _TRIED), array("q", [1] * _TRIED)),
}


def input_of(metric: Component, task: Any) -> str:
    """Which of the task's outputs a metric scores: the one it declares, else the task's first."""
    return metric.meta.get("input") or task.feeds[0]


def unfit(metric: Component, task: Any) -> str | None:
    """Why a task cannot feed a metric, or None where it can.

    Args:
        metric: The metric, of which nothing is called.
        task: A task or its class: anything with `feeds`.
    """
    wanted = input_of(metric, task)
    if wanted in task.feeds:
        return None
    return f"metric={metric.name} scores {wanted!r}, and the task gives only {', '.join(map(repr, task.feeds))}"


def refusals(metrics: Sequence[Component], task: Any, labels: Any) -> list[str]:
    """What the metrics say when they are tried out: whether they can work can be told before training.

    Args:
        metrics: The metrics, which are called.
        task: The task.
        labels: What the task learnt of the labels; metrics that score these are not asked where that is no list.
    """
    known = labels if isinstance(labels, list) else []
    samples = {**_SAMPLES, **({"labels": (known * _TRIED, known * _TRIED)} if known else {})}
    told: list[str] = []
    for metric in metrics:
        wanted = input_of(metric, task)
        if wanted not in samples:
            continue
        predictions, true = samples[wanted]
        asked = ", asked about the labels of the training records" if wanted == "labels" else ""
        try:
            metric.factory(copy(predictions), copy(true), **metric.options)
        except (ValueError, ImportError, OSError) as error:
            told.append(f"{label(metric)}{asked}: {error}")
        except Exception:
            logger.debug("%s cannot be tried out", label(metric), exc_info=True)
    return told


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """The model in eval mode, without gradients; each module gets the mode back that it had."""
    import torch

    modes = [(module, module.training) for module in model.modules()] if isinstance(model, torch.nn.Module) else []
    for module, _ in modes:
        module.training = False
    try:
        # no_grad, as a tensor that a module keeps from inference_mode could not be trained with afterwards.
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes:
            module.training = mode


@dataclass(frozen=True)
class Scores:
    """What the metrics of a run say of a split.

    Attributes:
        values: The score of each metric, by its key.
        errors: Its standard error, where the metric tells one and was asked.
    """

    values: dict[str, float] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)


@dataclass
class _Scored:
    """What the metrics of one input score: predictions, labels, and how many of them each record has."""

    predictions: _Column
    labels: _Column
    sizes: list[int] | None = None
    _last: str = ""

    def add_sizes(self, sizes: Sequence[int], ids: Sequence[str]) -> None:
        """Adds those of further examples; examples of one record, `<record id>@<number>` in a row, are one record."""
        self.sizes = [] if self.sizes is None else self.sizes
        for size, name in zip(sizes, ids, strict=True):
            record, at, number = name.rpartition("@")
            if at and number.isdigit() and record == self._last:
                self.sizes[-1] += size
            else:
                self.sizes.append(size)
            self._last = record if at and number.isdigit() else ""


class _Column:
    """A growing column: an array of numbers as long as all are of one kind, a list otherwise."""

    def __init__(self) -> None:
        self.values: list[Any] | array[Any] = []

    def extend(self, values: Any) -> None:
        if not isinstance(values, list | tuple | array):
            values = values.tolist() if hasattr(values, "tolist") else list(values)
        if not len(values):
            return
        code = values.typecode if isinstance(values, array) and values.typecode in "qd" else _typecode(values)
        if not self.values and code:
            self.values = array(code)
        if isinstance(self.values, array) and self.values.typecode != code:
            self.values = self.values.tolist()
        self.values.extend(values)


def _typecode(values: Sequence[Any]) -> str:
    kinds = set(map(type, values))
    if kinds == {float}:
        return "d"
    return "q" if kinds == {int} and min(values) >= -(2**63) and max(values) < 2**63 else ""


def measure(
    metrics: Sequence[Component],
    examples: Sequence[Example],
    *,
    task: Any,
    task_component: Component,
    model: Any,
    tokenizer: Any,
    device: str,
    batch_size: int,
    seed: int | None = None,
) -> Scores:
    """The metrics of a model on a split, by their keys. What the metrics score is kept, never the logits.

    Args:
        metrics: The metrics; none means that nothing is predicted.
        examples: The split's examples, made with `train=False`.
        task: The fitted task.
        task_component: Where it came from, for messages.
        model: The model, on its device.
        tokenizer: The tokenizer.
        device: The torch device.
        batch_size: Records of one forward pass.
        seed: That of the standard errors; None for none of them.

    Raises:
        CodexError: A metric, the task or the model failed; the message names it.
    """
    wanted = list(dict.fromkeys(input_of(metric, task) for metric in metrics))
    if not wanted:
        return Scores()
    columns = {name: _Scored(_Column(), _Column()) for name in wanted}
    with evaluating(model), blame(task_component, "on predicting"):
        for chunk in _chunks(examples, batch_size):
            batch = task.collate(chunk, tokenizer, train=False).to(device)
            predicted = task.predict(model, batch, tokenizer, wanted)
            for name in wanted:
                _keep(columns[name], predicted, name, task_component, batch.ids)
    scored = {metric.key: columns[input_of(metric, task)] for metric in metrics}
    values = {metric.key: _score(metric, scored[metric.key]) for metric in metrics}
    errors = (
        {} if seed is None else {metric.key: _standard_error(metric, scored[metric.key], seed) for metric in metrics}
    )
    return Scores(values, {key: error for key, error in errors.items() if error is not None})


def _chunks(examples: Sequence[Example], size: int) -> Iterator[list[Example]]:
    for start in range(0, len(examples), size):
        yield [examples[index] for index in range(start, min(start + size, len(examples)))]


def _keep(column: _Scored, predicted: Any, name: str, task: Component, ids: Sequence[str]) -> None:
    if name not in predicted:
        raise CodexError(
            f"{label(task)}: predict gave no {name!r}, which the metrics score (it gave {list(predicted)})"
        )
    predictions, labels, *sizes = predicted[name]
    if len(predictions) != len(labels):
        raise CodexError(
            f"{label(task)}: predict gave {len(predictions)} predictions for {len(labels)} labels ({name})"
        )
    if sizes and sum(sizes[0]) != len(labels):
        raise CodexError(
            f"{label(task)}: predict gave sizes of {sum(sizes[0])} in all for {len(labels)} labels ({name})"
        )
    column.predictions.extend(predictions)
    column.labels.extend(labels)
    if sizes:
        column.add_sizes(sizes[0], ids)


def _score(metric: Component, scored: _Scored) -> float:
    with blame(metric):
        value = metric.factory(scored.predictions.values, scored.labels.values, **metric.options)
    if isinstance(value, bool) or not isinstance(value, Real):
        raise CodexError(f"{label(metric)} returned {value!r} of type {type(value).__name__}; it must return a float")
    return float(value)


def _standard_error(metric: Component, scored: _Scored, seed: int) -> float | None:
    """How far the score may be off by the draw of the records; None where the metric doesn't tell, or cannot."""
    told = getattr(metric.factory, "__codex_standard_error__", None)
    if told is None:
        return None
    values = scored.predictions.values, scored.labels.values
    try:
        error = told(*values, sizes=scored.sizes, seed=seed, **metric.options)
        return None if error is None or not math.isfinite(error) else float(error)
    except Exception as problem:  # the score itself is sound, and the run's result
        logger.warning("%s: no standard error: %s: %s", label(metric), type(problem).__name__, problem)
        return None
