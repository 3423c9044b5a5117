"""What the checks of a task look at more than once, or at length."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from typing import Any

from codex_ml.testing.expectation import check

__all__ = ["check_answers", "check_loaded", "check_sizes", "is_plain", "is_same"]


def check_loaded(named: str, context: Any, loaded: Any) -> None:
    """The head and the batches of a task that loaded what another learnt are those of the other.

    Args:
        named: What to call the task.
        context: The context with the task that was fitted.
        loaded: Another one, after `load`.
    """
    fitted = context.task
    first, second = fitted.head(), loaded.head()
    check(first == second, f"{named}: head gives {first!r} after fit, and {second!r} after load of what fit returned")
    for train in (True, False):
        first, second = (_batch(context, task, train) for task in (fitted, loaded))
        told = f"{named}: collate gives {first} after fit, and {second} after load of what fit returned"
        check(first == second, told)


def _batch(context: Any, task: Any, train: bool) -> dict[str, Any]:
    """What is in the batch of all training records."""
    examples = list(task.examples(iter(context.parts.splits["train"]), context.tokenizer, train=train))
    batch = task.collate(examples, context.tokenizer, train=train)
    inputs = {key: value.tolist() for key, value in batch.inputs.items()}
    labels = None if batch.labels is None else batch.labels.tolist()
    return {"ids": list(batch.ids), "inputs": inputs, "labels": labels, "count": batch.count}


def check_answers(named: str, context: Any) -> None:
    """There is an answer for each record, also where what is to be predicted is not there."""
    from codex_ml.launch.evaluation import evaluating

    task, tokenizer = context.task, context.tokenizer
    targets = getattr(task, "targets", ())
    records = list(context.parts.splits["train"])
    bare = [{key: value for key, value in record.items() if key not in targets} for record in records]
    for given in (records, bare):
        batch = task.collate(list(task.examples(iter(given), tokenizer, train=False)), tokenizer, train=False)
        with evaluating(context.model):
            answers = task.answers(context.model, batch, tokenizer)
        told = (
            f"{named}: answers gives {answers!r}; it gives a list of dicts of plain values with `prediction` and "
            f"`score`, one for each of the {len(batch.ids)} examples of the batch"
        )
        check(isinstance(answers, list) and len(answers) == len(batch.ids), told)
        check(all(isinstance(each, dict) and {"prediction", "score"} <= set(each) for each in answers), told)
        check(is_plain(answers), told)


def check_sizes(named: str, wanted: str, sizes: Sequence[Any], *, examples: int, labels: int) -> None:
    """What follows flat predictions and labels: how many of them each example of the batch has."""
    told = f"{named}: after its predictions and labels ({wanted}) predict gives {sizes!r}; it gives their sizes, "
    told += f"a list of {examples} whole numbers, one for each example of the batch, which are {labels} in all"
    fits = len(sizes) == 1 and isinstance(sizes[0], list | tuple | array) and len(sizes[0]) == examples
    check(fits and all(type(each) is int for each in sizes[0]) and sum(sizes[0]) == labels, told)


def is_same(one: Any, other: Any) -> bool:
    """Whether two values are equal, but for the rounding of a batch."""
    if type(one) is float and type(other) is float:
        return math.isclose(one, other, rel_tol=1e-4, abs_tol=1e-4)
    return one == other


def is_plain(value: Any) -> bool:
    """Whether a value is of plain Python, through and through."""
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and is_plain(item) for key, item in value.items())
    return value is None or type(value) in (bool, int, float, str)
