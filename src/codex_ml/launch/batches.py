"""Which examples stand in which batch: a pure function of seed, epoch and lengths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from codex_ml.interfaces import Batch, Example

if TYPE_CHECKING:
    import numpy as np

__all__ = ["batches", "chunks", "lengths_of"]

# Batches whose records are sorted by length together: enough to save padding, few enough to stay well mixed.
_WINDOW = 50


def chunks(
    count: int, *, seed: int, epoch: int, size: int, lengths: np.ndarray | None = None
) -> list[np.ndarray[Any, Any]]:
    """The examples of each batch of an epoch; each example once.

    Args:
        count: How many examples there are.
        seed: The run's seed.
        epoch: Which epoch, from 0.
        size: Examples a batch; the last may have fewer.
        lengths: Each example's length, to put those of like length together; None for an order of chance alone.
    """
    import numpy as np

    # A seed below 0 is none for PCG64.
    random = np.random.Generator(np.random.PCG64([seed % 2**64, epoch]))
    order = random.permutation(count)
    if lengths is None:
        return [order[first : first + size] for first in range(0, count, size)]
    windows = [order[first : first + _WINDOW * size] for first in range(0, count, _WINDOW * size)]
    order = np.concatenate([window[np.argsort(lengths[window], kind="stable")] for window in windows])
    found = [order[first : first + size] for first in range(0, count, size)]
    last = [found.pop()] if count % size else []
    return [found[index] for index in random.permutation(len(found))] + last


def lengths_of(examples: Sequence[Example]) -> np.ndarray[Any, Any]:
    """The number of tokens of each example, int64 [examples]; a token cache knows them without reading any."""
    import numpy as np

    known = getattr(examples, "lengths", None)
    return np.array([len(example["input_ids"]) for example in examples]) if known is None else known


def batches(
    examples: Sequence[Example], picked: Sequence[np.ndarray], *, task: Any, tokenizer: Any, epoch: int, workers: int
) -> Iterator[Batch]:
    """The batches of the examples picked, in this order; made ahead in `workers` processes where there are any."""
    import torch

    made = _Made(examples, picked, task, tokenizer, epoch)
    if not workers:
        for number in range(len(picked)):
            yield made[number]
        return
    # A generator of its own, as the loader draws a seed for its workers, which nobody here needs.
    yield from torch.utils.data.DataLoader(
        made,  # pyright: ignore[reportArgumentType] (a length and an index are all that it asks for)
        batch_size=None,
        num_workers=workers,
        generator=torch.Generator(),
    )


class _Made:
    """Batches by their number."""

    def __init__(
        self, examples: Sequence[Example], picked: Sequence[np.ndarray], task: Any, tokenizer: Any, epoch: int
    ) -> None:
        self._examples, self._picked = examples, picked
        self._task, self._tokenizer, self._epoch = task, tokenizer, epoch

    def __len__(self) -> int:
        return len(self._picked)

    def __getitem__(self, number: int) -> Batch:
        # A task may see each example differently in each epoch, and draws nothing for it.
        chosen = [{**self._examples[int(index)], "epoch": self._epoch} for index in self._picked[number]]
        return self._task.collate(chosen, self._tokenizer, train=True)
