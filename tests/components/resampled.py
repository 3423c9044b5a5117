"""The bootstrap as its definition has it: score one set of records after another, drawn with replacement."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Sequence
from typing import Any


def brute_force(score: Callable[[list[Any], list[Any]], float], predictions: Sequence[Any], labels: Sequence[Any]):
    """The standard deviation of the scores of 600 sets, which is within 10 % of the true one all but always."""
    draw = random.Random(1)
    positions = range(len(labels))
    scores = []
    for _ in range(600):
        drawn = draw.choices(positions, k=len(positions))
        scores.append(score([predictions[at] for at in drawn], [labels[at] for at in drawn]))
    return statistics.stdev(scores)
